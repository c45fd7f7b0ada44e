/**
 * `metadata.managedFields`: who owns which fields, by manager, operation, version and subresource.
 *
 * Decoded entries keep their stored sets as they are, so that a write which changes nothing costs nothing; entries that
 * a client sent are checked and put into canonical form first.
 */

import { deepFreeze } from '../freeze.ts';
import { jsonEqual } from '../json-equal.ts';
import { compareBytes } from '../quote.ts';
import { epochMs } from '../time.ts';
import { type FieldSet, isEmpty, readFieldSet, union } from './field-set.ts';

export type Operation = 'Apply' | 'Update';

/** `meta.v1.ManagedFieldsEntry` */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string | null;
  fieldsType?: string;
  fieldsV1?: unknown;
  subresource?: string;
}

/** The owner of a set of fields. */
export interface ManagerEntry {
  readonly manager: string;
  readonly operation: Operation;
  /** The version in which `fields` is expressed. */
  readonly apiVersion: string;
  readonly subresource: string;
  readonly fields: FieldSet;
  readonly time: string | undefined;
}

/** All owners by identity (`identityOf`). */
export type Managers = ReadonlyMap<string, ManagerEntry>;

/** More update managers than this are folded together, the oldest first. */
export const updateManagersMax = 10;
export const ancientChanges = 'ancient-changes';
/** Owns what an object had before anyone applied to it. */
export const beforeFirstApply = 'before-first-apply';
export const fieldManagerLengthMax = 128;

/**
 * What tells managers apart. An applier stays the same whatever version it uses; an updater is another one for each
 * version.
 */
export function identityOf(entry: Pick<ManagerEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const { manager, operation, apiVersion, subresource } = entry;
  const version = operation === 'Update' ? apiVersion : '';
  // With lengths, so that no manager can be named like another and its version.
  return `${operation} ${version.length} ${subresource.length} ${version}${subresource}${manager}`;
}

function decodeEntry(entry: ManagedFieldsEntry, trusted: boolean): ManagerEntry | undefined {
  const { manager = '', operation, apiVersion = '', subresource = '', fieldsType, fieldsV1, time } = entry;
  if (fieldsType !== 'FieldsV1') return undefined;
  const fields = trusted ? ((fieldsV1 ?? {}) as FieldSet) : readFieldSet(fieldsV1 ?? {});
  if (fields === undefined) return undefined;
  return {
    manager,
    operation: operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion,
    subresource,
    fields,
    time: time ?? undefined,
  };
}

/**
 * Reads entries; undefined where one of them is malformed. `trusted` entries come from the store and are taken as they
 * are.
 */
export function decodeManagedFields(
  entries: readonly ManagedFieldsEntry[] | undefined,
  trusted: boolean,
): Managers | undefined {
  const managers = new Map<string, ManagerEntry>();
  for (const entry of entries ?? []) {
    const decoded = decodeEntry(entry, trusted);
    if (decoded === undefined) return undefined;
    managers.set(identityOf(decoded), decoded);
  }
  return managers;
}

const secondsOf = (time: string | undefined): number => Math.floor((epochMs(time) ?? 0) / 1000);

/** Appliers before updaters, then by time, name, version, subresource. */
function compareEntries(a: ManagerEntry, b: ManagerEntry): number {
  return (
    compareBytes(a.operation, b.operation) ||
    secondsOf(a.time) - secondsOf(b.time) ||
    compareBytes(a.manager, b.manager) ||
    compareBytes(a.apiVersion, b.apiVersion) ||
    compareBytes(a.subresource, b.subresource)
  );
}

/** The entries to store; undefined where nobody owns anything. */
export function encodeManagedFields(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(compareEntries).map(encodeEntry);
}

function encodeEntry({ manager, operation, apiVersion, time, fields, subresource }: ManagerEntry): ManagedFieldsEntry {
  const entry: ManagedFieldsEntry = {};
  if (manager !== '') entry.manager = manager;
  entry.operation = operation;
  if (apiVersion !== '') entry.apiVersion = apiVersion;
  if (time !== undefined) entry.time = time;
  entry.fieldsType = 'FieldsV1';
  // Sets are never changed; frozen, they are not copied again with the object that they go into.
  entry.fieldsV1 = deepFreeze(fields);
  if (subresource !== '') entry.subresource = subresource;
  return entry;
}

/** Whether a client asked for all ownership to be forgotten: `[]` or `[{}]`. */
export function clearsManagedFields(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  if (entries.length === 0) return true;
  const [first] = entries as unknown[];
  return entries.length === 1 && typeof first === 'object' && first !== null && Object.keys(first).length === 0;
}

/** Whether two lists say the same but for their times. */
export function sameButForTimes(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  if (a === b) return true;
  if (a?.length !== b?.length) return false;
  return (a ?? []).every((entry, i) => {
    const { time: _left, ...left } = entry;
    const { time: _right, ...right } = (b ?? [])[i] as ManagedFieldsEntry;
    return jsonEqual(left, right);
  });
}

/**
 * Folds the oldest updaters of each version into `ancient-changes`, so that no more than `updateManagersMax` remain
 * (one for each version may stay).
 */
export function capManagers(managers: Managers, most: number = updateManagersMax): Managers {
  if (managers.size <= most) return managers;
  const updaters = [...managers].filter(([, entry]) => entry.operation === 'Update');
  let count = updaters.length;
  if (count <= most) return managers;
  updaters.sort(([a, x], [b, y]) => secondsOf(x.time) - secondsOf(y.time) || compareBytes(a, b));
  const result = new Map(managers);
  const firstOfVersion = new Map<string, string>();
  for (const [identity, entry] of updaters) {
    if (count <= most) break;
    const first = firstOfVersion.get(entry.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(entry.apiVersion, identity);
      continue;
    }
    const bucket = {
      manager: ancientChanges,
      operation: 'Update',
      apiVersion: entry.apiVersion,
      subresource: '',
    } as const;
    const bucketIdentity = identityOf(bucket);
    let gathered = result.get(bucketIdentity);
    if (gathered === undefined) {
      gathered = result.get(first) as ManagerEntry;
      result.delete(first);
    }
    result.delete(identity);
    result.set(bucketIdentity, { ...bucket, fields: union(entry.fields, gathered.fields), time: entry.time });
    count--;
  }
  return result;
}

/** Without owners of nothing. */
export function withoutEmpty(managers: Map<string, ManagerEntry>): Map<string, ManagerEntry> {
  for (const identity of managers.keys())
    if (isEmpty((managers.get(identity) as ManagerEntry).fields)) managers.delete(identity);
  return managers;
}

const printable = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;

/** The manager of a request: what it says, else the program's name from its User-Agent; `unknown` without either. */
export function managerOf(fieldManager: string | undefined, userAgent: string | undefined): string {
  if (fieldManager) return fieldManager;
  const encoder = new TextEncoder();
  let name = '';
  let bytes = 0;
  for (const char of (userAgent ?? '').split('/')[0] ?? '') {
    if (!printable.test(char)) continue;
    bytes += encoder.encode(char).length;
    if (bytes > fieldManagerLengthMax) break;
    name += char;
  }
  return name === '' ? 'unknown' : name;
}
