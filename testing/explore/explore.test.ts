import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../../libs/base/random.ts';
import {
  ClusterUsageError,
  ExplorationFailure,
  explore,
  type Invariant,
  ReplayFileError,
  replay,
  type Scenario,
  ScenarioError,
} from '../index.ts';
import { weighFaults } from './fault-kinds.ts';
import { prepareScenario, runScenario } from './run.ts';
import { describeSchedule, drawSchedule, type Profile, type Schedule } from './schedule.ts';
import { shrinkSchedule } from './shrink.ts';
import { diffLines } from './story.ts';

/** A counter whose keeper adds one twice: it neither looks at the revision nor at whether its request was done before. */
const counter: Scenario = {
  name: 'a counter that is kept carelessly',
  cluster: { components: [] },
  async prepare(cluster) {
    await cluster.client.core.v1.configMaps('default').create({ metadata: { name: 'count' }, data: { n: '0' } });
  },
  async run(cluster) {
    const client = await cluster.clientAs({ name: 'keeper', groups: ['system:masters'] });
    const maps = client.core.v1.configMaps('default');
    const add = async () => {
      const { data } = await maps.get('count');
      await maps.patch('count', { data: { n: String(Number(data?.['n']) + 1) } }, { type: 'merge' });
    };
    let done = false;
    const work = (async () => {
      for (let n = 0; n < 3; n++)
        await add()
          .catch(add)
          .catch(() => undefined);
      done = true;
    })();
    await cluster.until(() => done, { what: 'three additions' });
    await work;
  },
};

const neverMoreThanThree: Invariant = {
  name: 'never more than three',
  check(_view, { resource, object }) {
    if (resource !== 'configmaps') return;
    const { n } = (object as unknown as { data: { n: string } }).data;
    if (Number(n) > 3) return `the count is ${n}`;
  },
};

async function failureOf(run: Promise<unknown>): Promise<ExplorationFailure> {
  try {
    await run;
  } catch (error) {
    assert.ok(error instanceof ExplorationFailure, String(error));
    return error;
  }
  assert.fail('nothing was found');
}

test('what fails is found, made short, told and replayed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-explore-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const invariants = [neverMoreThanThree];
  const failure = await failureOf(
    explore(counter, { runs: 200, seed: 1, faults: ['lose-answer', 'delay', 'compact', 'refuse'], invariants, folder }),
  );
  assert.equal(failure.failure.name, 'never more than three');
  // One lost answer is all it takes.
  assert.deepEqual(
    failure.schedule.perturbations.map(({ fault, times }) => [fault, times]),
    [['lose-answer', 1]],
  );
  assert.match(
    failure.message,
    /^a counter that is kept carelessly, seed 1\/\d+: never more than three: the count is 4/,
  );
  assert.match(failure.message, /lose-answer: .*patch configmaps by keeper is done, but its answer is lost/);
  assert.match(failure.message, /configmaps default\/count: data\.n "3" → "4"/);

  const again = await failureOf(replay(failure.file ?? '', counter, { invariants }));
  assert.equal(again.failure.message, failure.failure.message);
  // Held to nothing it does not fail.
  await replay(failure.file ?? '', counter, { invariants: [] });

  const content = JSON.parse(await readFile(failure.file ?? '', 'utf8'));
  const wrong: [object, RegExp][] = [
    [{ format: 2 }, /format is 2; this version reads 1/],
    [{ tutti: '0.0.0' }, /written by version 0\.0\.0; this is/],
    [{ node: 22 }, /written on Node 22; this is Node \d+, where the same seed may be another run/],
    [{ node: undefined }, /written on Node undefined/],
    [{ scenario: 'another' }, /scenario is "another", not "a counter/],
    [
      { schedule: { ...content.schedule, perturbations: [{ fault: 'rain', atMs: 0 }] } },
      /perturbations\[0\]\.fault is "rain"/,
    ],
    [
      { schedule: { ...content.schedule, perturbations: [{ fault: 'delay', atMs: 'soon' }] } },
      /perturbations\[0\]\.atMs is no number/,
    ],
  ];
  const other = join(folder, 'other.json');
  for (const [change, message] of wrong) {
    await writeFile(other, JSON.stringify({ ...content, ...change }));
    await assert.rejects(replay(other, counter), (error: Error) => {
      assert.ok(error instanceof ReplayFileError);
      assert.ok(error.message.startsWith(other), 'it names the file');
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(replay(join(folder, 'none.json'), counter), ReplayFileError);
});

test('one seed, one history; another seed, another', async () => {
  const prepared = await prepareScenario(counter, 'x');
  const schedule: Schedule = {
    latencyMs: 20,
    shuffle: true,
    perturbations: [
      { fault: 'lose-answer', atMs: 0, of: 'keeper', verb: 'patch', resource: 'configmaps', after: 1, times: 1 },
    ],
  };
  const historyOf = async (seed: string, changed: Partial<Schedule> = {}) => {
    const { history } = await runScenario(prepared, {
      seed,
      schedule: { ...schedule, ...changed },
      invariants: [],
      settleWithinMs: 0,
    });
    return String(history);
  };
  const first = await historyOf('1');
  assert.equal(await historyOf('1'), first);
  assert.notEqual(await historyOf('2'), first);
  assert.notEqual(await historyOf('1', { perturbations: [] }), first);
});

test('a scenario that fails undisturbed, or never ends, is told', async () => {
  const fails: Scenario = {
    ...counter,
    async run(cluster) {
      await cluster.until(() => false, { within: '1s', what: 'what never comes' });
    },
  };
  await assert.rejects(explore(fails, { runs: 1, seed: 7, folder: false }), (error: Error) => {
    assert.ok(error instanceof ScenarioError);
    assert.equal(error.seed, '7');
    assert.match(error.message, /fails though nothing disturbs it[\s\S]*what never comes did not come within 1000 ms/);
    return true;
  });
  const goesOn: Scenario = {
    ...counter,
    within: '1h',
    async run(cluster) {
      for (;;) await cluster.advance('10m');
    },
  };
  await assert.rejects(explore(goesOn, { runs: 1, seed: 7, folder: false }), /did not end within 3600000 ms/);
});

test('wrong options are told', async () => {
  const wrong: [object, RegExp][] = [
    [{ run: 3 }, /explore has no option "run"; it knows runs, seed/],
    [{ runs: -1 }, /runs is a whole number from 0 on, not -1/],
    [{ runs: 1, faults: ['rain'] }, /explore knows no fault "rain"; it knows refuse/],
    [{ runs: 1, faults: { delay: -1 } }, /the weight of the fault "delay" is 0 or more/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(explore(counter, options as never), (error: Error) => {
      assert.ok(error instanceof ClusterUsageError);
      assert.match(error.message, message);
      return true;
    });
  }
  await assert.rejects(explore({ ...counter, prepair() {} } as never, { runs: 1 }), /a scenario has no part "prepair"/);
});

test('schedules are shrunk to what is needed', async () => {
  const perturbations = Array.from({ length: 8 }, (_, n) => ({ fault: 'disk-full', atMs: n, forMs: 1_000 }) as const);
  const needs = [2, 5];
  const fails = async (schedule: Schedule) =>
    needs.every((atMs) => schedule.perturbations.some((one) => one.atMs === atMs && (one.forMs ?? 0) >= 100));
  const { schedule, tries } = await shrinkSchedule({ latencyMs: 20, shuffle: true, perturbations }, fails, 200);
  assert.deepEqual(
    schedule.perturbations.map(({ atMs }) => atMs),
    needs,
  );
  assert.ok(schedule.perturbations.every(({ forMs = 0 }) => forMs >= 100 && forMs < 300));
  assert.deepEqual([schedule.latencyMs, schedule.shuffle], [0, false]);
  assert.ok(tries < 60, `${tries} tries`);
  let asked = 0;
  const limited = await shrinkSchedule({ latencyMs: 0, shuffle: false, perturbations }, async () => ++asked < 0, 3);
  assert.equal(limited.tries, 3);
});

test('schedules are drawn over what a scenario does', () => {
  const profile: Profile = {
    durationMs: 100,
    requests: [{ user: 'keeper', verb: 'get', resource: 'configmaps', count: 2 }],
    nodes: [],
    components: [],
  };
  for (let seed = 0; seed < 50; seed++) {
    const { perturbations } = drawSchedule(profile, new SeededRandom(seed), {
      weights: weighFaults(),
      most: 4,
      longestMs: 1_000,
    });
    assert.ok(perturbations.length >= 1 && perturbations.length <= 4);
    for (const { fault, verb, after = 0 } of perturbations) {
      assert.ok(!/node|link|component|clock/.test(fault), `${fault} without nodes and components`);
      if (verb) assert.deepEqual([verb, after < 2], ['get', true]);
    }
  }
  const told = describeSchedule({
    latencyMs: 5,
    shuffle: false,
    perturbations: [{ fault: 'node-crash', atMs: 1_500, forMs: 60_000, of: 'node-1' }],
  });
  assert.deepEqual(told, [
    'requests and events of watches take up to 5 ms',
    '1.500 s  node-crash: node-1 for 60.000 s',
  ]);
});

test('differences are told by names', () => {
  const before = {
    spec: {
      containers: [
        { name: 'a', image: 'x:1' },
        { name: 'b', image: 'y:1' },
      ],
    },
  };
  const now = {
    spec: {
      replicas: 2,
      containers: [
        { name: 'b', image: 'y:1' },
        { name: 'a', image: 'x:2' },
      ],
    },
  };
  assert.deepEqual(diffLines(before, now), ['spec.containers[a].image "x:1" → "x:2"', 'spec.replicas none → 2']);
});
