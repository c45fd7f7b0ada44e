import { Controller, type ControllerCounts, type RunningController } from '../../../../libs/client/controller.ts';
import { groupResourceName } from '../../../../libs/kind/client.ts';
import {
  type ApiObject,
  type GroupResource,
  keyOf,
  type Live,
  type ResourceRef,
} from '../../../../libs/kind/object.ts';
import { type ControllerEnvironment, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import * as builtIn from '../../../resources.ts';
import { customResourceDefinitions, resourceQuotas } from '../../../resources.ts';
import type { Pod, ResourceQuota } from '../../../types/core/v1.generated.ts';
import { evaluatorOf, type QuotaEvaluator, quotaCovers, resourceCountedBy } from '../evaluate.ts';
import { type Action, type Counted, type Observed, plan, untilFreeMs } from './plan.ts';

/** Whatever happens, quotas are counted anew this often. */
const RESYNC_MS = 300_000;
/** And so long after a count that found another number: what was being written then was charged, but not there yet. */
const SECOND_LOOK_MS = 10_000;

const known: ReadonlyMap<string, ResourceRef> = new Map(
  (Object.values(builtIn) as ResourceRef[]).map((ref) => [groupResourceName(ref), ref]),
);

/**
 * Keeps `status.used` of quotas what it is. Follows the resources that some quota counts, custom ones too, from when the
 * first such quota is seen; a change of an object that changes what it counts for makes its namespace's quotas be counted.
 *
 * New objects do not, nor does a charged quota: admission has counted an object before it is written, and who counts in
 * between would take the charge back and let too many pass.
 */
export class ResourceQuotaController implements RunningController {
  readonly #env: ControllerEnvironment;
  readonly #inner: Controller<Observed, Action>;
  readonly #followed = new Map<string, Disposable>();

  constructor(env: ControllerEnvironment) {
    this.#env = env;
    this.#inner = new Controller(this.#reconciler(), env);
  }

  get name(): string {
    return this.#inner.name;
  }

  get length(): number {
    return this.#inner.length;
  }

  get idle(): boolean {
    return this.#inner.idle;
  }

  get counts(): ControllerCounts {
    return this.#inner.counts;
  }

  add(key: string): void {
    this.#inner.add(key);
  }

  start(): void {
    this.#inner.start();
  }

  async stop(): Promise<void> {
    for (const handler of this.#followed.values()) handler[Symbol.dispose]();
    this.#followed.clear();
    await this.#inner.stop();
  }

  #reconciler(): Reconciler<Observed, Action> {
    return {
      name: 'resourcequota',
      watches: [
        watching(
          resourceQuotas,
          (quota) => [keyOf(quota)],
          0,
          (quota, previous) => !sameValue(quota.spec?.hard, previous.spec?.hard),
        ),
        // A resource that a quota counts may be defined after it.
        watching(customResourceDefinitions, ({ metadata }, { informers }) =>
          informers
            .informer(resourceQuotas)
            .list()
            .filter(({ spec }) => Object.hasOwn(spec?.hard ?? {}, `count/${metadata.name}`))
            .map(keyOf),
        ),
      ],
      observe: async ({ informers }, key) => {
        const quota = informers.informer(resourceQuotas).get(key);
        return quota && { quota, counted: await this.#count(quota) };
      },
      plan: (observed, nowMs) => {
        const { actions, againAfterMs } = plan(observed, nowMs);
        const upkeepMs = actions.length > 0 ? SECOND_LOOK_MS : RESYNC_MS;
        if (againAfterMs === undefined) return { actions, againAfterMs: upkeepMs, againIs: 'check' };
        return { actions, againAfterMs: Math.min(againAfterMs, upkeepMs) };
      },
      async apply({ client }, { status }, { quota }) {
        const changed = { ...quota, status } as unknown as ResourceQuota;
        const quotas = client.resource(resourceQuotas).namespace(quota.metadata.namespace ?? '');
        const updated = await quotas.subresource('status').update(changed);
        return [{ ref: resourceQuotas, resourceVersion: updated.metadata.resourceVersion }];
      },
    };
  }

  async #count({ metadata: { namespace = '' }, spec }: Live<ResourceQuota>): Promise<readonly Counted[]> {
    const resources = new Map<string, GroupResource>();
    for (const name of Object.keys(spec?.hard ?? {})) {
      const resource = resourceCountedBy(name);
      if (resource) resources.set(groupResourceName(resource), resource);
    }
    const counted: Counted[] = [];
    for (const resource of resources.values()) {
      const evaluator = evaluatorOf(resource);
      const ref = this.#refOf(resource);
      if (!evaluator || !ref) continue;
      this.#follow(ref, evaluator);
      const informer = this.#env.informers.informer(ref);
      const objects = informer.synced
        ? informer.list(namespace)
        : (await this.#env.client.resource(ref).namespace(namespace).list()).items;
      counted.push({ evaluator, objects: objects as readonly Live<object>[] });
    }
    return counted;
  }

  #refOf(resource: GroupResource): ResourceRef | undefined {
    const name = groupResourceName(resource);
    const ref = known.get(name);
    if (ref) return ref.namespaced ? ref : undefined;
    const definition = this.#env.informers.informer(customResourceDefinitions).get(name);
    const version = definition?.spec.versions.find(({ served, storage }) => served && storage)?.name;
    if (!definition || version === undefined || definition.spec.scope !== 'Namespaced') return undefined;
    return { ...resource, version, kind: definition.spec.names.kind, namespaced: true };
  }

  #follow(ref: ResourceRef, evaluator: QuotaEvaluator): void {
    const name = groupResourceName(ref);
    if (this.#followed.has(name)) return;
    const { informers, clock } = this.#env;
    const handler = informers.informer(ref).on((object, previous) => {
      if (!previous) return;
      const nowMs = clock.now();
      for (const quota of informers.informer(resourceQuotas).list(previous.metadata.namespace)) {
        const { spec } = quota;
        const used = (one: Live<ApiObject>) =>
          quotaCovers(evaluator, spec, spec?.hard, one as ApiObject) ? evaluator.usage(one as ApiObject, nowMs) : {};
        if (!sameValue(object ? used(object) : {}, used(previous))) this.add(keyOf(quota));
        const leftMs = object?.metadata.deletionTimestamp ? untilFreeMs(object as Live<Pod>, nowMs) : undefined;
        if (leftMs !== undefined && !previous.metadata.deletionTimestamp) this.#inner.addAfter(keyOf(quota), leftMs);
      }
    });
    this.#followed.set(name, handler);
  }
}
