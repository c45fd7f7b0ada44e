import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { turn } from '../base/node/turn.ts';
import { SeededRandom } from '../base/random.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { TransportError } from '../kind/client.ts';
import { createClient } from './client.ts';
import { FakeApi } from './fakes.ts';
import { LeaderElection } from './leader-election.ts';

const LEASE = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true };

function setUp() {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  const random = new SeededRandom(1);
  const down = new Set<string>();
  api.fail(({ headers }) =>
    down.has(headers['user-agent'] ?? '') ? new TransportError('no way', { sent: false }) : undefined,
  );
  const terms: string[] = [];
  const candidate = (identity: string) =>
    new LeaderElection({
      client: createClient(api, { userAgent: identity }),
      clock,
      random: random.fork(identity),
      log: silentLogger,
      namespace: 'kube-system',
      name: 'it',
      identity,
      lead(lost) {
        terms.push(`+${identity}`);
        lost.addEventListener('abort', () => terms.push(`-${identity}`));
      },
    });
  const lease = async () =>
    (await createClient(api).resource(LEASE).namespace('kube-system').get('it')) as unknown as {
      spec: Record<string, unknown>;
    };
  return { clock, api, candidate, lease, terms, down };
}

describe('a leader election', () => {
  it('has one leader, who stays', async () => {
    const { clock, candidate, lease, terms } = setUp();
    const [a, b, c] = [candidate('a'), candidate('b'), candidate('c')];
    for (const one of [a, b, c]) one.start();
    await clock.advance(120_000);
    assert.equal(terms.length, 1);
    const leader = terms[0]?.slice(1);
    assert.deepEqual([a, b, c].filter((one) => one.isLeader).length, 1);
    assert.deepEqual([a.leader, b.leader, c.leader], [leader, leader, leader]);
    const { spec } = await lease();
    assert.equal(spec.leaseTransitions, 0);
    assert.equal(spec.leaseDurationSeconds, 15);
    assert.ok(Date.parse(spec.renewTime as string) - Date.parse(spec.acquireTime as string) > 100_000);
    for (const one of [a, b, c]) await one.stop();
    assert.equal(clock.pending, 0);
  });

  it('hands over at once when the leader stops', async () => {
    const { clock, candidate, lease, terms } = setUp();
    const [a, b] = [candidate('a'), candidate('b')];
    a.start();
    await clock.advance(1000);
    b.start();
    await clock.advance(30_000);
    assert.deepEqual(terms, ['+a']);
    await a.stop();
    await clock.advance(5000);
    assert.deepEqual(terms, ['+a', '-a', '+b']);
    assert.equal((await lease()).spec.leaseTransitions, 1);
    await b.stop();
  });

  it('lets a leader that cannot renew stop before another begins', async () => {
    const { clock, candidate, terms, down } = setUp();
    const [a, b] = [candidate('a'), candidate('b')];
    a.start();
    await clock.advance(1000);
    b.start();
    await clock.advance(30_000);
    down.add('a');
    const from = clock.monotonic();
    let stoppedMs = 0;
    let begunMs = 0;
    while (terms.length < 3) {
      await clock.advance(100);
      if (stoppedMs === 0 && terms.includes('-a')) stoppedMs = clock.monotonic() - from;
      if (begunMs === 0 && terms.includes('+b')) begunMs = clock.monotonic() - from;
    }
    assert.deepEqual(terms, ['+a', '-a', '+b']);
    assert.ok(stoppedMs <= 14_000, `stopped after ${stoppedMs} ms`);
    assert.ok(begunMs >= 13_000 && begunMs <= 22_000, `begun after ${begunMs} ms`);
    // The old leader comes back and waits for its turn.
    down.clear();
    await clock.advance(60_000);
    assert.equal(terms.length, 3);
    for (const one of [a, b]) await one.stop();
  });

  it('goes by how long it has seen the lease unchanged, not by the times in it', async () => {
    const { clock, api, candidate, terms } = setUp();
    // Renewed a year from now, says a holder whose clock is wrong.
    const spec = {
      holderIdentity: 'gone',
      leaseDurationSeconds: 15,
      renewTime: '2027-01-01T00:00:00.000000Z',
      acquireTime: '2027-01-01T00:00:00.000000Z',
      leaseTransitions: 3,
    };
    await createClient(api)
      .resource(LEASE)
      .namespace('kube-system')
      .create({ metadata: { name: 'it' }, spec } as never);
    const a = candidate('a');
    a.start();
    await clock.advance(14_000);
    assert.deepEqual(terms, []);
    await clock.advance(6000);
    assert.deepEqual(terms, ['+a']);
    await a.stop();
  });
});
