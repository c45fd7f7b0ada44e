import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turn } from '../../../../libs/base/node/turn.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { VirtualClock } from '../../../../libs/base/virtual-clock.ts';
import { type CallOptions, type GrpcChannel, GrpcError } from '../../../../libs/grpc/channel.ts';
import { isStoreError } from '../../conformance/writes.ts';
import { joinDraft, StoreError } from '../../store.ts';
import { EtcdClient } from './client.ts';
import { etcdSchema } from './proto.ts';
import { decodeValue, encodeDraft } from './values.ts';

/** Here the members live on virtual time themselves: it need not wait for them. */
class SceneClock extends VirtualClock {
  constructor() {
    super({ turn });
  }
  override hold(): Disposable {
    return { [Symbol.dispose]() {} };
  }
}

type Answer = 'answers' | 'hangs' | Error;

/** A member that does as it is told, call by call; after the last word it stays with that. */
class FakeMember implements GrpcChannel {
  readonly calls: string[] = [];
  readonly #script: Answer[];
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, ...script: Answer[]) {
    this.#clock = clock;
    this.#script = script;
  }

  async unary(path: string, _request: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    this.calls.push(path.replace('/etcdserverpb.', ''));
    const next = this.#script.length > 1 ? this.#script.shift() : this.#script[0];
    if (next instanceof Error) throw next;
    if (next === 'hangs') {
      await this.#clock.sleep(options.timeoutMs ?? 0, options.signal);
      throw new GrpcError('DEADLINE_EXCEEDED', `no answer within ${options.timeoutMs} ms`);
    }
    if (path.endsWith('Txn')) return etcdSchema.encode('TxnResponse', { header: { revision: 7 }, succeeded: true });
    return etcdSchema.encode('RangeResponse', { header: { revision: 7 } });
  }

  serverStream(): AsyncIterable<Uint8Array> {
    throw new Error('not asked for');
  }
  duplexStream(): never {
    throw new Error('not asked for');
  }
  async close(): Promise<void> {}
}

const unavailable = new GrpcError('UNAVAILABLE', 'the connection failed: read ECONNRESET');
const unsent = new GrpcError('UNAVAILABLE', 'the connection failed: ECONNREFUSED', { unsent: true });
const leaderless = new GrpcError('UNAVAILABLE', 'etcdserver: no leader');
const tooLarge = new GrpcError('INVALID_ARGUMENT', 'etcdserver: request is too large');

interface Row {
  readonly name: string;
  readonly call: 'read' | 'write';
  readonly members: readonly (readonly Answer[])[];
  /** How often each member is asked. */
  readonly asked: readonly number[];
  readonly fails?: (error: unknown) => boolean;
}

const ROWS: readonly Row[] = [
  { name: 'asks one member while it answers', call: 'read', members: [['answers'], ['answers']], asked: [3, 0] },
  { name: 'turns to the next for a read', call: 'read', members: [[unavailable], ['answers']], asked: [1, 3] },
  { name: 'comes back to the first', call: 'read', members: [[unavailable, 'answers'], [unavailable]], asked: [4, 1] },
  { name: 'leaves a member that hangs for a read', call: 'read', members: [['hangs'], ['answers']], asked: [1, 3] },
  { name: 'repeats a write that was not sent', call: 'write', members: [[unsent], ['answers']], asked: [1, 3] },
  { name: 'repeats a write that had no leader', call: 'write', members: [[leaderless, 'answers']], asked: [4] },
  {
    name: 'does not repeat a write that may have been done',
    call: 'write',
    members: [[unavailable], ['answers']],
    asked: [1, 2],
    fails: isStoreError('unavailable', 'maybe'),
  },
  {
    name: 'does not repeat a write that hung',
    call: 'write',
    members: [['hangs'], ['answers']],
    asked: [1, 2],
    fails: isStoreError('timeout', 'maybe'),
  },
  {
    name: 'does not repeat what was refused for good',
    call: 'write',
    members: [[tooLarge, 'answers']],
    asked: [3],
    fails: isStoreError('too large'),
  },
];

describe('etcd client', () => {
  for (const { name, call, members, asked, fails } of ROWS) {
    it(name, async () => {
      const clock = new SceneClock();
      const channels = members.map((script) => new FakeMember(clock, ...script));
      const client = new EtcdClient({ channels, clock, random: new SeededRandom(1), requestTimeoutMs: 10_000 });
      const one = (): Promise<{ header: { revision: number } }> =>
        call === 'read' ? client.range({ key: '/k' }) : client.txn({ compare: [], success: [], failure: [] });
      for (let i = 0; i < 3; i++) {
        const answer = one().then(
          ({ header }) => header.revision,
          (error) => error,
        );
        await clock.advance(10_000);
        if (i === 0 && fails) assert.ok(fails(await answer));
        else assert.equal(await answer, 7);
      }
      assert.deepEqual(
        channels.map((channel) => channel.calls.length),
        asked,
      );
    });
  }

  it('gives up a read when its time is over', async () => {
    const clock = new SceneClock();
    const channels = [new FakeMember(clock, unavailable), new FakeMember(clock, unsent)];
    const client = new EtcdClient({ channels, clock, random: new SeededRandom(1), requestTimeoutMs: 3_000 });
    const read = client.range({ key: '/k' }).catch((error) => error);
    await clock.advance(3_000);
    assert.ok(isStoreError('unavailable')(await read));
    const asked = channels.reduce((sum, channel) => sum + channel.calls.length, 0);
    assert.ok(asked >= 5 && asked <= 20, `${asked} attempts`);
  });

  it('ends what is under way when it is closed', async () => {
    const clock = new SceneClock();
    const client = new EtcdClient({ channels: [new FakeMember(clock, 'hangs')], clock, random: new SeededRandom(1) });
    const read = client.range({ key: '/k' }).catch((error) => error);
    await client.close();
    assert.ok(isStoreError('closed')(await read));
  });
});

describe('values in etcd', () => {
  it('get their revision when they are read', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (const [head, tail] of [
      ['{"v":"', '"}'],
      ['', '"}'],
      ['{"v":"', ''],
      ['', ''],
    ] as const) {
      const draft = { head: bytes(head), tail: bytes(tail) };
      assert.deepEqual(decodeValue('/k', encodeDraft(draft), 1234), joinDraft(draft, 1234));
    }
  });

  for (const [what, stored] of [
    ['nothing', []],
    ['three bytes', [0, 0, 0]],
    ['a length beyond the end', [0, 0, 0, 9, 1]],
    ['text of somebody else', [...new TextEncoder().encode('{"kind":"Pod"}')]],
  ] as const) {
    it(`that are ${what} are told apart`, () => {
      assert.throws(
        () => decodeValue('/k', Uint8Array.from(stored), 1),
        (error: unknown) => {
          return error instanceof StoreError && error.reason === 'corrupt';
        },
      );
    });
  }
});
