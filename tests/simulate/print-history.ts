// `node tests/simulate/print-history.ts SEED RUNS`: the digest of each run's history, faults included, and what failed.

import { createHash } from 'node:crypto';
import process from 'node:process';
import { SeededRandom } from '../../libs/base/random.ts';
import { weighFaults } from '../../testing/explore/fault-kinds.ts';
import { prepareScenario, runScenario } from '../../testing/explore/run.ts';
import { drawSchedule } from '../../testing/explore/schedule.ts';
import { standardInvariants } from '../../testing/index.ts';
import { rollingUpdate } from './scenarios.ts';

const [seed = '', runs = ''] = process.argv.slice(2);
const prepared = await prepareScenario(rollingUpdate(1, 2), 'one');
const held = { invariants: standardInvariants, settleWithinMs: 600_000 };
const undisturbed = { latencyMs: 5, shuffle: false, perturbations: [] };
const { profile } = await runScenario(prepared, { seed: 'one', schedule: undisturbed, ...held });
for (let run = 0; run < Number(runs); run++) {
  const random = new SeededRandom(`${seed}/${run}`);
  const schedule = drawSchedule(profile, random, { weights: weighFaults(), most: 5, longestMs: 20_000 });
  const { history, failure, faults } = await runScenario(prepared, { seed: `${seed}/${run}`, schedule, ...held });
  const digest = createHash('sha256').update(String(history)).digest('hex');
  process.stdout.write(`${digest} ${JSON.stringify(faults)} ${failure?.message ?? ''}\n`);
}
