// `node tests/simulate/part.ts SEEDS SEED`: explores Tutti's scenarios and prints what came of it as one line of JSON. A
// failure is told on stderr.

import process from 'node:process';
import { SCENARIOS } from './scenarios.ts';
import { simulate } from './simulate.ts';

const [seeds = '', seed = ''] = process.argv.slice(2);
const lines: string[] = [];
try {
  const done = await simulate(SCENARIOS, {
    seeds: Number(seeds),
    seed,
    folder: 'explore-failures',
    say: (line) => lines.push(line),
  });
  process.stdout.write(JSON.stringify({ ...done, lines }));
} catch (error) {
  process.stderr.write(
    error instanceof Error
      ? error.name === 'ExplorationFailure'
        ? error.message
        : (error.stack ?? '')
      : String(error),
  );
  process.exitCode = 1;
}
