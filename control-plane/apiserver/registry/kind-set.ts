import type { Kind, ServedVersion, Subresource } from '../../../libs/kind/kind.ts';
import { apiVersionOf } from '../../../libs/kind/object.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';

/**
 * One resource of one served group and version: what a path leads to. A class: a place that makes hundreds of literals at
 * once makes all later ones old, and each holds what its kind sees.
 */
export class ServedResource {
  readonly kind: Kind;
  readonly served: ServedVersion;
  readonly group: string;
  readonly version: string;
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  /** Where the resource's types are: the built-in schema, or a CRD's own. */
  readonly schema: SchemaSet;
  /** Another one of the same plural name in the set. No lists: literals that outlive their making hold ended servers. */
  next?: ServedResource | undefined;

  constructor(kind: Kind, served: ServedVersion, group: string, schema: SchemaSet) {
    this.kind = kind;
    this.served = served;
    this.group = group;
    this.version = served.version;
    this.apiVersion = apiVersionOf({ group, version: served.version });
    this.schema = schema;
  }
}

/** Tells when the set changes: kinds come and go with CRDs. */
export type KindSetListener = () => void;

/**
 * The kinds that a server serves, by path. Built-in ones are given at the start, those of CRDs come and go. What is
 * looked up on every request is one map look-up.
 */
export class KindSet {
  /** In the order in which the kinds were added. */
  #served: ServedResource[] = [];
  /** By plural name, which few groups and versions share: the first of each. */
  readonly #byResource = new Map<string, ServedResource>();
  readonly #groups = new Map<string, Set<string>>();
  readonly #kinds = new Set<Kind>();
  readonly #listeners = new Set<KindSetListener>();
  readonly #runtimeConfig: (group: string, version: string, servedByDefault: boolean) => boolean;

  /** `isServed` answers for each version whether it is on; default: what the kind says. */
  constructor(isServed: (group: string, version: string, servedByDefault: boolean) => boolean = (_g, _v, on) => on) {
    this.#runtimeConfig = isServed;
  }

  add(kind: Kind, schema: SchemaSet): void {
    this.#kinds.add(kind);
    for (const served of kind.versions) {
      const group = served.group ?? kind.group;
      if (!this.#runtimeConfig(group, served.version, served.servedByDefault ?? true)) continue;
      const resource = new ServedResource(kind, served, group, schema);
      this.#put(resource);
      const versions = this.#groups.get(group) ?? new Set();
      this.#groups.set(group, versions.add(served.version));
    }
    for (const listener of this.#listeners) listener();
  }

  /** In place of one at the same path. */
  #put(resource: ServedResource): void {
    const { group, version, kind } = resource;
    const known = this.find(group, version, kind.resource);
    if (known) {
      this.#served[this.#served.indexOf(known)] = resource;
      this.#linkAll();
    } else {
      this.#served.push(resource);
      this.#link(resource);
    }
  }

  #link(resource: ServedResource): void {
    const plural = resource.kind.resource;
    resource.next = this.#byResource.get(plural);
    this.#byResource.set(plural, resource);
  }

  #linkAll(): void {
    this.#byResource.clear();
    for (const resource of this.#served) this.#link(resource);
  }

  remove(kind: Kind): void {
    if (!this.#kinds.delete(kind)) return;
    this.#served = this.#served.filter((one) => one.kind !== kind);
    this.#linkAll();
    this.#groups.clear();
    for (const { group, version } of this.#served) {
      this.#groups.set(group, (this.#groups.get(group) ?? new Set()).add(version));
    }
    for (const listener of this.#listeners) listener();
  }

  find(group: string, version: string, resource: string): ServedResource | undefined {
    for (let one = this.#byResource.get(resource); one; one = one.next) {
      if (one.version === version && one.group === group) return one;
    }
    return undefined;
  }

  /** The kind of a group and resource whatever the version, for references without one. */
  findAnyVersion(group: string, resource: string): ServedResource | undefined {
    for (const version of this.#groups.get(group) ?? []) {
      const found = this.find(group, version, resource);
      if (found) return found;
    }
    return undefined;
  }

  /** The same resource in all its versions and groups; those of a definition are kinds of their own. */
  versionsOf({ kind }: ServedResource): readonly ServedResource[] {
    const found: ServedResource[] = [];
    for (const one of this.#served) {
      if (one.kind === kind || (one.kind.group === kind.group && one.kind.resource === kind.resource)) found.push(one);
    }
    return found;
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group);
  }

  hasVersion(group: string, version: string): boolean {
    return this.#groups.get(group)?.has(version) ?? false;
  }

  /** Whether a resource is one that a definition made: then its types are not the built-in ones. */
  static isCustom({ schema, served }: ServedResource): boolean {
    return schema.get(served.type).custom === true;
  }

  /** Whether all of a group comes from definitions, or nothing of it is there. */
  isForeign(group: string): boolean {
    for (const one of this.#served) if (one.group === group && !KindSet.isCustom(one)) return false;
    return true;
  }

  get kinds(): ReadonlySet<Kind> {
    return this.#kinds;
  }

  /** Every served resource, in the order in which the kinds were added. */
  get served(): readonly ServedResource[] {
    return [...this.#served];
  }

  /** Calls `listener` after each change. */
  onChange(listener: KindSetListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

/** A resource's subresource by its name, own properties only: the name comes from a path. */
export function subresourceOf(kind: Kind, name: string): Subresource | undefined {
  return Object.hasOwn(kind.subresources, name) ? kind.subresources[name] : undefined;
}
