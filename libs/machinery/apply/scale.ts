/**
 * Ownership of `replicas` across the scale subresource: a Scale is written in another version than the object it stands
 * for, under another path, and yet it is one field with one set of owners.
 */
import { difference, type FieldSet, hasPath, isEmpty, setOf } from './field-set.ts';
import {
  decodeManagedFields,
  encodeManagedFields,
  type ManagedFieldsEntry,
  type ManagerEntry,
} from './managed-fields.ts';

const scaleVersion = 'autoscaling/v1';
const replicasOfScale = ['f:spec', 'f:replicas'];

export interface ScaleOwnershipOptions {
  /** The version of the object under whose path the Scale is served. */
  readonly apiVersion: string;
  /** Dotted path of the replicas by version of the object (`{ 'apps/v1': 'spec.replicas' }`); undefined: it has none. */
  readonly paths: Readonly<Record<string, string | undefined>>;
}

const elements = (path: string | undefined): string[] | undefined => path?.split('.').map((name) => `f:${name}`);

const pathIn = (
  options: ScaleOwnershipOptions,
  apiVersion: string,
): { known: boolean; path: string[] | undefined } => ({
  known: Object.hasOwn(options.paths, apiVersion),
  path: elements(Object.hasOwn(options.paths, apiVersion) ? options.paths[apiVersion] : undefined),
});

/** The managedFields that the Scale shows: the owners of replicas. */
export function scaleManagedFields(
  parent: readonly ManagedFieldsEntry[] | undefined,
  options: ScaleOwnershipOptions,
): ManagedFieldsEntry[] | undefined {
  const found = new Map<string, ManagerEntry>();
  for (const [identity, entry] of decodeManagedFields(parent, true) ?? []) {
    const { path } = pathIn(options, entry.apiVersion);
    if (path === undefined || !hasPath(entry.fields, path)) continue;
    found.set(identity, { ...entry, apiVersion: scaleVersion, fields: setOf(replicasOfScale) });
  }
  return encodeManagedFields(found);
}

/**
 * The object's managedFields after the Scale's owners have become `scale`: who no longer owns replicas there loses them
 * here, who newly owns them gets an entry in the object's version.
 */
export function parentManagedFields(
  parent: readonly ManagedFieldsEntry[] | undefined,
  scale: readonly ManagedFieldsEntry[] | undefined,
  options: ScaleOwnershipOptions,
): ManagedFieldsEntry[] | undefined {
  const result = new Map<string, ManagerEntry>();
  const owners = new Map<string, ManagerEntry>();
  // A Scale's entries carry the Scale's version, so owners are matched without it.
  for (const entry of (decodeManagedFields(scale, true) ?? new Map<string, ManagerEntry>()).values()) {
    if (hasPath(entry.fields, replicasOfScale)) owners.set(ownerKey(entry), entry);
  }
  for (const [identity, entry] of decodeManagedFields(parent, true) ?? []) {
    const { known, path } = pathIn(options, entry.apiVersion);
    if (!known) continue;
    if (path === undefined || !hasPath(entry.fields, path)) {
      result.set(identity, entry);
    } else if (owners.delete(ownerKey(entry))) {
      result.set(identity, entry);
    } else {
      const fields: FieldSet = difference(entry.fields, setOf(path));
      if (!isEmpty(fields)) result.set(identity, { ...entry, fields });
    }
  }
  const { path } = pathIn(options, options.apiVersion);
  if (path !== undefined) {
    for (const entry of owners.values()) {
      const moved = { ...entry, time: undefined, apiVersion: options.apiVersion, fields: setOf(path) };
      result.set(`scale ${ownerKey(moved)}`, moved);
    }
  }
  return encodeManagedFields(result);
}

const ownerKey = ({ manager, operation, subresource }: ManagerEntry): string =>
  JSON.stringify([manager, operation, subresource]);
