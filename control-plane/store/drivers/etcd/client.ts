import { backoffMs } from '../../../../libs/base/backoff.ts';
import type { Clock } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import type { GrpcChannel } from '../../../../libs/grpc/channel.ts';
import { StoreError } from '../../store.ts';
import { isMembersFault, isRefusal, toStoreError } from './errors.ts';
import { etcdSchema, type RangeRequest, type RangeResponse, type TxnRequest, type TxnResponse } from './proto.ts';

export interface EtcdClientOptions {
  /** One for each member that is known. */
  readonly channels: readonly GrpcChannel[];
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call may take, all attempts together. Default 10,000. */
  readonly requestTimeoutMs?: number;
}

const RETRY = { firstMs: 20, maxMs: 1000, jitter: 0.3 };

/**
 * Typed calls to an etcd of several members. One member is asked until it fails; then the next one. A read is repeated
 * until the time is up; a write only where etcd certainly did not take it. What fails rejects with `StoreError`, but for
 * answers about revisions, which are left to the caller.
 */
export class EtcdClient {
  readonly #options: EtcdClientOptions;
  readonly #requestTimeoutMs: number;
  readonly #closing = new AbortController();
  #member = 0;

  constructor(options: EtcdClientOptions) {
    this.#options = options;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
  }

  /** The member that is asked now. */
  get channel(): GrpcChannel {
    return this.#options.channels[this.#member] as GrpcChannel;
  }

  /** From now on another member is asked, unless that has happened since. */
  turnFrom(channel: GrpcChannel): void {
    if (this.channel === channel) this.#member = (this.#member + 1) % this.#options.channels.length;
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.#call('read', 'KV/Range', 'RangeRequest', request, 'RangeResponse');
  }

  txn(request: TxnRequest): Promise<TxnResponse> {
    return this.#call('write', 'KV/Txn', 'TxnRequest', request, 'TxnResponse');
  }

  compact(revision: number): Promise<object> {
    return this.#call('read', 'KV/Compact', 'CompactionRequest', { revision }, 'CompactionResponse');
  }

  async leaseGrant(seconds: number): Promise<bigint> {
    type Answer = { readonly id: bigint; readonly error: string };
    // A lease that nobody holds on to ends by itself, so asking twice does no harm.
    const request = { ttl: seconds };
    const answer = await this.#call<Answer>(
      'read',
      'Lease/LeaseGrant',
      'LeaseGrantRequest',
      request,
      'LeaseGrantResponse',
    );
    if (answer.error !== '') throw new StoreError('unavailable', `etcd gives no lease: ${answer.error}`);
    return answer.id;
  }

  leaseRevoke(id: bigint): Promise<object> {
    return this.#call('write', 'Lease/LeaseRevoke', 'LeaseRevokeRequest', { id }, 'LeaseRevokeResponse');
  }

  status(): Promise<{ readonly version: string; readonly dbSize: number; readonly dbSizeInUse: number }> {
    return this.#call('read', 'Maintenance/Status', 'StatusRequest', {}, 'StatusResponse');
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#options.channels.map((channel) => channel.close()));
  }

  async #call<A>(
    kind: 'read' | 'write',
    method: string,
    requestName: string,
    request: object,
    answerName: string,
  ): Promise<A> {
    const { clock, channels, random } = this.#options;
    const { signal } = this.#closing;
    const encoded = etcdSchema.encode(requestName, request);
    const deadline = clock.monotonic() + this.#requestTimeoutMs;
    // A member that has stopped answering must not take all the time that there is.
    const attemptMs = kind === 'read' && channels.length > 1 ? this.#requestTimeoutMs / 4 : this.#requestTimeoutMs;
    for (let failures = 0; ; failures++) {
      const { channel } = this;
      const timeoutMs = Math.min(attemptMs, Math.max(1, deadline - clock.monotonic()));
      try {
        using _hold = clock.hold(`etcd ${method}`);
        const answer = await channel.unary(`/etcdserverpb.${method}`, encoded, { timeoutMs, signal });
        return etcdSchema.decode(answerName, answer) as A;
      } catch (error) {
        if (signal.aborted)
          throw new StoreError('closed', 'the store was closed', { outcome: kind === 'write' ? 'maybe' : 'no' });
        const again = isRefusal(error) || (kind === 'read' && isMembersFault(error));
        if (isMembersFault(error)) this.turnFrom(channel);
        const waitMs = backoffMs({ ...RETRY, random }, failures);
        if (!again || clock.monotonic() + waitMs >= deadline) throw withCause(error, kind);
        await clock.sleep(waitMs, signal).catch(() => undefined);
      }
    }
  }
}

/** Errors about revisions stay what they are: `errors.ts` knows them by their text. */
function withCause(error: unknown, kind: 'read' | 'write'): unknown {
  const { code } = error as { code?: unknown };
  return code === 'OUT_OF_RANGE' || code === 'NOT_FOUND' ? error : toStoreError(error, kind);
}
