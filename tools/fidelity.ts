// `npm run fidelity [-- area ... --filter REGEXP --show N --json FILE --write]`: compares our answers with upstream's.
//
// Starts an API server in this process, with a store in memory, and plays the recorded cases of the reference data
// against it, area by area (the names of the files; without one: those that need nothing but an API server). --write
// puts the counts into docs/fidelity.md, --json what came of each case into a file.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { builtinKinds } from '../api/kinds.ts';
import { withKinds } from '../tests/fidelity/kinds.ts';
import { playRecorded, recordings, type Verdict } from '../tests/fidelity/play.ts';
import { playScenarios } from '../tests/fidelity/play-scenarios.ts';
import { countAreas, withAreas } from '../tests/fidelity/table.ts';

const AREAS = ['defaults', 'update', 'patch', 'read', 'validation', 'protobuf', 'authn-authz', 'authn-authz-serial'];
const LATER_AREAS = ['admission', 'admission-serial', 'crd', 'crd-serial', 'crd-served-serial', 'crd-cel-serial'];
/** Scenarios, which want a whole control plane and as long as controllers take: some minutes. */
const SCENARIO_AREAS = ['controllers', 'controllers-serial'];
const LAST_AREAS = ['admission-policies-serial', 'admission-webhooks-serial', 'warnings-and-fairness', 'more-apis'];

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      filter: { type: 'string' },
      show: { type: 'string', default: '5' },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  if (recordings === undefined) {
    process.stdout.write(
      'The recorded answers are not here: put them into ../shared/reference, or set TUTTI_REFERENCE.\n',
    );
    return 0;
  }
  const areas = positionals.length > 0 ? positionals : [...AREAS, ...LATER_AREAS, ...LAST_AREAS, ...SCENARIO_AREAS];
  const verdicts: Verdict[] = [];
  const failed: string[] = [];
  for (const area of areas) {
    try {
      const play = SCENARIO_AREAS.includes(area) ? playScenarios : playRecorded;
      const played = await play([area], {
        ...(values.filter === undefined ? {} : { filter: values.filter }),
        show: Number(values.show),
        print: (text) => process.stdout.write(text),
      });
      verdicts.push(...played);
    } catch (error) {
      failed.push(area);
      process.stdout.write(`${area} was not played to its end: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(verdicts, null, 1)}\n`);
  if (values.write && values.filter === undefined) {
    const path = join(import.meta.dirname, '../docs/fidelity.md');
    writeFileSync(path, withKinds(withAreas(readFileSync(path, 'utf8'), countAreas(verdicts, 1)), builtinKinds));
  }
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
