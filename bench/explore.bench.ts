// Exploring: how many runs a second of a rolling update on three nodes under faults, on one core.

import process from 'node:process';
import { explore } from '../testing/index.ts';
import { rollingUpdate } from '../tests/simulate/scenarios.ts';
import type { Report } from '../tools/bench/figure.ts';

const RUNS = 200;
/** So many come first: explorations have thousands, and the platform goes on compiling what is hot for some hundreds. */
const WARM = 400;

export async function bench(report: Report): Promise<void> {
  const scenario = rollingUpdate(3, 3);
  await explore(scenario, { runs: WARM, seed: 'warm', folder: false });
  const before = process.cpuUsage();
  const { writes } = await explore(scenario, { runs: RUNS, seed: 1, folder: false });
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  report({
    name: 'explore: a rolling update of 3 pods on 3 nodes under faults, one core',
    value: RUNS / seconds,
    unit: 'runs/s',
    atLeast: 50,
  });
  report({ name: 'explore: writes of the store in such a run', value: writes / RUNS, unit: 'writes' });
}
