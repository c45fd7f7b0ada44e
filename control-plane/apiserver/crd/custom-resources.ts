import { customResourceDefinition } from '../../../api/apiextensions/customresourcedefinition/kind.ts';
import { customResourceDefinitions } from '../../../api/resources.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import { isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import type { WatchFrame } from '../api.ts';
import { selectionOf } from '../cache/selection.ts';
import type { CelObserver } from '../cel-observer.ts';
import type { Engine } from '../registry/engine.ts';
import { systemContext } from '../system-context.ts';
import { conditionApproval } from './approval.ts';
import { type ConversionOptions, type Converter, converterOf } from './conversion.ts';
import { type CustomResource, customResourceOf, type Definition } from './custom-kind.ts';
import { finishTerminating, removeInstances } from './finalize.ts';
import { decideNames, isTrue, setCondition } from './names.ts';

/** How long until a definition is looked at again that could not be brought further. */
const AGAIN_MS = 1000;

interface Served extends CustomResource {
  /** What it was compiled from. */
  readonly definition: Definition;
  /** Ends the look-out for instances that go, where the definition is on its way out. */
  watch?: { close(): void };
}

/**
 * Custom resources of a running server: follows the definitions in the watch cache, says in their status what came of
 * them, and adds and removes what they define.
 *
 * A resource is served before its definition says `Established`, so whoever reads that may use it at once; paths,
 * discovery and OpenAPI change in the same moment. Several servers on one store do this side by side: each serves what is
 * established, whoever of them wrote it.
 *
 *     const resources = new CustomResources(schema, { client, random });
 *     resources.start(engine);      // serves what is established; the engine's caches have been started
 *
 * It ends when the engine's caches do.
 */
export class CustomResources {
  readonly #schema: SchemaSet;
  readonly #webhooks: Pick<ConversionOptions, 'client' | 'random'>;
  readonly #definitions = new Map<string, Definition>();
  readonly #served = new Map<string, Served>();
  /** Definitions to look at, each at most once. */
  readonly #dirty = new Set<string>();
  #engine: Engine | undefined;
  #working = false;

  readonly #cel: CelObserver | undefined;

  /** `schema` has the built-in types; `webhooks` calls webhooks that convert; `cel` is told how long rules take. */
  constructor(schema: SchemaSet, webhooks: Pick<ConversionOptions, 'client' | 'random'>, cel?: CelObserver) {
    this.#cel = cel;
    this.#schema = schema;
    this.#webhooks = webhooks;
  }

  #converter(definition: Definition): Converter | undefined {
    return converterOf(definition, { ...this.#webhooks, registry: () => this.#running.registry });
  }

  start(engine: Engine): void {
    this.#engine = engine;
    this.#follow();
  }

  get started(): boolean {
    return this.#engine !== undefined;
  }

  get #running(): Engine {
    if (!this.#engine) throw new Error('custom resources have not been started');
    return this.#engine;
  }

  /** Takes over the definitions as they are and watches from there. */
  #follow(): void {
    const { caches } = this.#running;
    const cache = caches.resource(customResourceDefinition as unknown as Kind);
    const there = new Set<string>();
    for (const object of cache.all()) {
      there.add(object.name);
      this.#changed(object.object() as Definition);
    }
    for (const [name, definition] of this.#definitions) if (!there.has(name)) this.#gone(definition);
    cache.watch(
      {
        form: caches.forms.get({ apiVersion: 'apiextensions.k8s.io/v1' }),
        selection: selectionOf(''),
        start: cache.revision,
        initialEventsEnd: false,
        bookmarks: false,
      },
      { event: (frame) => this.#event(frame), end: () => void this.#ended() },
    );
  }

  #event(frame: WatchFrame): boolean {
    if (frame.type === 'DELETED') this.#gone(frame.value() as Definition);
    else if (frame.type === 'ADDED' || frame.type === 'MODIFIED') this.#changed(frame.value() as Definition);
    return true;
  }

  /** The cache ended the watch: for good, or to begin anew after the store has forgotten what was in between. */
  async #ended(): Promise<void> {
    try {
      await this.#running.caches.fresh();
    } catch {
      return;
    }
    this.#follow();
  }

  #changed(definition: Definition): void {
    const name = definition.metadata?.name ?? '';
    this.#definitions.set(name, definition);
    if (isTrue(definition, 'Established')) this.#serve(definition);
    this.#look(name);
  }

  #gone(definition: Definition): void {
    const name = definition.metadata?.name ?? '';
    this.#definitions.delete(name);
    this.#withdraw(name);
    this.#lookAtGroup(definition.spec.group);
  }

  /** Its names are free for the others of its group now, or taken. */
  #lookAtGroup(group: string): void {
    for (const [name, { spec }] of this.#definitions) if (spec.group === group) this.#look(name);
  }

  // Serving

  #serve(definition: Definition): void {
    const name = definition.metadata?.name ?? '';
    const before = this.#served.get(name);
    if (before && !isServedOtherwise(before.definition, definition)) return;
    const { kinds, caches, log } = this.#running;
    let compiled: CustomResource;
    try {
      compiled = customResourceOf(definition, this.#schema, this.#converter(definition), this.#cel);
    } catch (error) {
      log.error('a definition cannot be served', { name, error });
      return;
    }
    before?.watch?.close();
    for (const kind of before?.served ?? []) kinds.remove(kind);
    caches.add(compiled.kind, compiled.schema);
    for (const kind of compiled.served) kinds.add(kind, compiled.schema);
    this.#served.set(name, { ...compiled, definition });
  }

  #withdraw(name: string): void {
    const served = this.#served.get(name);
    if (!served) return;
    this.#served.delete(name);
    served.watch?.close();
    for (const kind of served.served) this.#running.kinds.remove(kind);
    this.#running.caches.remove(served.kind);
  }

  // What the status says

  #look(name: string): void {
    this.#dirty.add(name);
    if (!this.#working) void this.#work();
  }

  /** Looks at one definition after the other: which of two that want a name gets it must not be chance. */
  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let name = first(this.#dirty); name !== undefined; name = first(this.#dirty)) {
        this.#dirty.delete(name);
        const definition = this.#definitions.get(name);
        if (!definition) continue;
        try {
          if (definition.metadata?.deletionTimestamp) await this.#finalize(name, definition);
          else await this.#settle(name, definition);
        } catch (error) {
          if (isNotFound(error) || !this.#running.caches.synced) continue;
          if (!isConflict(error)) this.#running.log.warn('a definition cannot be brought further', { name, error });
          this.#again(name);
        }
      }
    } finally {
      this.#working = false;
    }
  }

  #again(name: string): void {
    const { clock, caches } = this.#running;
    clock.sleep(AGAIN_MS).then(
      () => {
        if (caches.synced && this.#definitions.has(name)) this.#look(name);
      },
      () => {},
    );
  }

  async #settle(name: string, definition: Definition): Promise<void> {
    const { clock, registry } = this.#running;
    const { group } = definition.spec;
    const others = [...this.#definitions]
      .filter(([other, { spec }]) => other !== name && spec.group === group)
      .flatMap(([, { status }]) => status?.acceptedNames ?? []);
    const { acceptedNames, conditions } = decideNames(definition, others);
    const approval = conditionApproval(definition);
    const status = structuredClone(definition.status ?? {}) as NonNullable<Definition['status']> & object;
    const next = { ...status, acceptedNames } as Parameters<typeof setCondition>[0];
    const now = formatTime(clock.now());
    for (const condition of [...conditions, ...(approval ? [approval] : [])]) setCondition(next, condition, now);
    if (sameJson(next, definition.status)) return;
    // Served first, told afterwards.
    const told = { ...definition, status: next } as Definition;
    if (isTrue(told, 'Established')) this.#serve(told);
    const written = await registry.update(
      systemContext(clock, 'settle a definition'),
      customResourceDefinitions,
      '',
      name,
      (draft) => {
        if (!sameJson(draft.status, definition.status) || !sameJson(draft.spec, definition.spec)) return false;
        draft.status = next;
        return true;
      },
      { subresource: 'status' },
    );
    if (!sameJson(written.status?.acceptedNames, definition.status?.acceptedNames)) this.#lookAtGroup(group);
  }

  /** Takes a dying definition's instances away, then the finalizer that holds it. */
  async #finalize(name: string, definition: Definition): Promise<void> {
    const engine = this.#running;
    const served = this.#served.get(name);
    if (served && !served.watch) {
      served.watch = engine.caches.resource(served.kind).watch(
        {
          form: engine.caches.forms.get({
            apiVersion: `${served.kind.group}/${served.kind.storageVersion.version}`,
            as: 'metadata',
          }),
          selection: selectionOf(''),
          start: engine.caches.revision,
          initialEventsEnd: false,
          bookmarks: false,
        },
        {
          event: (frame) => {
            if (frame.type === 'DELETED') this.#look(name);
            return true;
          },
          end() {},
        },
      );
    }
    if (served && (await removeInstances(engine, served, name)) > 0) return;
    await finishTerminating(engine, definition, served !== undefined);
  }
}

/** Whether a resource must be compiled anew: what it defines, its names, or that it is on its way out. */
function isServedOtherwise(before: Definition, now: Definition): boolean {
  return !(
    before.metadata?.uid === now.metadata?.uid &&
    before.metadata?.deletionTimestamp === now.metadata?.deletionTimestamp &&
    sameJson(before.spec, now.spec) &&
    sameJson(before.status?.acceptedNames, now.status?.acceptedNames)
  );
}

function first(names: ReadonlySet<string>): string | undefined {
  for (const name of names) return name;
  return undefined;
}
