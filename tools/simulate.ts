// `npm run simulate [-- --seeds N --seed TEXT --only WORDS --keep-going --folder PATH]`: Tutti's own scenarios, each with
// many seeds, under faults.
//
// A failure is told as a story, and a file that replays it is written (default folder: explore-failures). --only chooses
// scenarios by a part of their name; --keep-going goes on with the next scenario after a failure. The exit code is 1 where
// one failed.

import process from 'node:process';
import { parseArgs } from 'node:util';
import { SCENARIOS } from '../tests/simulate/scenarios.ts';
import { describeCounts, simulate } from '../tests/simulate/simulate.ts';

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Date.now()) },
      only: { type: 'string', default: '' },
      folder: { type: 'string', default: 'explore-failures' },
      'keep-going': { type: 'boolean', default: false },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isInteger(seeds) || seeds < 1) {
    process.stderr.write(`simulate: --seeds is a whole number from 1 on, not ${values.seeds}\n`);
    return 2;
  }
  const chosen = SCENARIOS.filter(({ scenario }) => scenario.name.includes(values.only));
  if (chosen.length === 0) {
    const names = SCENARIOS.map(({ scenario }) => scenario.name).join('; ');
    process.stderr.write(`simulate: no scenario is named so; there are: ${names}\n`);
    return 2;
  }
  const { counts, failures } = await simulate(chosen, {
    seeds,
    seed: values.seed,
    folder: values.folder,
    keepGoing: values['keep-going'],
    say: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`\nseed ${values.seed}\n${describeCounts(counts)}\n`);
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
