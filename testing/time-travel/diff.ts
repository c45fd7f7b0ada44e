import type { Entry, Revision, Store, StoreEvent } from '../../control-plane/store/store.ts';
import { entriesAt, momentOf, type Past, type When } from './past.ts';

export interface FieldChange {
  /** `spec.replicas`, `metadata.labels["app.kubernetes.io/name"]`, `spec.containers[0].image` */
  readonly path: string;
  /** Absent: there was none. */
  readonly before?: unknown;
  /** Absent: there is none any more. */
  readonly after?: unknown;
}

/** What became of one object between two moments. */
export interface ObjectDiff {
  readonly change: 'created' | 'changed' | 'deleted';
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for what belongs to no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Which fields; empty for what was created or deleted. */
  readonly fields: readonly FieldChange[];
  /** The object before and after. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The differences of two moments, by object; `String(diff)` is for people. */
export interface ClusterDiff {
  readonly objects: readonly ObjectDiff[];
  toString(): string;
}

/** Fields that change with every write and say nothing that other fields do not. */
const NOISE: ReadonlySet<string> = new Set(['metadata.resourceVersion', 'metadata.managedFields']);

/**
 * What changed between two moments of a past: only keys that were written in between are looked at. Objects whose
 * differences are bookkeeping alone (`resourceVersion`, `managedFields`) are left out.
 */
export function diffOf(past: Past, from: When, to: When): ClusterDiff {
  const [a, b] = [momentOf(past, from).revision, momentOf(past, to).revision];
  const [first, last] = [Math.min(a, b), Math.max(a, b)];
  const [before, after] = [entriesAt(past, a), entriesAt(past, b)];
  const keys = new Set<string>();
  for (const { event } of past.writes) if (event.revision > first && event.revision <= last) keys.add(event.key);
  return diffOfKeys(keys, (key) => [before.get(key), after.get(key)]);
}

/** The same from what a store still knows. Throws `CompactedError`, and what else ends a watch. */
export async function diffOfStore(store: Store, from: Revision, to: Revision): Promise<ClusterDiff> {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  const changed = new Map<string, readonly [before: Entry | undefined, after: Entry | undefined]>();
  const note = ({ key, entry, previous }: StoreEvent) => {
    const known = changed.get(key);
    changed.set(key, [known ? known[0] : previous, entry]);
  };
  const told = Promise.withResolvers<void>();
  const watch = await store.watch('/registry/', first, {
    events(batch) {
      for (const event of batch) if (event.revision <= last) note(event);
    },
    progress(revision) {
      if (revision >= last) told.resolve();
    },
    ended: (reason) => (reason ? told.reject(reason) : told.resolve()),
  });
  // A watch that begins at its end may have nothing to tell.
  if (first === last) told.resolve();
  await told.promise.finally(() => watch.close());
  return diffOfKeys(changed.keys(), (key) => {
    const [before, after] = changed.get(key) ?? [undefined, undefined];
    return from <= to ? [before, after] : [after, before];
  });
}

function diffOfKeys(
  keys: Iterable<string>,
  entriesOf: (key: string) => readonly [before: Entry | undefined, after: Entry | undefined],
): ClusterDiff {
  const objects: ObjectDiff[] = [];
  for (const key of [...keys].sort()) {
    const [before, after] = entriesOf(key);
    const diff = objectDiff(objectOf(before), objectOf(after));
    if (diff) objects.push(diff);
  }
  return { objects, toString: () => tellDiff(objects) };
}

/** For people: a line for each object, and one for each of its fields that changed. */
export const tellDiff = (objects: readonly ObjectDiff[]): string => objects.map(told).join('');

interface Stored {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly uid?: string };
}

function objectDiff(before: Stored | undefined, after: Stored | undefined): ObjectDiff | undefined {
  const named = after ?? before;
  if (!named) return undefined;
  const fields = before && after ? fieldsOf(before, after, '') : [];
  if (before && after && fields.length === 0) return undefined;
  return {
    change: before && after ? 'changed' : after ? 'created' : 'deleted',
    apiVersion: named.apiVersion ?? '',
    kind: named.kind ?? '',
    namespace: named.metadata?.namespace ?? '',
    name: named.metadata?.name ?? '',
    fields,
    ...(before ? { before } : {}),
    ...(after ? { after } : {}),
  };
}

const decoder = () => new TextDecoder();
const objectOf = (entry: Entry | undefined): Stored | undefined =>
  entry && (JSON.parse(decoder().decode(entry.value)) as Stored);

function fieldsOf(before: unknown, after: unknown, path: string): FieldChange[] {
  if (NOISE.has(path) || Object.is(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, at) => fieldsOf(before[at], after[at], `${path}[${at}]`)).flat();
  }
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names.flatMap((name) => fieldsOf(memberOf(before, name), memberOf(after, name), pathTo(path, name)));
  }
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const memberOf = (record: Record<string, unknown>, name: string) =>
  Object.hasOwn(record, name) ? record[name] : undefined;
const pathTo = (path: string, name: string) =>
  /^[A-Za-z_][\w-]*$/.test(name) ? (path === '' ? name : `${path}.${name}`) : `${path}[${JSON.stringify(name)}]`;

const SIGNS = { created: '+', changed: '~', deleted: '-' } as const;

function told({ change, kind, namespace, name, fields }: ObjectDiff): string {
  const where = namespace === '' ? name : `${namespace}/${name}`;
  const lines = fields.map((field) => `    ${field.path}: ${shown(field, 'before')} → ${shown(field, 'after')}\n`);
  return `${SIGNS[change]} ${kind} ${where}\n${lines.join('')}`;
}

/** Longer values are cut off in texts for people. */
const SHOWN_MAX = 160;

function shown(field: FieldChange, side: 'before' | 'after'): string {
  if (!Object.hasOwn(field, side)) return '(none)';
  const text = JSON.stringify(field[side]) ?? '';
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)`;
}
