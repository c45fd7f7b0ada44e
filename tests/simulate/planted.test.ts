// A test of the tester: bugs that are planted on purpose, each in a component of this file or on a wire, are found.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deploymentController } from '../../api/apps/deployment/controller/controller.ts';
import { configMaps, pods } from '../../api/resources.ts';
import type { ConfigMap, Pod } from '../../api/types/core/v1.generated.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { Controller } from '../../libs/client/controller.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Transport } from '../../libs/client/transport.ts';
import { keyOf } from '../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  type PlannedAction,
  type Reconciler,
  watching,
} from '../../libs/kind/reconciler.ts';
import { EXPLORED_FAULTS } from '../../testing/explore/fault-kinds.ts';
import {
  type Cluster,
  type ComponentContext,
  ExplorationFailure,
  type ExploreOptions,
  explore,
  replay,
  type Scenario,
} from '../../testing/index.ts';
import { CONTROLLERS, rollingUpdate } from './scenarios.ts';

/** Runs a reconciler in a cluster, as an operator of a user's would run. */
async function operate<O, A extends PlannedAction>(
  cluster: Cluster,
  make: (env: ControllerEnvironment) => Reconciler<O, A>,
): Promise<AsyncDisposable> {
  const client = await cluster.clientAs({ name: 'operator', groups: ['system:masters'] });
  const { clock } = cluster;
  const random = new SeededRandom(cluster.seed);
  const informers = createInformers({ client, clock, random, log: silentLogger });
  const env: ControllerEnvironment = {
    client,
    informers,
    clock,
    random,
    keys: new FixedKeys(cluster.seed),
    log: silentLogger,
    events: { event() {} },
    featureGates: { enabled: () => false },
  };
  const controller = new Controller(make(env), env);
  controller.start();
  return {
    async [Symbol.asyncDispose]() {
      await controller.stop();
      await informers.stop();
    },
  };
}

async function found(scenario: Scenario, options: ExploreOptions): Promise<ExplorationFailure> {
  try {
    await explore(scenario, { folder: false, shrinkRuns: 40, settleWithin: '2m', ...options });
  } catch (error) {
    if (error instanceof ExplorationFailure) return error;
    throw error;
  }
  assert.fail('the planted bug was not found');
}

/** Writes what is in `data.want` to `data.have`. */
type Echo = PlannedAction & { readonly name: string; readonly have: string };

const echo: Reconciler<ConfigMap, Echo> = {
  name: 'echo',
  watches: [watching(configMaps, (map) => [keyOf(map)])],
  observe: ({ informers }, key) => informers.informer(configMaps).get(key) as ConfigMap | undefined,
  plan({ metadata, data = {} }) {
    if (data['want'] === undefined || data['want'] === data['have']) return { actions: [] };
    return { actions: [{ type: 'write', reason: 'echo', name: metadata?.name ?? '', have: data['want'] }] };
  },
  async apply({ client }, { name, have }) {
    await client.resource(configMaps).namespace('default').patch(name, { data: { have } }, { type: 'merge' });
  },
};

const echoed = (start: Scenario['start'], transport?: Scenario['transport']): Scenario => ({
  name: 'an operator that echoes',
  cluster: { components: [] },
  async prepare(cluster) {
    await cluster.client.core.v1
      .configMaps('default')
      .create({ metadata: { name: 'a' }, data: { want: '0', have: '0' } });
  },
  ...(start ? { start } : {}),
  async run(cluster) {
    const maps = cluster.client.core.v1.configMaps('default');
    await cluster.advance('50ms');
    await maps.patch('a', { data: { want: '1' } }, { type: 'merge' });
    await cluster.until(async () => (await maps.get('a')).data?.['have'] === '1', { within: '5m', what: 'the echo' });
  },
  ...(transport ? { transport } : {}),
});

const echoes: Scenario['start'] = (cluster) => operate(cluster, () => echo);

test('nothing is found where nothing is planted', async () => {
  await explore(echoed(echoes), { runs: 60, seed: 1, folder: false });
});

test('a lost requeue: what failed once is never tried again', async () => {
  const forgetful: Reconciler<ConfigMap, Echo> = {
    ...echo,
    apply: async (env, action, observed) =>
      void (await Promise.resolve(echo.apply(env, action, observed)).catch(() => undefined)),
  };
  const failure = await found(
    echoed((cluster) => operate(cluster, () => forgetful)),
    { runs: 60, seed: 1, faults: ['refuse', 'lose-request', 'delay', 'compact'] },
  );
  assert.equal(failure.failure.kind, 'unsettled');
  assert.equal(failure.schedule.perturbations.length, 1);
  assert.match(failure.message, /of patch configmaps by operator/);
});

test('an off-by-one in surge', async () => {
  const generous: typeof deploymentController = {
    ...deploymentController,
    plan(observed, nowMs) {
      const deployment = structuredClone(observed.deployment) as { spec: { strategy?: object } };
      deployment.spec.strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } };
      return deploymentController.plan({ ...observed, deployment: deployment as never }, nowMs);
    },
  };
  const rollout = rollingUpdate(1, 2);
  const strategy = { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  let undisturbed = true;
  const scenario: Scenario = {
    ...rollout,
    async prepare(cluster) {
      await using _controller = await operate(cluster, () => deploymentController);
      await rollout.prepare?.(cluster);
      await cluster.client.apps.v1.deployments('default').patch('web', { spec: { strategy } }, { type: 'merge' });
      await cluster.idle({ quiet: '2s' });
    },
    cluster: { ...rollout.cluster, controllers: CONTROLLERS.filter((name) => name !== 'deployment') },
    async start(cluster) {
      // The run that nothing disturbs is the one of the real controller.
      const made = undisturbed ? deploymentController : generous;
      undisturbed = false;
      return operate(cluster, () => made);
    },
  };
  const failure = await found(scenario, { runs: 5, seed: 1, faults: [] });
  assert.equal(failure.failure.name, 'surge');
  assert.match(failure.message, /Deployment default\/web asks for \d pods, and 3 are allowed/);
});

test('a missed watch event', async () => {
  /** Loses an event now and then, as a proxy that drops a frame would. */
  const scenario = (): Scenario => {
    let undisturbed = true;
    return echoed(
      (cluster) => {
        const started = operate(cluster, () => echo);
        undisturbed = false;
        return started;
      },
      (inner, user) => (user === 'operator' && !undisturbed ? losingEvents(inner) : inner),
    );
  };
  const failure = await found(scenario(), { runs: 60, seed: 1 });
  assert.equal(failure.failure.name, 'NeverSettledError');
  // Where the echo comes all the same, the gap shows.
  const patient: Scenario = { ...scenario(), run: (cluster) => echoTwice(cluster) };
  const gap = await found(patient, { runs: 60, seed: 1, faults: [] });
  assert.equal(gap.failure.name, 'watch gap');
  assert.match(
    gap.message,
    /the watch of configmaps by operator was told revision \d+, and never revision \d+ \(default\/a\)/,
  );
});

async function echoTwice(cluster: Cluster): Promise<void> {
  const maps = cluster.client.core.v1.configMaps('default');
  for (const want of ['1', '2']) {
    await cluster.advance('50ms');
    await maps.patch('a', { data: { want } }, { type: 'merge' });
  }
  await cluster.until(async () => (await maps.get('a')).data?.['have'] === '2', { within: '5m', what: 'the echo' });
}

function losingEvents(inner: Transport): Transport {
  let told = 0;
  return {
    request: (request) => inner.request(request),
    watch: (request, sink) =>
      inner.watch(request, {
        event(type, object) {
          if (type === 'MODIFIED' && ++told % 2 === 1) return;
          sink.event(type, object);
        },
        ended: (error) => sink.ended(error),
        room: () => sink.room?.(),
      }),
    close: () => inner.close(),
  };
}

test('a delete that rests on a stale cache', async () => {
  /** Deletes pods that its cache shows as unwanted, without saying which revision it means. */
  const sweeper: Reconciler<Pod, PlannedAction & { readonly name: string }> = {
    name: 'sweeper',
    watches: [watching(pods, (pod) => [keyOf(pod)])],
    observe: ({ informers }, key) => informers.informer(pods).get(key) as Pod | undefined,
    plan({ metadata }) {
      if (metadata?.labels?.['unwanted'] !== 'true') return { actions: [], againAfterMs: 100 };
      return { actions: [{ type: 'delete', reason: 'unwanted', name: metadata.name ?? '' }] };
    },
    apply: async ({ client }, { name }) =>
      void (await client.resource(pods).namespace('default').delete(name, { gracePeriodSeconds: 0 })),
  };
  const pod = { metadata: { name: 'a' }, spec: { containers: [{ name: 'a', image: 'a' }] } };
  const scenario: Scenario = {
    name: 'an operator that sweeps',
    cluster: { components: ['controller-manager'], controllers: ['serviceaccount'] },
    async prepare(cluster) {
      await cluster.idle({ quiet: '2s' });
    },
    start: (cluster) => operate(cluster, () => sweeper),
    async run(cluster) {
      const of = cluster.client.core.v1.pods('default');
      await of.create(pod);
      await cluster.advance('200ms');
      // Unwanted, gone, and there again under the same name: the new one is wanted.
      await of.patch('a', { metadata: { labels: { unwanted: 'true' } } }, { type: 'merge' });
      const isGone = async () => (await of.list()).items.length === 0;
      await cluster.until(isGone, { within: '5m' });
      await of.create(pod);
      await cluster.advance('2m');
    },
  };
  const neverSweepsTheWanted = {
    name: 'only the unwanted',
    check(_view: unknown, { resource, type, object }: { resource: string; type: string; object: object }) {
      if (resource !== 'pods' || type !== 'deleted') return;
      const { labels } = (object as Pod).metadata ?? {};
      return labels?.['unwanted'] === 'true' ? undefined : 'a pod that is wanted was deleted';
    },
  };
  const failure = await found(scenario, { runs: 200, seed: 1, invariants: [neverSweepsTheWanted] });
  assert.equal(failure.failure.name, 'only the unwanted');
});

/** Begins what is wanted, and ends it after its work: what it has begun is known to its memory alone. */
function forgetfulClerk({ run }: ComponentContext): void {
  const begun = new Set<string>();
  type Step = PlannedAction & { readonly name: string; readonly afterMs: number; readonly data: ConfigMap['data'] };
  run<ConfigMap, Step>({
    name: 'clerk',
    watches: [watching(configMaps, (map) => [keyOf(map)])],
    observe: ({ informers }, key) => informers.informer(configMaps).get(key) as ConfigMap | undefined,
    plan({ metadata, data = {} }) {
      const { want, doing, have } = data;
      const name = metadata?.name ?? '';
      if (want === undefined || want === have) return { actions: [] };
      if (doing !== want)
        return { actions: [{ type: 'write', reason: 'begin', name, afterMs: 0, data: { doing: want } }] };
      // Who has begun it will end it; after a restart nobody has.
      if (!begun.has(name)) return { actions: [] };
      return { actions: [{ type: 'write', reason: 'end', name, afterMs: 400, data: { have: want } }] };
    },
    async apply({ client, clock }, { name, afterMs, data }) {
      begun.add(name);
      await clock.sleep(afterMs);
      await client.resource(configMaps).namespace('default').patch(name, { data }, { type: 'merge' });
    },
  });
}

test('what is known to the memory of a process alone is lost with it, and with nothing else', async () => {
  const scenario: Scenario = {
    ...echoed(undefined),
    name: 'an operator that forgets',
    cluster: { components: [{ name: 'clerk', start: forgetfulClerk }] },
  };
  const without = EXPLORED_FAULTS.filter((fault) => fault !== 'component-crash');
  await explore(scenario, { runs: 60, seed: 1, faults: without, folder: false });
  const folder = await mkdtemp(join(tmpdir(), 'tutti-'));
  try {
    const failure = await found(scenario, { runs: 60, seed: 1, folder });
    assert.equal(failure.failure.kind, 'unsettled');
    assert.deepEqual(
      failure.schedule.perturbations.map(({ fault, of }) => [fault, of]),
      [['component-crash', 'clerk']],
    );
    assert.match(failure.message, /!!! component-crash: clerk is away for [\d.]+ s, and begins anew/);
    await assert.rejects(replay(failure.file ?? '', scenario), ExplorationFailure);
  } finally {
    await rm(folder, { recursive: true });
  }
});
