import { assert } from '../../../../libs/base/assert.ts';
import type { Clock } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import type { GrpcChannel } from '../../../../libs/grpc/channel.ts';
import { prefixEnd } from '../../keys.ts';
import {
  CompactedError,
  draftBytes,
  type Entry,
  FutureRevisionError,
  type ListOptions,
  type ListResult,
  type Revision,
  type Store,
  StoreError,
  type Watch,
  type WatchHandler,
  type Write,
  type WriteResult,
} from '../../store.ts';
import { EtcdClient } from './client.ts';
import { isCompacted, isFuture, toStoreError } from './errors.ts';
import type { KeyValue, RangeRequest, RangeResponse, TxnRequest, TxnResponse } from './proto.ts';
import { encodeDraft, toEntry } from './values.ts';
import { EtcdWatches } from './watches.ts';

export interface EtcdStoreOptions {
  /** One for each member. Closed with the store. */
  readonly channels: readonly GrpcChannel[];
  readonly clock: Clock;
  readonly random: Random;
  /** Stands before every key, so that several clusters can share an etcd. Default: nothing. */
  readonly keyPrefix?: string;
  /** How long a call may take, all attempts together. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** How long the stream of events may be silent when something was asked, before another member is tried. Default 5,000. */
  readonly silenceMs?: number;
  /** Bytes of one value. Default 1.5 MiB, what etcd takes unless it was told otherwise. */
  readonly valueBytesMax?: number;
  /** Writes that may be under way; more are refused as `unavailable`. Default 16,384. */
  readonly pendingWritesMax?: number;
}

/** Bumped when what is stored changes so that older versions cannot read it. */
const FORMAT = 1;
const FORMAT_KEY = 'tutti/format';
const VERSION_MIN = [3, 5];

/** How much a page of a long list should hold. */
const PAGE_BYTES = 4 * 1024 * 1024;
const FIRST_PAGE_KEYS = 200;
const PAGE_KEYS_MAX = 5_000;

/**
 * The distributed store: an etcd of version 3.5 or newer, which any number of servers share. Revisions are etcd's own.
 * Preconditions are compared by etcd, in its one order of all writes, so nothing is pending here; reads are linearized.
 * All keys begin with `/`; `tutti/format` holds the format and the cluster's id.
 *
 *     const store = await EtcdStore.open({ channels: dialEtcd(endpoints, { clock, tls }), clock, random });
 */
export class EtcdStore implements Store {
  readonly driver = 'etcd';
  readonly growsUntilCompacted = true;
  readonly clusterId: string;
  readonly #client: EtcdClient;
  readonly #watches: EtcdWatches;
  readonly #keyPrefix: string;
  readonly #valueBytesMax: number;
  readonly #pendingWritesMax: number;
  readonly #pending = new Set<Promise<unknown>>();
  /** History is known to begin no earlier. */
  #compactedAtLeast: Revision = 1;
  #closing: Promise<void> | undefined;

  private constructor(client: EtcdClient, clusterId: string, options: EtcdStoreOptions) {
    const { clock, random, keyPrefix = '', silenceMs = 5_000 } = options;
    this.clusterId = clusterId;
    this.#client = client;
    this.#keyPrefix = keyPrefix;
    this.#valueBytesMax = options.valueBytesMax ?? 1536 * 1024;
    this.#pendingWritesMax = options.pendingWritesMax ?? 16_384;
    this.#watches = new EtcdWatches({ client, clock, random, keyPrefix, silenceMs });
  }

  /** Throws `StoreError`: `unavailable` when no member answers, `wrong format` for an etcd or data that do not fit. */
  static async open(options: EtcdStoreOptions): Promise<EtcdStore> {
    const client = new EtcdClient(options);
    try {
      const { version } = await client.status();
      if (isOlder(version)) {
        throw new StoreError(
          'wrong format',
          `etcd is of version ${version}; ${VERSION_MIN.join('.')} or newer is needed`,
        );
      }
      const { clusterId } = await claim(client, `${options.keyPrefix ?? ''}${FORMAT_KEY}`, options.random);
      return new EtcdStore(client, clusterId, options);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  async currentRevision(): Promise<Revision> {
    this.#mustBeOpen();
    const { header } = await this.#range({ key: this.#keyPrefix + FORMAT_KEY, countOnly: true });
    this.#watches.reach(header.revision);
    return header.revision;
  }

  async compactedRevision(): Promise<Revision> {
    this.#mustBeOpen();
    return this.#findCompacted();
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#mustBeOpen();
    const { kvs } = await this.#range({ key: this.#key(key) });
    return kvs[0] && this.#entry(kvs[0]);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#mustBeOpen();
    // To etcd, 0 means the present.
    if (options.revision !== undefined && options.revision < 1) throw await this.#compacted(options.revision);
    const first = this.#key(prefix);
    const after = options.after === undefined ? '' : `${this.#key(options.after)}\0`;
    const rangeEnd = prefixEnd(first) ?? '\0';
    const limit = options.limit || Number.POSITIVE_INFINITY;
    let { revision } = options;
    let pageKeys = FIRST_PAGE_KEYS;
    let key = isBefore(first, after) ? after : first;
    const entries: Entry[] = [];
    for (;;) {
      const page = await this.#range({ key, rangeEnd, limit: Math.min(pageKeys, limit - entries.length), revision });
      revision ??= page.header.revision;
      let bytes = 0;
      for (const kv of page.kvs) {
        entries.push(this.#entry(kv));
        bytes += kv.value.length;
      }
      const last = page.kvs.at(-1);
      const remaining = page.count - page.kvs.length;
      if (!last || remaining === 0 || entries.length >= limit) {
        return { entries, revision, more: remaining > 0, remaining: Math.max(0, remaining) };
      }
      key = `${last.key}\0`;
      pageKeys = Math.max(1, Math.min(PAGE_KEYS_MAX, Math.floor((PAGE_BYTES * page.kvs.length) / Math.max(1, bytes))));
    }
  }

  write(write: Write): Promise<WriteResult> {
    const done = this.#write(write);
    this.#pending.add(done);
    const forget = () => void this.#pending.delete(done);
    done.then(forget, forget);
    return done;
  }

  async watch(prefix: string, after: Revision, handler: WatchHandler): Promise<Watch> {
    this.#mustBeOpen();
    if (after < 1) throw await this.#compacted(after);
    // etcd would say later that history does not reach back so far, and here it is to be said at once.
    const range = { key: this.#keyPrefix + FORMAT_KEY, countOnly: true };
    let current = after;
    try {
      current = (await this.#client.range({ ...range, revision: after })).header.revision;
    } catch (error) {
      if (!isFuture(error)) throw await this.#explain(error, after);
      // etcd tells a watch that begins in the future of nothing before it.
    }
    this.#mustBeOpen();
    return this.#watches.add(prefix, after, current, handler);
  }

  async compact(revision: Revision): Promise<void> {
    this.#mustBeOpen();
    try {
      await this.#client.compact(revision);
    } catch (error) {
      if (isCompacted(error)) return;
      throw await this.#explain(error, revision);
    }
    this.#compactedAtLeast = Math.max(this.#compactedAtLeast, revision);
  }

  async size(): Promise<{ totalBytes: number; usedBytes: number; keys: number }> {
    this.#mustBeOpen();
    const key = `${this.#keyPrefix}/`;
    const [status, { count }] = await Promise.all([
      this.#client.status(),
      this.#range({ key, rangeEnd: prefixEnd(key), countOnly: true }),
    ]);
    return { totalBytes: status.dbSize, usedBytes: status.dbSizeInUse, keys: count };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#watches.close();
    await this.#client.close();
  }

  async #write(write: Write): Promise<WriteResult> {
    this.#mustBeOpen();
    const { expect, value, expireAfterSeconds } = write;
    const key = this.#key(write.key);
    if (this.#pending.size >= this.#pendingWritesMax) {
      throw new StoreError('unavailable', `${this.#pending.size} writes are under way already`);
    }
    const bytes = value ? draftBytes(value) : 0;
    if (bytes > this.#valueBytesMax) {
      throw new StoreError('too large', `${bytes} bytes are more than the ${this.#valueBytesMax} that the store takes`);
    }
    // One lease for each key: those that share one would be deleted at one revision, and a watch that goes on from
    // there would miss some.
    const lease =
      value && expireAfterSeconds !== undefined
        ? await this.#client.leaseGrant(Math.max(1, Math.ceil(expireAfterSeconds)))
        : undefined;
    const compare =
      expect === 'any' ? [] : [{ target: 'MOD', key, modRevision: expect === 'absent' ? 0 : expect } as const];
    const request: TxnRequest = {
      compare,
      success: value
        ? [{ requestPut: { key, value: encodeDraft(value), lease, prevKv: true } }]
        : [{ requestDeleteRange: { key, prevKv: true } }],
      failure: [{ requestRange: { key } }],
    };
    let answer: TxnResponse | undefined;
    try {
      answer = await this.#client.txn(request);
    } catch (error) {
      throw toStoreError(error, 'write');
    } finally {
      // A lease that nothing hangs on ends by itself; this spares etcd the wait.
      if (lease !== undefined && answer?.succeeded === false) this.#client.leaseRevoke(lease).catch(() => undefined);
    }
    const result = this.#result(write, answer);
    if (result.ok && (result.entry || result.previous)) await this.#watches.told(write.key, result.revision);
    return result;
  }

  #result(write: Write, { header, succeeded, responses }: TxnResponse): WriteResult {
    const [response] = responses;
    if (!succeeded) {
      const met = response?.responseRange?.kvs[0];
      return { ok: false, actual: met && this.#entry(met) };
    }
    const { revision } = header;
    const before = response?.responsePut?.prevKv ?? response?.responseDeleteRange?.prevKvs[0];
    const previous = before && this.#entry(before);
    const { value } = write;
    if (!value) return { ok: true, revision, entry: undefined, previous };
    const kv: KeyValue = {
      key: this.#keyPrefix + write.key,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      value: encodeDraft(value),
    };
    return { ok: true, revision, entry: { ...this.#entry(kv), companion: value.companion?.(revision) }, previous };
  }

  async #range(request: RangeRequest): Promise<RangeResponse> {
    try {
      return await this.#client.range(request);
    } catch (error) {
      throw await this.#explain(error, request.revision ?? 0);
    }
  }

  /** Answers about revisions as the contract names them. */
  async #explain(error: unknown, requested: Revision): Promise<Error> {
    if (isCompacted(error)) return this.#compacted(requested);
    if (isFuture(error)) return new FutureRevisionError(requested, await this.currentRevision());
    return toStoreError(error, 'read');
  }

  async #compacted(requested: Revision): Promise<CompactedError> {
    return new CompactedError(requested, await this.#findCompacted());
  }

  /** etcd does not say up to where it is compacted, but for each revision whether it is: found by halving. */
  async #findCompacted(): Promise<Revision> {
    const isThere = async (revision: Revision) => {
      try {
        await this.#client.range({ key: this.#keyPrefix + FORMAT_KEY, countOnly: true, revision });
        return true;
      } catch (error) {
        if (isCompacted(error)) return false;
        throw toStoreError(error, 'read');
      }
    };
    let low = this.#compactedAtLeast;
    if (await isThere(low)) return low;
    let high = await this.currentRevision();
    while (low + 1 < high) {
      const middle = Math.floor((low + high) / 2);
      if (await isThere(middle)) high = middle;
      else low = middle;
    }
    this.#compactedAtLeast = Math.max(this.#compactedAtLeast, high);
    return high;
  }

  #entry(kv: KeyValue): Entry {
    return toEntry(kv, this.#keyPrefix.length);
  }

  #key(key: string): string {
    assert(key.startsWith('/'), `a key begins with /, not ${JSON.stringify(key)}`);
    return this.#keyPrefix + key;
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new StoreError('closed', 'the store is closed');
  }
}

/** Takes the etcd for this format, or finds for which it was taken. */
async function claim(client: EtcdClient, key: string, random: Random): Promise<{ clusterId: string }> {
  const mine = { format: FORMAT, clusterId: random.uuid() };
  const { responses } = await client.txn({
    compare: [{ target: 'MOD', key, modRevision: 0 }],
    success: [{ requestPut: { key, value: new TextEncoder().encode(JSON.stringify(mine)), prevKv: false } }],
    failure: [{ requestRange: { key } }],
  });
  const found = responses[0]?.responseRange?.kvs[0];
  if (!found) return mine;
  const theirs = JSON.parse(new TextDecoder().decode(found.value)) as typeof mine;
  if (theirs.format > FORMAT) {
    throw new StoreError(
      'wrong format',
      `the data in etcd were written by a newer version: they have format ${theirs.format}, this version knows ${FORMAT}`,
    );
  }
  return theirs;
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = VERSION_MIN as [number, number];
  return major < majorMin || (major === majorMin && minor < minorMin);
}

/** In the order of keys; both begin alike or one of them is empty. */
const isBefore = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
