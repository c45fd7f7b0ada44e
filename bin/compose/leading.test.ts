import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../libs/base/log.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { VirtualClock } from '../../libs/base/virtual-clock.ts';
import { createClient } from '../../libs/client/client.ts';
import { FakeApi } from '../../libs/client/fakes.ts';
import { TransportError } from '../../libs/kind/client.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { whileLeading } from './leading.ts';

function setUp() {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  const random = new SeededRandom(1);
  const cut = new Set<string>();
  const failing = new Set<string>();
  api.fail(({ headers }) =>
    cut.has(headers['user-agent'] ?? '') ? new TransportError('no way', { sent: false }) : undefined,
  );
  const told: string[] = [];
  const server = (identity: string, metrics = new MetricSet()) =>
    whileLeading(
      { clock, random: random.fork(identity), log: silentLogger },
      { client: createClient(api, { userAgent: identity }), name: 'it', identity, metrics },
      async () => {
        if (failing.delete(identity)) throw new Error('not yet');
        told.push(`+${identity}`);
        return { [Symbol.asyncDispose]: async () => void told.push(`-${identity}`) };
      },
    );
  return { clock, server, told, cut, failing };
}

test('one works at a time; the next takes over when it is cut off, and it works again later', async () => {
  const { clock, server, told, cut } = setUp();
  const a = server('a');
  await clock.advance(1_000);
  const b = server('b');
  await clock.advance(60_000);
  assert.deepEqual(told, ['+a']);
  cut.add('a');
  await clock.advance(60_000);
  assert.deepEqual(told, ['+a', '-a', '+b'], 'it stops before the other begins');
  cut.clear();
  await clock.advance(60_000);
  assert.equal(told.length, 3);
  await b[Symbol.asyncDispose]();
  await clock.advance(10_000);
  assert.deepEqual(told.slice(3), ['-b', '+a'], 'one that stops hands over at once');
  await a[Symbol.asyncDispose]();
  assert.deepEqual(told.slice(5), ['-a']);
});

test('what cannot start is tried again, as long as it leads', async () => {
  const { clock, server, told, failing } = setUp();
  failing.add('a');
  const a = server('a');
  await clock.advance(10_000);
  assert.deepEqual(told, ['+a']);
  await a[Symbol.asyncDispose]();
});

test('who leads says so in its metrics', async () => {
  const { clock, server, cut } = setUp();
  const [first, second] = [new MetricSet(), new MetricSet()];
  const leads = () =>
    [first, second].map((metrics) => /^leader_election_master_status\{name="it"\} (\d)$/m.exec(metrics.text())?.[1]);
  await using _a = server('a', first);
  await clock.advance(1_000);
  await using _b = server('b', second);
  await clock.advance(60_000);
  assert.deepEqual(leads(), ['1', '0']);
  cut.add('a');
  await clock.advance(60_000);
  assert.deepEqual(leads(), ['0', '1']);
});
