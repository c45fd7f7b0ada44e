import { apiServices, customResourceDefinitions } from '../../../api/resources.ts';
import type { Timer, Upkeep } from '../../../libs/base/clock.ts';
import type { ControllerCounts, RunningController } from '../../../libs/client/controller.ts';
import { resourceOfKind, servedResources } from '../../../libs/client/served-resources.ts';
import { WorkQueue } from '../../../libs/client/work-queue.ts';
import { groupResourceName } from '../../../libs/kind/client.ts';
import {
  type ApiObject,
  apiVersionOf,
  type Live,
  type OwnerReference,
  type ResourceRef,
} from '../../../libs/kind/object.ts';
import type { ControllerEnvironment } from '../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../libs/machinery/errors.ts';
import { parseApiVersion } from '../../../libs/machinery/gvk.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { discover, servedWith } from '../discovery.ts';
import { type GraphNode, OwnerGraph } from './graph.ts';
import { isOrphaning, isWaiting, ORPHAN, type OwnerState, plan } from './plan.ts';

const WORKERS = 20;
/** How soon after a definition changed the kinds are asked for again: it is served a moment later. */
const KINDS_CHANGED_MS = 500;
/** Aggregated servers may change what they serve without a word. */
const KINDS_MS = 300_000;
/** What could not be asked for is asked for again. */
const KINDS_FAILED_MS = 30_000;
/** Events are many, come and go by themselves, and own nothing. */
const IGNORED: ReadonlySet<string> = new Set(['events', 'events.events.k8s.io']);

/**
 * Deletes what has lost its owners, and carries out deletions that wait for dependents or let them go. Follows every kind
 * that can be listed, watched and deleted, custom ones as soon as they are served. Before anything is deleted the server
 * is asked: neither an owner nor the object itself is judged by what the informers remember.
 */
export class GarbageCollector implements RunningController {
  readonly name = 'garbage-collector';
  readonly #env: ControllerEnvironment;
  readonly #graph = new OwnerGraph();
  readonly #queue: WorkQueue;
  readonly #handlers = new Map<string, Disposable>();
  readonly #refs = new Map<string, ResourceRef>();
  readonly #counts = { reconciled: 0, failed: 0, actions: 0 };
  readonly #stopped = new AbortController();
  /** On what tells that kinds come and go. */
  readonly #definitions: Disposable[] = [];
  /** Owners that the server has and no informer has told of, as those of a kind that is not followed yet. */
  readonly #unobserved = new Set<string>();
  #refreshing = false;
  /** The kinds of the start are there: before objects are judged, all of these have their first state. */
  #begun = false;
  #timer: Timer | undefined;
  #running: Promise<unknown> | undefined;

  constructor(env: ControllerEnvironment) {
    this.#env = env;
    this.#queue = new WorkQueue({ clock: env.clock, observer: env.observeQueue?.(this.name) });
  }

  get length(): number {
    return this.#queue.length;
  }

  get idle(): boolean {
    return this.#queue.idle && !this.#refreshing;
  }

  get counts(): ControllerCounts {
    return { ...this.#counts };
  }

  add(uid: string): void {
    this.#queue.add(uid);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the garbage collector has stopped'));
    this.#timer?.cancel();
    for (const following of this.#definitions) following[Symbol.dispose]();
    for (const handler of this.#handlers.values()) handler[Symbol.dispose]();
    this.#queue.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { informers } = this.#env;
    const { signal } = this.#stopped;
    try {
      // The kinds are asked for once what defines them is known: what changes from then on is told.
      for (const ref of [customResourceDefinitions, apiServices]) {
        const definitions = informers.informer<ApiObject>(ref);
        await definitions.caughtUp('0', signal);
        let known = false;
        const changed = () => {
          if (known) this.#refreshAfter(KINDS_CHANGED_MS);
        };
        this.#definitions.push(definitions.on(changed));
        known = true;
      }
      await this.#refresh();
      this.#begun = true;
      await informers.synced(signal);
    } catch {
      return;
    }
    await this.#queue.serve(WORKERS, (uid) => this.#work(uid));
  }

  #refreshAfter(delayMs: number, upkeep?: Upkeep): void {
    if (this.#stopped.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#env.clock.setTimer(() => void this.#refresh(), delayMs, { upkeep });
  }

  #hasAggregated(): boolean {
    return this.#env.informers
      .informer(apiServices)
      .list()
      .some(({ spec }) => spec?.service);
  }

  /** Follows the kinds that are served now, and forgets those that no longer are. */
  async #refresh(): Promise<void> {
    if (this.#refreshing) return this.#refreshAfter(KINDS_CHANGED_MS);
    this.#refreshing = true;
    let complete = false;
    try {
      const discovered = await discover(this.#env.client);
      complete = discovered.failures.length === 0;
      if (this.#stopped.signal.aborted) return;
      const refs = servedWith(discovered, ['list', 'watch', 'delete']);
      const served = new Set(refs.map(groupResourceName));
      for (const ref of refs) this.#follow(ref);
      for (const [name, handler] of this.#handlers) {
        // What a failing group serves is not known: its kinds are kept.
        if (served.has(name) || discovered.failures.length > 0) continue;
        handler[Symbol.dispose]();
        this.#handlers.delete(name);
        const ref = this.#refs.get(name);
        if (ref) this.#env.informers.forget(ref);
        this.#refs.delete(name);
      }
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#env.log.warn('the kinds could not be read', { error });
    } finally {
      this.#refreshing = false;
      if (!complete) this.#refreshAfter(KINDS_FAILED_MS);
      else if (this.#hasAggregated()) this.#refreshAfter(KINDS_MS, 'check');
    }
  }

  #follow(ref: ResourceRef): void {
    const name = groupResourceName(ref);
    if (IGNORED.has(name) || this.#handlers.has(name)) return;
    this.#refs.set(name, ref);
    const handler = this.#env.informers.informer(ref).on((object, previous) => {
      if (object) this.#seen(ref, object, previous);
      else if (previous) this.#gone(previous);
    });
    this.#handlers.set(name, handler);
    if (this.#begun) void this.#lookAgainOnce(ref);
  }

  /**
   * With the first state of a kind that is served later it shows which of its objects went before anybody looked: nothing
   * will tell of them.
   */
  async #lookAgainOnce(ref: ResourceRef): Promise<void> {
    try {
      await this.#env.informers.informer(ref).caughtUp('0', this.#stopped.signal);
    } catch {
      return;
    }
    for (const uid of this.#unobserved) this.#queue.add(uid);
  }

  #seen(ref: ResourceRef, object: Live<ApiObject>, previous: Live<ApiObject> | undefined): void {
    const { uid, ownerReferences, deletionTimestamp } = object.metadata;
    this.#graph.put(ref, object);
    if (isWaiting(object) || isOrphaning(object)) {
      this.#queue.add(uid);
      if (isWaiting(object))
        for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent.object.metadata.uid);
    }
    const isChanged = !previous || !sameValue(previous.metadata.ownerReferences, ownerReferences);
    if (isChanged) {
      if (ownerReferences?.some((owner) => !this.#isSolid(object, owner))) this.#queue.add(uid);
      if (previous) this.#lookAtOwners(previous);
    }
    if (deletionTimestamp && !previous?.metadata.deletionTimestamp) this.#lookAtOwners(object);
  }

  #isSolid(object: Live<ApiObject>, owner: Readonly<OwnerReference>): boolean {
    const node = this.#graph.ownerOf(object, owner);
    return node !== undefined && !isWaiting(node.object);
  }

  /** Nothing is to be done about it as long as nobody tells otherwise. */
  #livesOn(object: Live<ApiObject>): boolean {
    if (isWaiting(object) || isOrphaning(object)) return false;
    return (object.metadata.ownerReferences ?? []).every((owner) => this.#isSolid(object, owner));
  }

  #gone(object: Live<ApiObject>): void {
    const { uid } = object.metadata;
    this.#graph.delete(uid);
    for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(dependent.object.metadata.uid);
    this.#lookAtOwners(object);
  }

  /** Owners that wait may have waited for this one. */
  #lookAtOwners(object: Live<ApiObject>): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const node = this.#graph.get(uid);
      if (node && isWaiting(node.object)) this.#queue.add(uid);
    }
  }

  async #work(uid: string): Promise<void> {
    try {
      const result = await this.#process(uid);
      this.#counts.reconciled++;
      if (result === 'again') this.#queue.addRateLimited(uid);
      else this.#queue.forget(uid);
    } catch (error) {
      this.#counts.failed++;
      if (!this.#stopped.signal.aborted) {
        this.#queue.addRateLimited(uid);
        this.#env.log.debug('an object could not be judged', { uid, error });
      }
    } finally {
      this.#queue.done(uid);
    }
  }

  async #process(uid: string): Promise<'done' | 'again'> {
    const node = this.#graph.get(uid);
    if (!node) return this.#askFor(uid);
    this.#unobserved.delete(uid);
    // After a start objects are often seen before their owners: by now these are known.
    if (!this.#livesOn(node.object)) await this.#judge(uid, node);
    return 'done';
  }

  /**
   * An owner that only references tell of. As long as the server has it, it is asked for again: its deletion would be
   * told by nobody. Once it has gone, its dependents are looked at.
   */
  async #askFor(uid: string): Promise<'done' | 'again'> {
    const dependents = this.#graph.dependentsOf(uid);
    const asked = new Set<string>();
    for (const { ref, object } of dependents) {
      const owner = object.metadata.ownerReferences?.find((reference) => reference.uid === uid);
      if (!owner) continue;
      // Most say the same of their owner; those who do not are each right for themselves.
      const place = [owner.apiVersion, owner.kind, owner.name, object.metadata.namespace ?? ''].join('/');
      if (asked.has(place)) continue;
      asked.add(place);
      const state = await this.#stateOf(object, ref, owner);
      if (state === 'solid' || state === 'waiting') return 'again';
    }
    this.#unobserved.delete(uid);
    for (const { object } of dependents) this.#queue.add(object.metadata.uid);
    return 'done';
  }

  async #judge(uid: string, node: GraphNode): Promise<void> {
    const object = await this.#clientOf(node).get(node.object.metadata.name).catch(absent);
    if (!object || object.metadata.uid !== uid) return;
    const owners = [];
    if (!object.metadata.deletionTimestamp) {
      for (const reference of object.metadata.ownerReferences ?? []) {
        this.#tellOfOtherNamespace(object, reference);
        const state = await this.#stateOf(object, node.ref, reference);
        if (state === 'out of reach') return this.#tellInvalid(object, reference);
        owners.push({ reference, state });
        if (state === 'absent' || this.#graph.get(reference.uid)) continue;
        this.#unobserved.add(reference.uid);
        this.#queue.add(reference.uid);
      }
    }
    const dependents = this.#graph.dependentsOf(uid).map(({ object: dependent }) => ({
      uid: dependent.metadata.uid,
      waits: isWaiting(dependent),
      blocks: (dependent.metadata.ownerReferences ?? []).some(
        (owner) => owner.uid === uid && owner.blockOwnerDeletion === true,
      ),
    }));
    await this.#apply(node, object, plan({ object, owners, dependents }));
  }

  /** Owners are sought where their dependents are: one of another namespace is none. */
  #tellOfOtherNamespace(object: Live<ApiObject>, owner: Readonly<OwnerReference>): void {
    const { namespace } = this.#graph.get(owner.uid)?.object.metadata ?? {};
    if (namespace && object.metadata.namespace && namespace !== object.metadata.namespace) {
      this.#tellInvalid(object, owner);
    }
  }

  #tellInvalid(object: Live<ApiObject>, { apiVersion, kind, name, uid }: Readonly<OwnerReference>): void {
    const { namespace = '' } = object.metadata;
    const owner = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
    const message = `ownerRef ${owner} does not exist in namespace ${JSON.stringify(namespace)}`;
    this.#env.events.event(object, 'Warning', 'OwnerRefInvalidNamespace', message);
  }

  /** `out of reach`: the owner's kind lives in namespaces, and the object in none. Nothing can be said of it. */
  async #stateOf(
    object: Live<ApiObject>,
    ref: ResourceRef,
    owner: Readonly<OwnerReference>,
  ): Promise<OwnerState | 'out of reach'> {
    const known = this.#graph.ownerOf(object, owner);
    if (known) return isWaiting(known.object) ? 'waiting' : 'solid';
    const isKind = (candidate: ResourceRef) =>
      candidate.kind === owner.kind && apiVersionOf(candidate) === owner.apiVersion;
    const ownerRef = [...this.#refs.values()].find(isKind) ?? (await this.#otherVersion(owner));
    // Perhaps its kind will be served again: until then nothing can be said, and nothing is deleted.
    if (!ownerRef) throw new Error(`no resource is known for the owner's kind ${owner.apiVersion} ${owner.kind}`);
    if (ownerRef.namespaced && !ref.namespaced) return 'out of reach';
    const all = this.#env.client.resource(ownerRef);
    const found = await (ownerRef.namespaced ? all.namespace(object.metadata.namespace ?? '') : all)
      .get(owner.name)
      .catch(absent);
    if (!found || found.metadata.uid !== owner.uid) return 'absent';
    return isWaiting(found) ? 'waiting' : 'solid';
  }

  /** The resource of a version that is served beside the preferred one. */
  async #otherVersion({ apiVersion, kind }: Readonly<OwnerReference>): Promise<ResourceRef | undefined> {
    const of = parseApiVersion(apiVersion);
    const found = resourceOfKind(await servedResources(this.#env.client, of), kind);
    return found && { ...of, resource: found.name, kind, namespaced: found.namespaced };
  }

  async #apply(node: GraphNode, object: Live<ApiObject>, decision: ReturnType<typeof plan>): Promise<void> {
    const { uid, name, resourceVersion } = object.metadata;
    if (decision.type === 'nothing') return;
    this.#counts.actions++;
    switch (decision.type) {
      case 'orphan dependents':
        for (const dependent of this.#graph.dependentsOf(uid)) {
          await this.#dropOwners(dependent, dependent.object, [uid]);
        }
        return this.#removeFinalizer(node, object, ORPHAN);
      case 'remove finalizer':
        return this.#removeFinalizer(node, object, decision.finalizer);
      case 'wait for dependents':
        for (const dependent of decision.look) this.#queue.add(dependent);
        return;
      case 'drop owners':
        return this.#dropOwners(node, object, decision.uids);
      case 'delete': {
        if (decision.unblock) {
          const owners = object.metadata.ownerReferences?.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
          await this.#clientOf(node).patch(name, { metadata: { uid, ownerReferences: owners } }, { type: 'merge' });
        }
        // Whoever adopts it in this very moment changes its revision, and it lives on.
        const preconditions = decision.unblock ? { uid } : { uid, resourceVersion };
        await this.#clientOf(node).delete(name, { propagationPolicy: decision.policy, preconditions }).catch(absent);
      }
    }
  }

  async #dropOwners(node: GraphNode, object: Live<ApiObject>, uids: readonly string[]): Promise<void> {
    const { uid, name, ownerReferences = [] } = object.metadata;
    const kept = ownerReferences.filter((owner) => !uids.includes(owner.uid));
    const metadata = { uid, resourceVersion: object.metadata.resourceVersion, ownerReferences: kept };
    await this.#clientOf(node).patch(name, { metadata }, { type: 'merge' }).catch(absent);
  }

  async #removeFinalizer(node: GraphNode, object: Live<ApiObject>, finalizer: string): Promise<void> {
    const { uid, resourceVersion, name, finalizers = [] } = object.metadata;
    const metadata = { uid, resourceVersion, finalizers: finalizers.filter((other) => other !== finalizer) };
    await this.#clientOf(node).patch(name, { metadata }, { type: 'merge' }).catch(absent);
  }

  #clientOf({ ref, object }: GraphNode) {
    const resource = this.#env.client
      .because({ component: this.name, step: 'collect', object: object.metadata.uid })
      .resource(ref);
    return ref.namespaced ? resource.namespace(object.metadata.namespace ?? '') : resource;
  }
}

function absent(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}
