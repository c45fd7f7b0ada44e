import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, PriorityLevelConfiguration } from '../../../api/types/flowcontrol/v1.generated.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { ApiError } from '../../../libs/machinery/errors.ts';
import { flowSchemas, priorityLevels } from '../bootstrap/flow-control.ts';
import { type Admitted, Fairness } from './fairness.ts';
import { SchemaMatcher, sortSchemas } from './matching.ts';
import { deal } from './shuffle-shard.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups, extra: {} });
const on = (verb: string, resource: string, more: Partial<RequestAttributes> = {}): RequestAttributes => ({
  verb,
  isResourceRequest: true,
  path: '',
  group: '',
  version: 'v1',
  resource,
  subresource: '',
  namespace: '',
  name: '',
  ...more,
});
const path = (at: string): RequestAttributes => on('get', '', { isResourceRequest: false, path: at });

describe('the schema of a request', () => {
  const schemas = new SchemaMatcher(sortSchemas(flowSchemas as readonly FlowSchema[]));
  const AUTHENTICATED = 'system:authenticated';
  for (const [who, what, expected] of [
    [user('admin', 'system:masters', AUTHENTICATED), on('get', 'pods'), 'exempt'],
    [user('system:anonymous', 'system:unauthenticated'), path('/healthz'), 'probes'],
    [user('system:anonymous', 'system:unauthenticated'), path('/version'), 'global-default'],
    [
      user('system:node:a', 'system:nodes', AUTHENTICATED),
      on('patch', 'nodes', { subresource: 'status', name: 'a' }),
      'system-node-high',
    ],
    [user('system:node:a', 'system:nodes', AUTHENTICATED), on('list', 'pods'), 'system-nodes'],
    [user('system:kube-scheduler', AUTHENTICATED), on('list', 'pods'), 'kube-scheduler'],
    [
      user('system:serviceaccount:kube-system:x', 'system:serviceaccounts', 'system:serviceaccounts:kube-system'),
      on('list', 'pods'),
      'kube-system-service-accounts',
    ],
    [user('system:serviceaccount:a:x', 'system:serviceaccounts'), on('list', 'pods'), 'service-accounts'],
    [user('jane', AUTHENTICATED), on('list', 'pods'), 'global-default'],
  ] as const) {
    it(`${who.name}, ${what.verb} ${what.resource || what.path}: ${expected}`, () =>
      assert.equal(schemas.match(who, what)?.metadata.name, expected));
  }

  it('is asked for anew with each request of one user', () => {
    const kubelet = user('system:node:a', 'system:nodes', AUTHENTICATED);
    const names = [
      on('update', 'leases', { group: 'coordination.k8s.io', namespace: 'kube-node-lease' }),
      on('get', 'pods'),
    ];
    const found = [...names, ...names].map((what) => schemas.match(kubelet, what)?.metadata.name);
    assert.deepEqual(found, ['system-node-high', 'system-nodes', 'system-node-high', 'system-nodes']);
  });
});

describe('hands of queues', () => {
  it('are the same for one text, of different cards, and spread', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 500; i++) {
      const hand = deal(`flow-${i}`, 64, 6);
      assert.deepEqual(hand, deal(`flow-${i}`, 64, 6));
      assert.equal(new Set(hand).size, 6);
      assert.ok(hand.every((card) => card >= 0 && card < 64));
      seen.add([...hand].sort().join());
    }
    assert.ok(seen.size > 490, `${seen.size} different hands of 500 flows`);
    assert.deepEqual(deal('x', 3, 8).sort(), [0, 1, 2], 'no more cards than the deck has');
  });
});

const level = (name: string, shares: number, more: object = {}, lendablePercent = 0): PriorityLevelConfiguration => ({
  metadata: { name, uid: `uid of ${name}` },
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent,
      limitResponse: { type: 'Queue', queuing: { queues: 4, handSize: 1, queueLengthLimit: 3, ...more } },
    },
  },
});
const schema = (name: string, users: string[], to: string): FlowSchema => ({
  metadata: { name, uid: `uid of ${name}` },
  spec: {
    priorityLevelConfiguration: { name: to },
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: users.map((one) => ({ kind: 'User', user: { name: one } })),
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
      },
    ],
  },
});

function fairnessOf(levels: PriorityLevelConfiguration[], schemas: FlowSchema[], seats: number) {
  const clock = new VirtualClock({ turn });
  const rejected: string[] = [];
  const objects = { version: () => 1, schemas: () => schemas, levels: () => levels };
  const fairness = new Fairness({ clock, objects, seats, rejected: (...told) => void rejected.push(told.join(' ')) });
  const never = new AbortController().signal;
  const admit = (name: string, signal = never) =>
    fairness.admit({ user: user(name), attributes: on('get', 'pods'), ends: { signal } });
  return { clock, fairness, admit, rejected };
}

describe('priority and fairness', () => {
  it('runs what there are seats for, lets the rest wait, and in their order', async () => {
    const { admit, fairness } = fairnessOf([level('l', 1)], [schema('s', ['a'], 'l')], 2);
    const [one, two] = [admit('a') as Admitted, admit('a') as Admitted];
    assert.equal(one.schemaUid, 'uid of s');
    assert.equal(one.levelUid, 'uid of l');
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map(async (name) => {
      const admitted = await (admit('a') as Promise<Admitted>);
      order.push(name);
      return admitted;
    });
    await turn();
    assert.deepEqual(order, []);
    one.end();
    one.end();
    await turn();
    assert.deepEqual(order, ['third'], 'ending twice gives one seat');
    two.end();
    for (const admitted of await Promise.all(waiting)) admitted.end();
    assert.deepEqual(order, ['third', 'fourth']);
    assert.deepEqual(
      fairness.levels.map(({ running, waiting: queued, seats }) => [running, queued, seats]),
      [[0, 0, 0]],
    );
  });

  it('refuses with 429 where queues are full, time is up, or the client has gone', async () => {
    const { admit, clock, rejected } = fairnessOf([level('l', 1)], [schema('s', ['a'], 'l')], 1);
    const running = admit('a') as Admitted;
    const gone = new AbortController();
    const waits = [admit('a', gone.signal), admit('a'), admit('a')] as Promise<Admitted>[];
    const refusals = waits.map((one) => assert.rejects(one, (error: ApiError) => error.code === 429));
    assert.throws(
      () => admit('a'),
      (error: ApiError) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.status.details?.retryAfterSeconds, 1);
        return error.code === 429;
      },
    );
    gone.abort();
    await clock.advance(16_000);
    await Promise.all(refusals);
    assert.deepEqual(rejected, ['l s queue-full', 'l s cancelled', 'l s time-out', 'l s time-out']);
    running.end();
    assert.equal(clock.pending ?? 0, 0, 'no timer is left');
  });

  it('a flood of one flow does not hold up another', async () => {
    const wide = level('l', 1, { queues: 64, handSize: 4, queueLengthLimit: 50 });
    const { admit } = fairnessOf([wide], [schema('s', ['flood', 'calm'], 'l')], 1);
    let running = admit('flood') as Admitted;
    const order: string[] = [];
    const ask = async (name: string) => {
      const admitted = await (admit(name) as Promise<Admitted>);
      order.push(name);
      running = admitted;
    };
    for (let i = 0; i < 60; i++) void ask('flood');
    void ask('calm');
    for (let i = 0; i < 10; i++) {
      running.end();
      await turn();
    }
    assert.ok(order.slice(0, 6).includes('calm'), `order: ${order.join()}`);
  });

  it('lends what is idle, and no more than is lendable', () => {
    const levels = [level('rich', 3, {}, 50), level('poor', 1)];
    const { admit } = fairnessOf(levels, [schema('r', ['r'], 'rich'), schema('p', ['p'], 'poor')], 8);
    // 6 and 2 seats; 3 of the 6 may be lent.
    for (let i = 0; i < 5; i++) assert.ok('end' in (admit('p') as object), `poor's request ${i}`);
    assert.ok(!('end' in (admit('p') as object)), 'the sixth waits');
    for (let i = 0; i < 3; i++) assert.ok('end' in (admit('r') as object), `rich's request ${i}`);
    assert.ok(!('end' in (admit('r') as object)), 'what was lent comes back only when it has ended');
  });

  it('the levels of a new cluster share 600 seats as upstream has them', () => {
    const { fairness } = fairnessOf(priorityLevels as PriorityLevelConfiguration[], [], 600);
    const nominal = Object.fromEntries(fairness.levels.map(({ name, nominalSeats }) => [name, nominalSeats]));
    assert.deepEqual(nominal, {
      'catch-all': 13,
      exempt: 0,
      'global-default': 49,
      'leader-election': 25,
      'node-high': 98,
      system: 74,
      'workload-high': 98,
      'workload-low': 245,
    });
  });
});
