/**
 * Field management: keeps `metadata.managedFields` true through every write, and merges applied objects.
 *
 *     const manager = new FieldManager({ structures, type, apiVersion, kind, resetFields: ['status'] });
 *     const managedFields = manager.update(live, next, { manager: 'kubectl-edit', nowMs });   // POST, PUT, PATCH
 *     const { object, managedFields } = manager.apply(live, applied, { manager: 'me', force: false, nowMs });
 *
 * One for each resource version and subresource; beside the sets that it made last, which it gives out again where it
 * would make the same ones, it holds no state. Objects that are passed in are never
 * changed. `update` is to be called once all defaults are in and before admission changes the object, so that nobody
 * owns what admission added. What `apply` merges still has to be decoded: it holds the applier's own spellings.
 */
import * as errors from '../errors.ts';
import { formatGvk, parseApiVersion } from '../gvk.ts';
import { jsonEqual } from '../json-equal.ts';
import { sortedJson } from '../quote.ts';
import type { TypeRef } from '../schema/ir.ts';
import { formatTime } from '../time.ts';
import { type Comparison, compare, sameOnWire } from './compare.ts';
import {
  type Conflict,
  ConflictsError,
  conflictError,
  conflictFields,
  conflictOf,
  conflictsWithout,
} from './conflicts.ts';
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmpty,
  recursiveDifference,
  sameSet,
  setOf,
  union,
} from './field-set.ts';
import {
  beforeFirstApply,
  capManagers,
  clearsManagedFields,
  decodeManagedFields,
  encodeManagedFields,
  identityOf,
  type ManagedFieldsEntry,
  type ManagerEntry,
  type Managers,
  withoutEmpty,
} from './managed-fields.ts';
import { ListItemError, type StructureNode, type Structures } from './structure.ts';
import { checkTyped, fieldSetOf, mergeTyped, reconciled, removeFields, TypedError, withNamedFields } from './typed.ts';

type ObjectValue = Readonly<Record<string, unknown>>;

interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly ManagedFieldsEntry[] | null;
}

/** What these functions need to know of an object; anything else is data. */
export type ManagedObject = { readonly apiVersion?: string; readonly kind?: string; readonly metadata?: unknown };

export interface FieldManagerOptions {
  readonly structures: Structures;
  /** The type of the objects that are passed in. */
  readonly type: TypeRef;
  readonly apiVersion: string;
  readonly kind: string;
  readonly subresource?: string;
  /** Dotted paths of what writers of this resource neither own nor change: `['status']`, `['metadata.labels']`. */
  readonly resetFields?: readonly string[];
  /**
   * The object in another version, for owners who spoke that one; undefined where the version is no longer known.
   * Without it only the own version exists.
   */
  readonly convert?: (object: ObjectValue, apiVersion: string) => { object: ObjectValue; type: TypeRef } | undefined;
}

export interface UpdateOptions {
  readonly manager: string;
  readonly nowMs: number;
}

export interface ApplyOptions extends UpdateOptions {
  /** Take over fields that others own instead of failing. */
  readonly force: boolean;
}

export interface Applied {
  /** The merged object without managedFields; the live one itself where the apply changes nothing. */
  readonly object: ObjectValue;
  readonly managedFields: ManagedFieldsEntry[] | undefined;
  /** Whether the merged object differs from the live one. */
  readonly changed: boolean;
}

/** What nobody owns: the server sets it, or it names the object. */
const neverOwned: FieldSet = setOf(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => ['f:metadata', `f:${name}`]),
);

/** Of whom the latest sets are kept, and how many of each. */
const OWNERS_MOST = 32;
const SETS_MOST = 4;
/** How many sets are known to be sound. */
const SOUND_MOST = 16;

const kubectl = 'kubectl';
const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Annotations larger than this in total cannot be stored. */
const annotationBytesMax = 256 * 1024;

const metadataOf = (object: ManagedObject | undefined): Metadata => (object?.metadata ?? {}) as Metadata;

/** The object without its managedFields, which are not part of what is compared. */
function withoutManagedFields(object: ObjectValue): ObjectValue {
  const metadata = object['metadata'] as ObjectValue | undefined;
  if (metadata === undefined || metadata === null || !Object.hasOwn(metadata, 'managedFields')) return object;
  const { managedFields: _, ...rest } = metadata;
  return { ...object, metadata: rest };
}

const isUnchanged = ({ changed, removed }: Comparison): boolean => isEmpty(changed) && isEmpty(removed);

export class FieldManager {
  readonly #options: FieldManagerOptions;
  readonly #node: StructureNode;
  readonly #ignored: FieldSet;
  readonly #subresource: string;
  /** By owner. */
  readonly #latest = new Map<string, FieldSet[]>();
  /** The latest sets that were found to be as the type wants them; sets never change, and most writes meet the same ones. */
  readonly #sound: FieldSet[] = [];

  constructor(options: FieldManagerOptions) {
    this.#options = options;
    this.#node = options.structures.of(options.type);
    this.#ignored = setOf(...(options.resetFields ?? []).map((path) => path.split('.').map((name) => `f:${name}`)));
    this.#subresource = options.subresource ?? '';
  }

  // ── update ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The managedFields to store with `next`, which replaces `live` (undefined on create). Fields that the write adds or
   * changes go to the manager, fields that it removes are no longer owned by anyone. An object without managedFields
   * gets none by an update, and one with list items that lack their keys loses them: nobody can tell who owns what.
   */
  update(
    live: ManagedObject | undefined,
    next: ManagedObject,
    options: UpdateOptions,
  ): ManagedFieldsEntry[] | undefined {
    try {
      return this.#update(live, next, options);
    } catch (error) {
      if (error instanceof ListItemError) return undefined;
      throw error;
    }
  }

  #update(
    live: ManagedObject | undefined,
    next: ManagedObject,
    options: UpdateOptions,
  ): ManagedFieldsEntry[] | undefined {
    const given = this.#managersFor(live, next);
    if (given.managers.size === 0 && metadataOf(live).uid) return undefined;
    const before = (live ?? {}) as ObjectValue;
    const after = next as ObjectValue;
    const comparison = this.#compare(before, after);
    if (isUnchanged(comparison) && given.stored !== undefined) return given.stored;
    const managers = this.#updated(before, after, comparison, given.managers, options);
    return encodeManagedFields(capManagers(managers));
  }

  /** Whom the fields belong to before an update, and the stored list where that is the live object's own. */
  #managersFor(
    live: ManagedObject | undefined,
    next: ManagedObject,
  ): { managers: Managers; stored: ManagedFieldsEntry[] | undefined } {
    const stored = metadataOf(live).managedFields ?? undefined;
    const sent = metadataOf(next).managedFields ?? undefined;
    const own = (): { managers: Managers; stored: ManagedFieldsEntry[] | undefined } => ({
      managers: decodeManagedFields(stored, true) ?? new Map(),
      stored: stored as ManagedFieldsEntry[] | undefined,
    });
    // Writers of a subresource have no say in who owns what.
    if (this.#subresource !== '' || sent === stored) return own();
    if (clearsManagedFields(sent)) return { managers: new Map(), stored: undefined };
    if (sent === undefined || jsonEqual(sent, stored)) return own();
    const managers = decodeManagedFields(sent, false);
    return managers === undefined || managers.size === 0 ? own() : { managers, stored: undefined };
  }

  /** The owners after the change from `before` to `after`, made by the manager of an update. */
  #updated(
    before: ObjectValue,
    after: ObjectValue,
    comparison: Comparison,
    given: Managers,
    { manager, nowMs }: UpdateOptions,
  ): Managers {
    const entry: Omit<ManagerEntry, 'fields'> = {
      manager: manager === '' ? 'unknown' : manager,
      operation: 'Update',
      apiVersion: this.#options.apiVersion,
      subresource: this.#subresource,
      time: formatTime(nowMs),
    };
    const identity = identityOf(entry);
    const { managers } = this.#transfer(before, after, comparison, this.#reconciled(before, given), {
      writer: identity,
    });
    const taken = difference(comparison.changed, neverOwned);
    if (isEmpty(taken)) return managers;
    const previous = managers.get(identity)?.fields ?? emptySet;
    const all = union(previous, taken);
    // One who writes what it wrote before keeps the set that it has.
    managers.set(identity, { ...entry, fields: all === previous ? previous : this.#shared(identity, all) });
    return managers;
  }

  /**
   * A program writes the same fields of one object after the other: thousands of objects then have one set, instead of as
   * many equal ones.
   */
  #shared(identity: string, fields: FieldSet): FieldSet {
    let known = this.#latest.get(identity);
    if (known === undefined) {
      if (this.#latest.size >= OWNERS_MOST) this.#latest.clear();
      this.#latest.set(identity, (known = []));
    }
    for (const one of known) if (sameSet(one, fields)) return one;
    if (known.length >= SETS_MOST) known.shift();
    known.push(fields);
    return fields;
  }

  /**
   * Takes changed and removed fields from the owners, each judged in the version that it spoke. An `applier` is passed
   * over; a `writer` loses only what is removed, for what it changes is its own afterwards.
   *
   * @returns the owners that are left, and those that lost something the change sets
   */
  #transfer(
    before: ObjectValue,
    after: ObjectValue,
    own: Comparison,
    given: Managers,
    { applier, writer }: { readonly applier?: string; readonly writer?: string },
  ): { managers: Map<string, ManagerEntry>; conflicts: Conflict[] } {
    const managers = new Map(given);
    const conflicts: Conflict[] = [];
    if (given.size === 0) return { managers, conflicts };
    let others: Map<string, Comparison | undefined> | undefined;
    for (const identity of given.keys()) {
      if (identity === applier) continue;
      const entry = given.get(identity) as ManagerEntry;
      const { apiVersion } = entry;
      let seen: Comparison | undefined = own;
      if (apiVersion !== this.#options.apiVersion) {
        others ??= new Map();
        if (!others.has(apiVersion)) others.set(apiVersion, this.#seenIn(apiVersion, before, after));
        seen = others.get(apiVersion);
      }
      if (seen === undefined) {
        managers.delete(identity);
        continue;
      }
      const conflict = identity === writer ? undefined : conflictOf(entry, seen.changed);
      if (conflict !== undefined) conflicts.push(conflict);
      const left = difference(difference(entry.fields, conflict?.fields ?? emptySet), seen.removed);
      if (left !== entry.fields) managers.set(identity, { ...entry, fields: left });
    }
    return { managers: withoutEmpty(managers), conflicts };
  }

  #compare(before: ObjectValue, after: ObjectValue, node: StructureNode = this.#node): Comparison {
    const comparison = compare(node, before, after);
    if (isEmpty(this.#ignored)) return comparison;
    return {
      changed: recursiveDifference(comparison.changed, this.#ignored),
      removed: recursiveDifference(comparison.removed, this.#ignored),
    };
  }

  #seenIn(apiVersion: string, before: ObjectValue, after: ObjectValue): Comparison | undefined {
    const from = this.#converted(before, apiVersion);
    const to = this.#converted(after, apiVersion);
    if (from === undefined || to === undefined) return undefined;
    return this.#compare(from.object, to.object, to.node);
  }

  /** The object in a version; undefined where that version is not known. */
  #converted(object: ObjectValue, apiVersion: string): { object: ObjectValue; node: StructureNode } | undefined {
    if (apiVersion === this.#options.apiVersion) return { object, node: this.#node };
    const converted = this.#options.convert?.(withoutManagedFields(object), apiVersion);
    return converted && { object: converted.object, node: this.#options.structures.of(converted.type) };
  }

  /** Owners whose sets the present schema no longer allows get what it makes of them. */
  #reconciled(live: ObjectValue, given: Managers): Managers {
    let result: Map<string, ManagerEntry> | undefined;
    for (const identity of given.keys()) {
      const entry = given.get(identity) as ManagerEntry;
      const node =
        entry.apiVersion === this.#options.apiVersion ? this.#node : this.#converted(live, entry.apiVersion)?.node;
      if (node === undefined || (node === this.#node && this.#sound.includes(entry.fields))) continue;
      const fields = reconciled(node, entry.fields);
      if (node === this.#node && this.#sound.push(fields) > SOUND_MOST) this.#sound.shift();
      if (fields === entry.fields) continue;
      result ??= new Map(given);
      result.set(identity, { ...entry, fields });
    }
    return result ?? given;
  }

  // ── apply ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Merges an applied object into the live one (undefined where there is none yet).
   *
   * @throws ApiError 400 for another version or for managedFields, 409 for conflicts, 500 (unclassified, as upstream)
   *   for an object that does not fit its type
   */
  apply(live: ManagedObject | undefined, applied: ManagedObject, options: ApplyOptions): Applied {
    this.#checkApplied(applied);
    const config = applied as ObjectValue;
    try {
      return this.#apply(live, config, options);
    } catch (error) {
      if (!(error instanceof ListItemError)) throw error;
      throw errors.unclassified(`failed to create typed live object (${this.#named(live)}): ${error.message}`);
    }
  }

  /** `namespace/name; group/version, Kind=kind` */
  #named(object: ManagedObject | undefined): string {
    const { namespace = '', name = '' } = metadataOf(object);
    return `${namespace}/${name}; ${formatGvk({ ...parseApiVersion(this.#options.apiVersion), kind: this.#options.kind })}`;
  }

  #apply(live: ManagedObject | undefined, config: ObjectValue, options: ApplyOptions): Applied {
    const current = withoutManagedFields((live ?? {}) as ObjectValue);
    let managers = decodeManagedFields(metadataOf(live).managedFields ?? undefined, true) ?? new Map();
    if (managers.size === 0 && live !== undefined) {
      const first = { manager: beforeFirstApply, nowMs: options.nowMs };
      managers = capManagers(this.#updated({}, current, this.#compare({}, current), managers, first));
    }
    return this.#withLastApplied(live, config, current, managers, options);
  }

  #checkApplied(applied: ManagedObject): void {
    const { apiVersion, kind } = this.#options;
    if (applied.apiVersion !== apiVersion || applied.kind !== kind) {
      const type = { ...parseApiVersion(applied.apiVersion ?? ''), kind: applied.kind ?? '' };
      throw errors.badRequest(`invalid object type: ${formatGvk(type)}`);
    }
    if (metadataOf(applied).managedFields !== undefined && metadataOf(applied).managedFields !== null) {
      throw errors.badRequest('metadata.managedFields must be nil');
    }
    try {
      checkTyped(this.#node, applied as ObjectValue);
    } catch (error) {
      if (!(error instanceof TypedError)) throw error;
      throw errors.unclassified(`failed to create typed patch object (${this.#named(applied)}): ${error.message}`);
    }
  }

  /**
   * `kubectl apply` with and without `--server-side` may follow each other: what the annotation of client-side apply
   * says is no conflict for kubectl, and the annotation is kept up to date.
   */
  #withLastApplied(
    live: ManagedObject | undefined,
    config: ObjectValue,
    current: ObjectValue,
    managers: Managers,
    options: ApplyOptions,
  ): Applied {
    const annotated = metadataOf(live).annotations?.[lastAppliedAnnotation];
    let result: Applied;
    try {
      result = this.#merge(config, current, managers, options);
    } catch (error) {
      if (!(error instanceof ConflictsError)) throw error;
      const allowed =
        options.manager === kubectl && annotated !== undefined ? this.#lastApplied(annotated, current) : emptySet;
      const conflicts = conflictsWithout(error.conflicts, allowed);
      if (conflicts.length > 0 || isEmpty(conflictFields(error.conflicts))) throw conflictError(conflicts);
      result = this.#merge(config, current, managers, { ...options, force: true });
    }
    if (options.manager !== kubectl || annotated === undefined) return result;
    return this.#annotated(result, config);
  }

  /** What client-side apply set last and the live object still has. */
  #lastApplied(annotation: string, current: ObjectValue): FieldSet {
    let last: unknown;
    try {
      last = JSON.parse(annotation);
    } catch {
      return emptySet;
    }
    if (typeof last !== 'object' || last === null || Array.isArray(last)) return emptySet;
    const object = last as ObjectValue;
    if (object['apiVersion'] !== this.#options.apiVersion || object['kind'] !== this.#options.kind) return emptySet;
    try {
      checkTyped(this.#node, object);
    } catch (error) {
      if (error instanceof TypedError) return emptySet;
      throw error;
    }
    const { changed, removed } = compare(this.#node, object, current);
    return [changed, removed].reduce(difference, fieldSetOf(this.#node, object));
  }

  #annotated(result: Applied, config: ObjectValue): Applied {
    const { annotations, ...metadata } = (config['metadata'] ?? {}) as ObjectValue;
    const { [lastAppliedAnnotation]: _, ...others } = (annotations ?? {}) as ObjectValue;
    const stripped = {
      ...config,
      metadata: annotations === undefined ? metadata : { ...metadata, annotations: others },
    };
    const text = `${sortedJson(stripped)}\n`;
    const present = (result.object['metadata'] ?? {}) as ObjectValue;
    const now = { ...(present['annotations'] as ObjectValue | undefined), [lastAppliedAnnotation]: text };
    const size = Object.entries(now).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
    if (size > annotationBytesMax) delete (now as Record<string, unknown>)[lastAppliedAnnotation];
    return { ...result, changed: true, object: { ...result.object, metadata: { ...present, annotations: now } } };
  }

  #merge(config: ObjectValue, current: ObjectValue, given: Managers, options: ApplyOptions): Applied {
    const { apiVersion } = this.#options;
    const entry = {
      manager: options.manager,
      operation: 'Apply',
      apiVersion,
      subresource: this.#subresource,
    } as const;
    const identity = identityOf(entry);
    const known = this.#reconciled(current, given);
    const last = known.get(identity);
    const owned = recursiveDifference(fieldSetOf(this.#node, config), this.#ignored);
    const withOwn = new Map(known).set(identity, { ...entry, fields: owned, time: last?.time });
    const object = this.#pruned(mergeTyped(this.#node, current, config), withOwn, last);
    const comparison = this.#compare(current, object);
    const { managers, conflicts } = this.#transfer(current, object, comparison, withOwn, { applier: identity });
    if (!options.force && conflicts.length > 0) throw new ConflictsError(conflicts);
    const changed = !sameOnWire(this.#node, current, object);
    const mine = managers.get(identity);
    if (mine !== undefined) {
      const fields = difference(mine.fields, neverOwned);
      if (isEmpty(fields)) managers.delete(identity);
      else managers.set(identity, { ...mine, fields, time: changed ? formatTime(options.nowMs) : mine.time });
    }
    return { object: changed ? object : current, managedFields: encodeManagedFields(managers), changed };
  }

  /**
   * Takes out what the applier owned before, no longer applies, and nobody else owns. Parts of removed items that
   * others own, and what nobody ever owned, stay.
   */
  #pruned(merged: ObjectValue, managers: Managers, last: ManagerEntry | undefined): ObjectValue {
    if (last === undefined || isEmpty(last.fields)) return merged;
    const now = managers.get(identityOf(last));
    // Whoever still applies all that it did gives up nothing.
    if (now?.apiVersion === last.apiVersion && isEmpty(difference(last.fields, now.fields))) return merged;
    const base = this.#converted(merged, last.apiVersion);
    if (base === undefined) return merged;
    const { node } = base;
    const lastFields = withNamedFields(node, last.fields);
    const byVersion = new Map<string, FieldSet>();
    for (const { apiVersion, fields } of managers.values()) {
      byVersion.set(apiVersion, union(byVersion.get(apiVersion) ?? emptySet, fields));
    }
    const kept = withNamedFields(node, byVersion.get(last.apiVersion) ?? emptySet);
    if (isEmpty(difference(lastFields, kept))) return merged;

    let pruned = removeFields(node, base.object, lastFields);
    pruned = this.#addBack(node, base.object, pruned, kept);
    byVersion.delete(last.apiVersion);
    for (const [apiVersion, fields] of byVersion) {
      const whole = this.#converted(merged, apiVersion);
      const part = this.#convertedFrom(pruned, last.apiVersion, apiVersion);
      if (whole === undefined || part === undefined) continue;
      const back = this.#addBack(whole.node, whole.object, part, withNamedFields(whole.node, fields));
      pruned = this.#convertedFrom(back, apiVersion, last.apiVersion) ?? pruned;
    }
    const all = withNamedFields(node, fieldSetOf(node, base.object));
    const left = withNamedFields(node, fieldSetOf(node, pruned));
    const result = removeFields(node, base.object, intersection(difference(all, left), lastFields));
    return this.#convertedFrom(result, last.apiVersion, this.#options.apiVersion) ?? merged;
  }

  /** `merged` without what is neither in `pruned` nor owned. */
  #addBack(node: StructureNode, merged: ObjectValue, pruned: ObjectValue, owned: FieldSet): ObjectValue {
    const all = withNamedFields(node, fieldSetOf(node, merged));
    const left = withNamedFields(node, fieldSetOf(node, pruned));
    return removeFields(node, merged, difference(all, union(left, owned)));
  }

  #convertedFrom(object: ObjectValue, from: string, to: string): ObjectValue | undefined {
    return from === to ? object : this.#options.convert?.(object, to)?.object;
  }
}
