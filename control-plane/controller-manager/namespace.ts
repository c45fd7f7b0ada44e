import { namespaces } from '../../api/resources.ts';
import type { Namespace } from '../../api/types/core/v1.generated.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from '../../libs/kind/object.ts';
import { type ControllerEnvironment, type Reconciler, watching } from '../../libs/kind/reconciler.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { discover, servedWith } from './discovery.ts';
import { deletionConditions, type Remains } from './namespace-plan.ts';

const FINALIZER = 'kubernetes';
/** How soon to look again at what has not gone yet. */
const REMAINING_MS = 5000;
/** Pods with a short grace are waited for, longer each time. */
const PODS_GONE_MS = [250, 500, 1000, 2000];

interface Action {
  readonly type: 'empty' | 'finalize';
  readonly reason: string;
}

/**
 * Deletes what is in a namespace that is being deleted, of every kind that the server serves at that moment, says what it
 * waits for, and lets the namespace go when nothing is left.
 */
export const namespaceController: Reconciler<Live<Namespace>, Action> = {
  name: 'namespace',
  concurrency: 10,
  watches: [watching(namespaces, (namespace) => (namespace.metadata.deletionTimestamp ? [keyOf(namespace)] : []))],
  observe: ({ informers }, key) => {
    const namespace = informers.informer(namespaces).get(key);
    return namespace?.metadata.deletionTimestamp && namespace.spec?.finalizers?.includes(FINALIZER)
      ? namespace
      : undefined;
  },
  plan: () => ({
    actions: [
      { type: 'empty', reason: 'delete the content' },
      { type: 'finalize', reason: 'nothing is left' },
    ],
    againAfterMs: REMAINING_MS,
  }),
  async apply(env, { type }, observed) {
    const { name } = observed.metadata;
    const all = env.client.resource(namespaces);
    if (type === 'finalize') {
      const namespace = await all.get(name).catch(goneAlready);
      const left = namespace?.status?.conditions?.some(({ status }) => status === 'True');
      if (!namespace || left || namespace.metadata.uid !== observed.metadata.uid) return;
      const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      const emptied = { ...namespace, spec: { ...namespace.spec, finalizers } } as unknown as Namespace;
      await env.client
        .raw('PUT', `/api/v1/namespaces/${encodeURIComponent(name)}/finalize`, { body: emptied })
        .catch(goneAlready);
      return;
    }
    const remains = await empty(env, name);
    const namespace = await all.get(name).catch(goneAlready);
    if (!namespace || namespace.metadata.uid !== observed.metadata.uid) return;
    const before = namespace.status?.conditions ?? [];
    const conditions = deletionConditions(before, remains, env.clock.now());
    if (conditions === before) return;
    const status = { ...namespace.status, phase: 'Terminating', conditions };
    await all.subresource('status').update({ ...namespace, status } as unknown as Namespace);
  },
};

function goneAlready(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}

/**
 * Asks for the end of everything and gives what is there still. Pods go first, and nothing else is touched while there
 * are any: what they run on (network policies, secrets) holds until their end.
 */
async function empty(env: ControllerEnvironment, namespace: string): Promise<Remains> {
  const discovered = await discover(env.client);
  const refs = servedWith(discovered, ['list', 'delete']).filter(({ namespaced }) => namespaced);
  const arePods = ({ group, resource }: ResourceRef) => group === '' && resource === 'pods';
  const failures = new Map<string, string>();
  const pods = await remove(env, refs.filter(arePods), namespace, failures, PODS_GONE_MS);
  const wait = pods.length > 0 || failures.size > 0;
  const left = wait
    ? pods
    : await remove(
        env,
        refs.filter((ref) => !arePods(ref)),
        namespace,
        failures,
        [],
      );
  const [counts, finalizers] = [new Map<string, number>(), new Map<string, number>()];
  for (const { resource, items } of left) {
    counts.set(resource, items.length);
    for (const { metadata } of items) {
      for (const finalizer of metadata.finalizers ?? [])
        finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
    }
  }
  const unanswered = discovered.failures.map(({ groupVersion, message }) => `${groupVersion}: ${message}`).join(', ');
  return {
    counts,
    finalizers,
    ...(unanswered
      ? { discoveryFailure: `Discovery failed for some groups, ${discovered.failures.length} failing: ${unanswered}` }
      : {}),
    ...(failures.size > 0
      ? {
          deletionFailure: `Failed to delete all resource types, ${failures.size} remaining: ${[...failures.values()].join(', ')}`,
        }
      : {}),
  };
}

interface Left {
  /** `pods.`, `deployments.apps`. */
  readonly resource: string;
  readonly items: readonly Live<ApiObject>[];
}

/** Deletes all objects of the resources and gives those that are there after it; `waitsMs`: how long to wait for them. */
async function remove(
  { client, clock }: ControllerEnvironment,
  refs: readonly ResourceRef[],
  namespace: string,
  failures: Map<string, string>,
  waitsMs: readonly number[],
): Promise<readonly Left[]> {
  const present = async (ask: boolean): Promise<readonly Left[]> => {
    const left: Left[] = [];
    for (const ref of refs) {
      const objects = client.resource(ref).namespace(namespace);
      const resource = `${ref.resource}.${ref.group}`;
      try {
        const { items } = await objects.list();
        if (items.length === 0) continue;
        left.push({ resource, items });
        if (ask) await objects.deleteCollection({}, { propagationPolicy: 'Background' });
      } catch (error) {
        // Served a moment ago and no more: with the kind went its objects.
        if (!isNotFound(error)) failures.set(resource, (error as Error).message);
      }
    }
    return left;
  };
  let left = await present(true);
  if (left.length === 0) return left;
  left = await present(false);
  for (const waitMs of waitsMs) {
    if (left.length === 0) return left;
    await clock.sleep(waitMs);
    left = await present(false);
  }
  return left;
}
