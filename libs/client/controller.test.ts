import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Keys } from '../base/keys.ts';
import { silentLogger } from '../base/log.ts';
import { turn } from '../base/node/turn.ts';
import { SeededRandom } from '../base/random.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from '../kind/object.ts';
import { type ControllerEnvironment, type Reconciler, watching } from '../kind/reconciler.ts';
import { conflict } from '../machinery/errors.ts';
import { createClient } from './client.ts';
import { Controller } from './controller.ts';
import { FakeApi } from './fakes.ts';
import { createInformers } from './informers.ts';
import { WorkQueue } from './work-queue.ts';

interface Set extends ApiObject {
  spec: { replicas: number };
}
const sets: ResourceRef<Set> = {
  group: 'apps',
  version: 'v1',
  resource: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};
const pods: ResourceRef<ApiObject> = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };

interface Observed {
  readonly set: Live<Set>;
  readonly pods: readonly Live<ApiObject>[];
}
type Action = { readonly type: 'create' | 'delete'; readonly reason: string };

/** Keeps as many pods as its sets want; each pod is labelled with its set. */
const keeper = (more: Partial<Reconciler<Observed, Action>> = {}): Reconciler<Observed, Action> => ({
  name: 'keeper',
  watches: [
    watching(sets, (set) => [keyOf(set)]),
    watching(pods, (pod) => [`${pod.metadata.namespace}/${pod.metadata.labels?.set}`]),
  ],
  observe({ informers }, key) {
    const set = informers.informer(sets).get(key);
    if (!set) return undefined;
    const all = informers.informer(pods).list(set.metadata.namespace);
    return { set, pods: all.filter((pod) => pod.metadata.labels?.set === set.metadata.name) };
  },
  plan({ set, pods: mine }) {
    const missing = set.spec.replicas - mine.length;
    const type = missing > 0 ? 'create' : 'delete';
    return {
      actions: Array.from({ length: Math.abs(missing) }, () => ({
        type,
        reason: missing > 0 ? 'scale up' : 'scale down',
      })),
    };
  },
  async apply({ client }, action, { set, pods: mine }) {
    const { namespace = '', name } = set.metadata;
    const inNamespace = client.resource(pods).namespace(namespace);
    if (action.type === 'delete') {
      await inNamespace.delete(mine[0]?.metadata.name as string);
      return;
    }
    const made = await inNamespace.create({ metadata: { generateName: `${name}-`, labels: { set: name } } });
    return [{ ref: pods, resourceVersion: made.metadata.resourceVersion }];
  },
  ...more,
});

function setUp() {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  const client = createClient(api);
  const random = new SeededRandom(1);
  const informers = createInformers({ client, clock, random, log: silentLogger });
  const env: ControllerEnvironment = {
    client,
    informers,
    clock,
    random,
    keys: {} as Keys,
    log: silentLogger,
    events: { event() {} },
    featureGates: { enabled: () => false },
  };
  const createSet = (name: string, replicas: number) =>
    client.resource(sets).namespace('a').create({ metadata: { name }, spec: { replicas } });
  const count = async () => (await client.resource(pods).list()).items.length;
  return { clock, api, client, informers, env, createSet, count };
}

describe('a controller', () => {
  it('brings about what is wanted, once, and says why', async () => {
    const { clock, api, env, createSet, count } = setUp();
    const controller = new Controller(keeper(), env);
    await createSet('web', 3);
    controller.start();
    await clock.advance(5000);
    assert.equal(await count(), 3);
    const creates = api.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/pods'));
    assert.equal(creates.length, 3);
    const cause = decodeURIComponent(creates[0]?.headers.baggage ?? '');
    assert.equal(cause, 'tutti-cause={"component":"keeper","step":"scale up","object":"a/web"}');
    await createSet('db', 2);
    await clock.advance(5000);
    assert.equal(await count(), 5);
    assert.ok(controller.idle);
    await controller.stop();
  });

  it('does not look at a key again before it sees its own writes', async () => {
    const { clock, env, informers, createSet, count } = setUp();
    const observed: number[] = [];
    const plain = keeper();
    const controller = new Controller(
      keeper({
        async observe(at, key) {
          const seen = await plain.observe(at, key);
          if (seen) observed.push(seen.pods.length);
          return seen;
        },
      }),
      env,
    );
    controller.start();
    await clock.settle();
    // The informer of pods falls behind: what it is told waits.
    const podInformer = informers.informer(pods);
    const caughtUp = podInformer.caughtUp.bind(podInformer);
    let waited = 0;
    Object.defineProperty(podInformer, 'resourceVersion', { get: () => '0' });
    podInformer.caughtUp = (version, signal) => {
      waited++;
      return caughtUp(version, signal);
    };
    await createSet('web', 4);
    controller.add('a/web');
    await clock.advance(1000);
    assert.equal(await count(), 4);
    assert.ok(waited >= 1);
    assert.deepEqual([...new globalThis.Set(observed)].sort(), [0, 4]);
    await controller.stop();
  });

  for (const expected of [false, true]) {
    it(`looks ${expected ? 'at nothing' : 'again'} when it sees what it ${expected ? 'reckoned with' : 'wrote'}`, async () => {
      const { clock, client, env, createSet, count } = setUp();
      const usual = keeper();
      let looks = 0;
      const controller = new Controller(
        keeper({
          observe(environment, key) {
            looks++;
            return usual.observe(environment, key);
          },
          async apply(...turn) {
            return (await usual.apply(...turn))?.map((written) => ({ ...written, expected }));
          },
        }),
        env,
      );
      controller.start();
      await clock.advance(1000);
      await createSet('web', 3);
      await clock.advance(1000);
      assert.equal(looks === 1, expected, `${looks} looks`);
      // What others do is news, whatever was expected.
      const inNamespace = client.resource(pods).namespace('a');
      await inNamespace.delete((await inNamespace.list()).items[0]?.metadata.name as string);
      await clock.advance(1000);
      assert.equal(await count(), 3);
      await controller.stop();
    });
  }

  it('stops at the first action that fails, and tries again with growing delays', async () => {
    const { clock, api, env, createSet, count } = setUp();
    let failures = 6;
    api.fail(({ method, path }) =>
      method === 'POST' && path.endsWith('/pods') && failures-- > 0 ? conflict(pods, 'x', 'busy') : undefined,
    );
    const controller = new Controller(keeper(), env);
    await createSet('web', 2);
    controller.start();
    const triesAt: number[] = [];
    for (let before = 0, ms = 0; ms < 1000; ms += 5) {
      await clock.advance(5);
      const { failed } = controller.counts;
      if (failed > before) triesAt.push(ms);
      before = failed;
    }
    assert.equal(await count(), 2);
    assert.equal(controller.counts.failed, 6);
    const gaps = triesAt.map((at, i) => at - (triesAt[i - 1] ?? 0)).slice(2);
    assert.deepEqual(
      gaps,
      gaps.toSorted((a, b) => a - b),
    );
    await controller.stop();
  });

  it('looks again after a while when its plan says so', async () => {
    const { clock, env, createSet } = setUp();
    let looked = 0;
    const controller = new Controller(
      keeper({
        plan() {
          looked++;
          return { actions: [], againAfterMs: 60_000 };
        },
      }),
      env,
    );
    await createSet('web', 1);
    controller.start();
    await clock.advance(200_000);
    assert.equal(looked, 4);
    await controller.stop();
    await env.informers.informer(pods);
  });

  it('never runs a key twice at once, and as many keys as it may', async () => {
    const { clock, env, createSet } = setUp();
    const now = new globalThis.Set<string>();
    let most = 0;
    const controller = new Controller(
      keeper({
        concurrency: 3,
        async observe(_env, key) {
          assert.ok(!now.has(key), `${key} runs twice`);
          now.add(key);
          most = Math.max(most, now.size);
          await clock.sleep(1000);
          now.delete(key);
          return undefined;
        },
      }),
      env,
    );
    controller.start();
    for (let i = 0; i < 6; i++) await createSet(`s${i}`, 1);
    await clock.settle();
    for (let i = 0; i < 6; i++) controller.add(`a/s${i}`);
    await clock.advance(10_000);
    assert.equal(most, 3);
    await controller.stop();
  });

  it('stops before its informers are there', async () => {
    const { clock, api, env, informers } = setUp();
    api.fail(() => new Error('no server'));
    const controller = new Controller(keeper(), env);
    controller.start();
    await clock.settle();
    await controller.stop();
    await informers.stop();
    assert.equal(clock.pending, 0);
  });
});

describe('a work queue', () => {
  const clock = new VirtualClock({ turn });

  it('hands out each key once, however often it was added', async () => {
    const queue = new WorkQueue({ clock });
    for (const key of ['a', 'b', 'a']) queue.add(key);
    const taken: string[] = [];
    const ended = queue.serve(5, async (key) => void taken.push(key));
    await clock.settle();
    assert.deepEqual([taken, queue.length], [['a', 'b'], 0]);
    queue.add('a');
    await clock.settle();
    assert.deepEqual(taken, ['a', 'b']);
    queue.done('a');
    await clock.settle();
    assert.deepEqual(taken, ['a', 'b', 'a']);
    queue.close();
    await ended;
  });

  it('ends when what is worked on has, and hands out nothing more', async () => {
    const queue = new WorkQueue({ clock });
    const taken: string[] = [];
    const ended = queue.serve(1, async (key) => {
      taken.push(key);
      await clock.sleep(1000);
      queue.done(key);
    });
    for (const key of ['a', 'b']) queue.add(key);
    assert.equal(queue.length, 1);
    await clock.settle();
    let hasEnded = false;
    void ended.then(() => {
      hasEnded = true;
    });
    queue.close();
    await clock.advance(999);
    assert.equal(hasEnded, false);
    await clock.advance(1);
    assert.equal(hasEnded, true);
    assert.deepEqual(taken, ['a']);
  });

  it('gives the earliest of several delays', async () => {
    const queue = new WorkQueue({ clock });
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 200);
    await clock.advance(49);
    assert.equal(queue.length, 0);
    await clock.advance(1);
    assert.equal(queue.length, 1);
    assert.equal(clock.pending, 0);
    queue.close();
  });

  it('delays a failing key from 5 ms doubling up to 1,000 s, until it is forgotten', () => {
    const queue = new WorkQueue({ clock, rate: { perSecond: 1e6, burst: 1e6 } });
    const delays = Array.from({ length: 20 }, () => queue.addRateLimited('a'));
    assert.deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
    assert.deepEqual(delays.slice(18), [1_000_000, 1_000_000]);
    queue.forget('a');
    assert.equal(queue.addRateLimited('a'), 5);
    queue.close();
    assert.equal(clock.pending, 0);
  });

  it('lets all failing keys together come back no faster than its rate', () => {
    const queue = new WorkQueue({ clock });
    const delays = Array.from({ length: 120 }, (_, i) => queue.addRateLimited(`k${i}`));
    assert.deepEqual(delays.slice(0, 100), Array(100).fill(5));
    assert.deepEqual(delays.slice(100, 103).map(Math.round), [100, 200, 300]);
    queue.close();
  });
});
