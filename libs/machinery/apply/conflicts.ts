/** Conflicts of server-side apply: fields that the applier would change and another manager owns. */
import * as errors from '../errors.ts';
import { compareBytes, quote } from '../quote.ts';
import { difference, emptySet, type FieldSet, intersection, isEmpty, pathsOf, pathText, union } from './field-set.ts';
import type { ManagerEntry } from './managed-fields.ts';

/** The fields in conflict, by whom they belong to. */
export interface Conflict {
  readonly owner: ManagerEntry;
  readonly fields: FieldSet;
}

/** Thrown inside apply; the API's error is made of it by `conflictError`. */
export class ConflictsError extends Error {
  override readonly name = 'ConflictsError';
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super('apply conflicts with other managers');
    this.conflicts = conflicts;
  }
}

/** All fields in conflict. */
export function conflictFields(conflicts: readonly Conflict[]): FieldSet {
  return conflicts.reduce((all, { fields }) => union(all, fields), emptySet);
}

/** The conflicts that remain where those of `allowed` do not count. */
export function conflictsWithout(conflicts: readonly Conflict[], allowed: FieldSet): Conflict[] {
  return conflicts
    .map(({ owner, fields }) => ({ owner, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
}

/** What an owner and a change have in common; undefined where nothing. */
export function conflictOf(owner: ManagerEntry, changed: FieldSet): Conflict | undefined {
  const fields = intersection(owner.fields, changed);
  return isEmpty(fields) ? undefined : { owner, fields };
}

function ownerText({ manager, operation, apiVersion, subresource }: ManagerEntry): string {
  const name = quote(manager) + (subresource === '' ? '' : ` with subresource ${quote(subresource)}`);
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}

/** 409 that names every field and its owner, with a cause for each. */
export function conflictError(conflicts: readonly Conflict[]): errors.ApiError {
  const sorted = conflicts
    .map(({ owner, fields }) => ({ owner: ownerText(owner), paths: pathsOf(fields).map(pathText) }))
    .sort((a, b) => compareBytes(a.owner, b.owner));
  const causes = sorted.flatMap(({ owner, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${owner}`, field })),
  );
  if (causes.length === 1) {
    return errors.applyConflict(`Apply failed with 1 conflict: ${causes[0]?.message}: ${causes[0]?.field}`, causes);
  }
  const lines = sorted.flatMap(({ owner, paths }) => [`conflicts with ${owner}:`, ...paths.map((path) => `- ${path}`)]);
  return errors.applyConflict(`Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`, causes);
}
