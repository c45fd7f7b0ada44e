// `npm test [path ...]`: sets up what the machine lacks, checks the tree, runs every test and counts.
//
// With paths, only the test files under them are run, without the check. The last line is always
// `N passed, N failed, N skipped`; failures are shown in full as soon as their part has run, skipped tests by name. Under CI=true a test that is
// skipped because the machine lacks something is a failure: CI's machine is one that can have it.

import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import process from 'node:process';
import { listSources } from './check/sources.ts';
import { runChecks } from './check.ts';
import { setUp } from './setup.ts';
import { groupFiles } from './test/groups.ts';
import { add, closingLine, count, type Failure, newTally, type Tally } from './test/results.ts';
import { runGroup } from './test/run-group.ts';

const root = join(import.meta.dirname, '..');
const ci = process.env['CI'] === 'true';

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function seconds(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}

/** One part of the run is over: how it went, and at once what failed in it. */
function tell(state: string, failures: readonly Failure[]): void {
  say(`${failures.length === 0 ? 'ok  ' : 'FAIL'} ${state}`);
  for (const { title, text } of failures) say(`FAILED ${title}\n${text.replace(/^/gm, '  ')}`);
}

async function check(tally: Tally): Promise<void> {
  const startedMs = performance.now();
  const results = await runChecks([]);
  for (const { name, lines } of results) {
    if (lines.length === 0) tally.passed += 1;
    else tally.failures.push({ title: `npm run check: ${name}`, text: lines.join('\n') });
  }
  tell(`check: ${results.map((result) => result.name).join(', ')} (${seconds(startedMs)})`, tally.failures);
}

async function runTests(paths: readonly string[], tally: Tally, signal: AbortSignal): Promise<void> {
  const files = listSources(root)
    .map((source) => source.path)
    .filter((path) => path.endsWith('.test.ts') && (paths.length === 0 || paths.some((one) => path.startsWith(one))));
  if (files.length === 0) {
    tally.failures.push({ title: 'npm test', text: `no test file under ${paths.join(', ') || 'the root'}` });
  }
  for (const round of groupFiles(files, availableParallelism())) {
    await Promise.all(
      round.map(async (group) => {
        if (signal.aborted) return;
        const startedMs = performance.now();
        const mine = newTally();
        let tests = 0;
        const failures = await runGroup(
          root,
          group,
          (result) => {
            tests += 1;
            count(mine, result, ci);
          },
          signal,
        );
        mine.failures.push(...failures);
        tell(`${group.name}: ${tests} tests in ${group.files.length} files (${seconds(startedMs)})`, mine.failures);
        add(tally, mine);
      }),
    );
  }
}

async function main(args: readonly string[]): Promise<number> {
  const paths = args.map((path) => relative(root, join(process.cwd(), path)));
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort(new Error(name)));
  const tally = newTally();
  for (const { advice } of setUp('tests', say)) say(advice);
  if (paths.length === 0) await check(tally);
  await runTests(paths, tally, abort.signal);
  if (abort.signal.aborted) tally.failures.push({ title: 'npm test', text: 'interrupted before its end' });

  for (const [reason, names] of tally.skipped) {
    say(`\nskipped (${reason}):`);
    for (const name of new Set(names)) say(`  ${name}`);
  }
  if (tally.failures.length > 0) say('\nfailed, and shown above:');
  for (const { title } of tally.failures) say(`  ${title}`);
  say(`\n${closingLine(tally)}`);
  return tally.failures.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
