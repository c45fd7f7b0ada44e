import { assert } from '../../../libs/base/assert.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, Live, ResourceRef } from '../../../libs/kind/object.ts';
import type { Registry, SharedDraft } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import type { Encoded } from '../cache/encoded.ts';
import { objectKey } from '../cache/keys.ts';
import { selectionOf } from '../cache/selection.ts';
import { createObject } from './create.ts';
import { type DeleteParameters, deleteObject } from './delete.ts';
import { type Engine, fromStorage, type Target } from './engine.ts';
import type { ServedResource } from './kind-set.ts';
import { rulesOf, type UpdateRules } from './rules.ts';
import { changeObject } from './update.ts';

/**
 * The registry as admission plugins, actions and virtual kinds see it: see the contract in `libs/kind/registry.ts`. It
 * asks for neither authorization nor admission.
 */
export class RegistryAccess implements Registry {
  readonly #engine: Engine;
  /** Reads of the server itself wait as long as a webhook may take. */
  readonly #never = new AbortController().signal;

  constructor(engine: Omit<Engine, 'registry'>) {
    this.#engine = { ...engine, registry: this, mutating: [], validating: [] };
  }

  async get<T extends ApiObject>(ref: ResourceRef<T>, namespace: string, name: string): Promise<Live<T> | undefined> {
    const resource = this.#find(ref);
    const fresh = this.#engine.caches.fresh();
    if (fresh instanceof Promise) await fresh;
    const found = this.#engine.caches.resource(resource.kind).get(objectKey(resource.kind, namespace, name));
    if (found) await resource.served.prepare?.fromStorage([found.object()], this.#never);
    return found && this.#live<T>(resource, found);
  }

  async list<T extends ApiObject>(ref: ResourceRef<T>, namespace: string): Promise<readonly Live<T>[]> {
    const resource = this.#find(ref);
    await this.#engine.caches.fresh();
    const page = await this.#engine.caches.resource(resource.kind).list({ selection: selectionOf(namespace) });
    const held = resource.served.prepare ? page.objects().map((encoded) => encoded.object()) : [];
    await resource.served.prepare?.fromStorage(held, this.#never);
    return Object.freeze(page.objects().map((encoded) => this.#live<T>(resource, encoded)));
  }

  async create<T extends ApiObject>(
    ctx: RequestContext,
    ref: ResourceRef<T>,
    namespace: string,
    object: T,
  ): Promise<Live<T>> {
    const target = this.#target(ref, namespace, object.metadata?.name ?? '');
    const draft = { apiVersion: target.resource.apiVersion, kind: ref.kind, ...copyValue(object) };
    return this.#live<T>(target.resource, await createObject(this.#engine, ctx, target, draft));
  }

  async update<T extends ApiObject>(
    ctx: RequestContext,
    ref: ResourceRef<T>,
    namespace: string,
    name: string,
    change: (draft: SharedDraft<T>) => boolean | void,
    options: { subresource?: string; rules?: StatusSubresource<T>['strategy']; unowned?: boolean } = {},
  ): Promise<Live<T>> {
    const target = this.#target(ref, namespace, name);
    const subresource = options.subresource ?? '';
    const rules = (options.rules as UpdateRules | undefined) ?? rulesOf(target.resource.kind, subresource);
    // Rules that fill in and set right do so in place.
    const inPlace = rules.defaults !== undefined || rules.prepareForUpdate !== undefined;
    const { encoded } = await changeObject(this.#engine, ctx, target, {
      subresource,
      rules,
      createIfMissing: false,
      retry: true,
      options: {},
      next: (old) => {
        assert(old, 'only what is there is changed');
        const before = fromStorage(target.resource, old.object());
        const draft = { ...before, metadata: { ...before.metadata } };
        const wanted = change(draft as unknown as SharedDraft<T>) !== false;
        // What an action changes past the rules of updates, nobody owns.
        const owned = options.unowned ?? options.rules !== undefined;
        const next = (wanted ? draft : before) as ApiObject;
        return { object: inPlace || !wanted ? copyValue(next) : next, owned };
      },
    });
    return this.#live<T>(target.resource, encoded);
  }

  async delete(
    ctx: RequestContext,
    ref: ResourceRef,
    namespace: string,
    name: string,
    options: { uid?: string; resourceVersion?: string; gracePeriodSeconds?: number; propagationPolicy?: string } = {},
  ): Promise<void> {
    const { uid, resourceVersion, gracePeriodSeconds, propagationPolicy } = options;
    const parameters: DeleteParameters = {
      gracePeriodSeconds,
      propagationPolicy: propagationPolicy as DeleteParameters['propagationPolicy'],
      preconditions: { uid, resourceVersion },
      options: {},
    };
    await deleteObject(this.#engine, ctx, this.#target(ref, namespace, name), parameters);
  }

  #find(ref: ResourceRef): ServedResource {
    const resource = this.#engine.kinds.find(ref.group, ref.version, ref.resource);
    assert(resource, `no resource ${ref.resource} in ${ref.group}/${ref.version}`);
    return resource;
  }

  #target(ref: ResourceRef, namespace: string, name: string): Target {
    return { resource: this.#find(ref), namespace, name };
  }

  #live<T extends ApiObject>(resource: ServedResource, encoded: Encoded): Live<T> {
    return fromStorage(resource, encoded.object()) as unknown as Live<T>;
  }
}
