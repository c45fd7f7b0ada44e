import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GrpcCode, GrpcError } from '../../../../libs/grpc/channel.ts';
import { StoreError } from '../../store.ts';
import { isCompacted, isFuture, isMembersFault, isRefusal, toStoreError } from './errors.ts';

interface Row {
  readonly code: GrpcCode;
  readonly says: string;
  readonly unsent?: boolean;
  /** The reason and the outcome of a write. */
  readonly is: string;
  /** A write may be asked again. */
  readonly again: boolean;
}

const ROWS: readonly Row[] = [
  { code: 'UNAVAILABLE', says: 'connect ECONNREFUSED', unsent: true, is: 'unavailable no', again: true },
  { code: 'UNAVAILABLE', says: 'the connection failed: read ECONNRESET', is: 'unavailable maybe', again: false },
  { code: 'UNAVAILABLE', says: 'etcdserver: no leader', is: 'unavailable no', again: true },
  { code: 'UNAVAILABLE', says: 'etcdserver: leader changed', is: 'unavailable maybe', again: false },
  { code: 'UNAVAILABLE', says: 'etcdserver: request timed out', is: 'unavailable maybe', again: false },
  { code: 'RESOURCE_EXHAUSTED', says: 'etcdserver: too many requests', is: 'unavailable no', again: true },
  { code: 'RESOURCE_EXHAUSTED', says: 'etcdserver: mvcc: database space exceeded', is: 'no space no', again: false },
  { code: 'INVALID_ARGUMENT', says: 'etcdserver: request is too large', is: 'too large no', again: false },
  { code: 'RESOURCE_EXHAUSTED', says: 'grpc: received message larger than max', is: 'too large no', again: false },
  { code: 'DEADLINE_EXCEEDED', says: 'no answer within 5 ms', is: 'timeout maybe', again: false },
  { code: 'CANCELLED', says: 'the channel was closed', is: 'closed maybe', again: false },
  { code: 'PERMISSION_DENIED', says: 'etcdserver: permission denied', is: 'unavailable no', again: false },
  { code: 'UNAUTHENTICATED', says: 'etcdserver: invalid auth token', is: 'unavailable no', again: false },
];

describe('errors of etcd', () => {
  for (const { code, says, unsent, is, again } of ROWS) {
    it(`${code} "${says}" of a write is ${is}`, () => {
      const error = new GrpcError(code, says, { unsent });
      const { reason, outcome, message, cause } = toStoreError(error, 'write');
      assert.equal(`${reason} ${outcome}`, is);
      assert.equal(message, `etcd: ${says}`);
      assert.equal(cause, error);
      assert.equal(toStoreError(error, 'read').outcome, 'no');
      assert.equal(isRefusal(error), again);
    });
  }

  it('tell whether another member should be asked', () => {
    assert.ok(isMembersFault(new GrpcError('UNAVAILABLE', 'x')));
    assert.ok(isMembersFault(new GrpcError('DEADLINE_EXCEEDED', 'x')));
    assert.ok(!isMembersFault(new GrpcError('INVALID_ARGUMENT', 'x')));
    assert.ok(!isMembersFault(new Error('x')));
  });

  it('about revisions are known by their text', () => {
    const compacted = new GrpcError('OUT_OF_RANGE', 'etcdserver: mvcc: required revision has been compacted');
    const future = new GrpcError('OUT_OF_RANGE', 'etcdserver: mvcc: required revision is a future revision');
    assert.deepEqual([compacted, future].map(isCompacted), [true, false]);
    assert.deepEqual([compacted, future].map(isFuture), [false, true]);
  });

  it('that are not gRPC mean an answer that cannot be read', () => {
    assert.equal(toStoreError(new TypeError('cut short'), 'write').reason, 'corrupt');
    assert.equal(toStoreError(new TypeError('cut short'), 'write').outcome, 'maybe');
    const own = new StoreError('closed', 'x');
    assert.equal(toStoreError(own, 'write'), own);
  });
});
