import { type Draft, type Entry, joinDraft, type Revision, StoreError } from '../../store.ts';
import type { KeyValue } from './proto.ts';

/**
 * etcd gives a write its revision, so what is stored cannot hold it: the length of `head` (4 bytes, big-endian), `head`,
 * `tail`. Reading puts the revision in between.
 */
export function encodeDraft({ head, tail }: Draft): Uint8Array {
  const stored = new Uint8Array(4 + head.length + tail.length);
  new DataView(stored.buffer).setUint32(0, head.length);
  stored.set(head, 4);
  stored.set(tail, 4 + head.length);
  return stored;
}

/** Throws `StoreError` `corrupt` for a value that `encodeDraft` did not make. */
export function decodeValue(key: string, stored: Uint8Array, revision: Revision): Uint8Array {
  const headLength = stored.length >= 4 ? new DataView(stored.buffer, stored.byteOffset).getUint32(0) : Infinity;
  if (4 + headLength > stored.length)
    throw new StoreError('corrupt', `the value of ${key} in etcd was not written by Tutti`);
  return joinDraft({ head: stored.subarray(4, 4 + headLength), tail: stored.subarray(4 + headLength) }, revision);
}

/** `prefixLength` letters of etcd's key are not the store's. */
export function toEntry(kv: KeyValue, prefixLength: number): Entry {
  const key = kv.key.slice(prefixLength);
  const { createRevision, modRevision: revision } = kv;
  return { key, value: decodeValue(key, kv.value, revision), createRevision, revision };
}
