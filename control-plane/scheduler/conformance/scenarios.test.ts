import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { playScenario, type Scenario, verdictOf } from './scenarios.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const answers = path.join(process.env.TUTTI_REFERENCE ?? path.join(root, '../shared/reference'), 'answers');

/** How many scenarios must be decided as upstream decided them: raised as more are. */
const FLOORS = { 'scheduling.jsonl': 367, 'scheduling-config.jsonl': 35 } as const;

for (const [name, floor] of Object.entries(FLOORS)) {
  const file = path.join(answers, name);
  const skip = existsSync(file) ? false : `${name} of the reference is not there`;
  test(`decides as upstream did: ${name}`, { skip }, (context) => {
    const scenarios = readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Scenario);
    const counts = { same: 0, 'same but for scores': 0, wording: 0, differs: 0 };
    const failures: string[] = [];
    for (const scenario of scenarios) {
      const { verdict, differences } = verdictOf(scenario.answer, playScenario(scenario));
      counts[verdict]++;
      if (verdict !== 'same') failures.push(`${verdict}: ${scenario.id}\n  ${differences.join('\n  ')}`);
    }
    context.diagnostic(JSON.stringify(counts));
    if (process.env.TUTTI_SHOW) context.diagnostic(failures.join('\n'));
    assert.ok(counts.same + counts['same but for scores'] >= floor, failures.slice(0, 5).join('\n'));
  });
}
