// `npm run fuzz [-- --seed TEXT --count N --keep-going]`: sends requests made from the schema to servers in this process.
//
// A seed has one history: what goes wrong is printed with its seed and shrunk to the requests that bring it about.
// --keep-going leaves a batch that failed behind and goes on with the next.

import process from 'node:process';
import { parseArgs } from 'node:util';
import { BATCH, describeFailure, fuzzBatch } from '../tests/fuzz/run.ts';

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: String(Date.now()) },
      count: { type: 'string', default: '100000' },
      'keep-going': { type: 'boolean', default: false },
    },
  });
  const count = Number(values.count);
  let failures = 0;
  const began = performance.now();
  for (let asked = 0; asked < count; asked += BATCH) {
    const failure = await fuzzBatch(`${values.seed}/${asked / BATCH}`, Math.min(BATCH, count - asked));
    if (!failure) continue;
    failures++;
    process.stdout.write(`${describeFailure(failure)}\n\n`);
    if (!values['keep-going']) break;
  }
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    `seed ${values.seed}: ${failures === 0 ? `${count} requests, nothing wrong` : `${failures} failures`} (${seconds.toFixed(1)} s)\n`,
  );
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
