import { GrpcError } from '../../../../libs/grpc/channel.ts';
import { StoreError, type StoreErrorReason } from '../../store.ts';

/** What etcd says; gRPC's codes alone do not tell these apart. */
const COMPACTED = 'required revision has been compacted';
const FUTURE = 'required revision is a future revision';
const NO_LEASE = 'requested lease not found';

const says = (error: unknown, text: string): boolean => error instanceof GrpcError && error.message.includes(text);

export const isCompacted = (error: unknown): boolean => says(error, COMPACTED);
export const isFuture = (error: unknown): boolean => says(error, FUTURE);
export const isLeaseGone = (error: unknown): boolean => says(error, NO_LEASE);

/** Another member may do better. */
export function isMembersFault(error: unknown): boolean {
  return error instanceof GrpcError && (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED');
}

/**
 * etcd did not take the request, for a reason that may pass: asking again is safe for reads and writes. A proposal that
 * a leader has taken and lost is not among them: it may still be carried out.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof GrpcError)) return false;
  return error.unsent || says(error, 'etcdserver: no leader') || says(error, 'etcdserver: too many requests');
}

/** Answers of etcd after which a write has certainly not been done. */
const REJECTIONS: readonly (readonly [string, StoreErrorReason])[] = [
  ['database space exceeded', 'no space'],
  ['request is too large', 'too large'],
  ['message larger than max', 'too large'],
];

/** The error of a call, as the store's. `kind`: only a write can have an outcome that nobody knows. */
export function toStoreError(error: unknown, kind: 'read' | 'write'): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof GrpcError)) {
    const message = `etcd gave an answer that cannot be read: ${(error as Error).message}`;
    return new StoreError('corrupt', message, { outcome: kind === 'write' ? 'maybe' : 'no', cause: error });
  }
  const rejected = REJECTIONS.find(([text]) => error.message.includes(text));
  if (rejected) return new StoreError(rejected[1], `etcd: ${error.message}`, { cause: error });
  const uncertain = !isRefusal(error) && UNCERTAIN.has(error.code);
  const reason = error.code === 'DEADLINE_EXCEEDED' ? 'timeout' : error.code === 'CANCELLED' ? 'closed' : 'unavailable';
  const outcome = kind === 'write' && uncertain ? 'maybe' : 'no';
  return new StoreError(reason, `etcd: ${error.message}`, { outcome, cause: error });
}

const UNCERTAIN: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'UNKNOWN',
  'INTERNAL',
  'ABORTED',
  'DATA_LOSS',
]);
