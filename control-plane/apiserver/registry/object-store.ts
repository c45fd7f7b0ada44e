import { assert } from '../../../libs/base/assert.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { settle, stringify } from '../../../libs/machinery/codec/json.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import {
  type Draft,
  draftBytes,
  type Entry,
  joinDraft,
  type Revision,
  type Store,
  WholeDraft,
  type WriteResult,
} from '../../store/store.ts';
import type { Draft as ObjectDraft } from './metadata.ts';

const encoder = new TextEncoder();
const MARK = '"resourceVersion":"';

/**
 * An object on its way into the store: its canonical copy, and its text in the two pieces between which the revision
 * goes. The copy keeps nothing of what the caller handed in, and becomes the companion of the stored entry.
 */
export interface PreparedObject {
  readonly canonical: ObjectDraft;
  readonly draft: Draft;
}

/**
 * Makes the canonical copy and the text of an object of the storage version. `before`: the stored object that it replaces,
 * canonical and frozen; parts of it that the new object still has are taken as they are. `latest`: a revision like the one
 * that it will get.
 */
export function prepareObject(
  kind: Kind,
  schema: SchemaSet,
  object: ApiObject,
  latest: Revision,
  before?: DeepReadonly<ApiObject>,
): PreparedObject {
  const room = String(latest).length;
  const metadata = { ...object.metadata, resourceVersion: '0'.repeat(room) };
  const canonical = settle<ObjectDraft>(schema, kind.storageVersion.type, { ...object, metadata }, before);
  const text = textOf(canonical, before);
  // The first occurrence is the object's own: kind, apiVersion and the metadata before it are escaped JSON strings, in
  // which a bare quotation mark cannot stand.
  const at = text.indexOf(MARK) + MARK.length;
  assert(at >= MARK.length && text[at] === '0', `the text of a ${kind.kind} has no place for its revision`);
  const bytes = encoder.encode(text);
  // In text of one byte a letter its places are those of the bytes.
  const start = bytes.length === text.length ? at : encoder.encode(text.slice(0, at)).length;
  const draft = new WholeDraft(bytes, start, room, (revision) => {
    canonical.metadata.resourceVersion = String(revision);
    return deepFreeze(canonical);
  });
  return { canonical, draft };
}

/**
 * The text of a canonical object. Parts that it shares with the one before are frozen, and a frozen list makes
 * `JSON.stringify` give up its quick way and begin anew: such parts are written by themselves, and the rest quickly.
 */
function textOf(canonical: ApiObject, before: DeepReadonly<ApiObject> | undefined): string {
  const parts = canonical as unknown as Parts;
  if (!before) return stringify(canonical);
  let text = '';
  for (const name in parts) text += `${text === '' ? '{' : ','}${stringify(name)}:${stringify(parts[name])}`;
  return `${text}}`;
}

type Parts = Readonly<Record<string, unknown>>;

/** True when writing `prepared` over what is stored at `revision` as `bytes` would change nothing but the revision. */
export function isUnchanged({ draft }: PreparedObject, revision: number, bytes: Uint8Array): boolean {
  const digits = String(revision).length;
  if (draftBytes(draft) + digits !== bytes.length) return false;
  const { head, tail } = draft;
  return isAt(bytes, head.length + digits, tail) && isAt(bytes, 0, head);
}

/** From behind: what changes most often, the status, stands last. */
function isAt(bytes: Uint8Array, at: number, part: Uint8Array): boolean {
  for (let i = part.length - 1; i >= 0; i--) if (bytes[at + i] !== part[i]) return false;
  return true;
}

/** What a dry run answers with: the entry that would have been made; it keeps the revision of the one it would replace. */
export function pretendedEntry(
  prepared: PreparedObject,
  key: string,
  old?: { revision: number; createRevision: number },
): Entry {
  const { canonical } = prepared;
  if (old === undefined) delete canonical.metadata.resourceVersion;
  else canonical.metadata.resourceVersion = String(old.revision);
  return {
    key,
    value: old === undefined ? encoder.encode(stringify(canonical)) : joinDraft(prepared.draft, old.revision),
    createRevision: old?.createRevision ?? 0,
    revision: old?.revision ?? 0,
    companion: deepFreeze(canonical),
  };
}

/** Writes and answers with what was met; every failure of the store itself is thrown as it is. */
export function putObject(
  store: Store,
  key: string,
  prepared: PreparedObject,
  expect: 'absent' | number,
  expireAfterSeconds?: number,
): Promise<WriteResult> {
  return store.write({ key, value: prepared.draft, expect, ...(expireAfterSeconds ? { expireAfterSeconds } : {}) });
}
