import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Group, groupFiles } from './groups.ts';
import { closingLine, count, isMachineLacking, newTally, type Tally } from './results.ts';
import { runGroup } from './run-group.ts';

const FILES: Readonly<Record<string, string>> = {
  'good.test.ts': `
    import { describe, test } from 'node:test';
    describe('suite', () => {
      test('one', () => {});
      test('two', async (t) => { await t.test('inside', () => {}); });
    });
    test('three', { skip: 'needs root' }, () => {});
    test('four', { skip: 'needs reference' }, () => {});
  `,
  'bad.test.ts': `
    import assert from 'node:assert/strict';
    import { test } from 'node:test';
    test('around', async (t) => { await t.test('wrong', () => { console.log('a word'); assert.equal(1, 2); }); });
  `,
  'missing.test.ts': `import './nowhere.ts';`,
  'dead.test.ts': `
    import { test } from 'node:test';
    test('dies', () => { console.error('last words'); process.kill(process.pid, 'SIGKILL'); return new Promise(() => {}); });
  `,
  'open.test.ts': `
    import { test } from 'node:test';
    test('leaves a timer behind', () => { setInterval(() => {}, 1000); });
  `,
  'slow.test.ts': `
    import { test } from 'node:test';
    test('never ends', () => new Promise(() => setInterval(() => {}, 1000).unref()));
  `,
};

async function run(
  names: readonly string[],
  isolation: Group['isolation'],
  ci = false,
  testMsMax = 60_000,
  idleMsMax = 60_000,
): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-test-'));
  try {
    for (const name of names) writeFileSync(join(folder, name), FILES[name] as string);
    const tally = newTally();
    const group = { name: 'group', files: names, isolation, concurrency: 2, testMsMax, idleMsMax };
    tally.failures.push(...(await runGroup(folder, group, (result) => count(tally, result, ci))));
    return tally;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const isolation of ['none', 'process'] as const) {
  test(`tests are counted, suites are not (isolation ${isolation})`, async () => {
    assert.equal(closingLine(await run(['good.test.ts'], isolation)), '3 passed, 0 failed, 2 skipped');
  });

  test(`a failure is told once, with its cause (isolation ${isolation})`, async () => {
    const tally = await run(['good.test.ts', 'bad.test.ts'], isolation);
    assert.equal(closingLine(tally), '3 passed, 1 failed, 2 skipped');
    assert.match(tally.failures[0]?.title ?? '', /bad\.test\.ts:4 wrong$/);
    assert.match(tally.failures[0]?.text ?? '', /1 !== 2/);
  });

  test(`a file that cannot be loaded is a failure (isolation ${isolation})`, async () => {
    const tally = await run(['good.test.ts', 'missing.test.ts'], isolation);
    assert.equal(closingLine(tally), '3 passed, 1 failed, 2 skipped');
    assert.match(tally.failures[0]?.text ?? '', /nowhere\.ts/);
  });

  test(`a process that dies is a failure (isolation ${isolation})`, async () => {
    const tally = await run(['dead.test.ts'], isolation);
    assert.equal(tally.failures.length, 1);
    assert.match(tally.failures[0]?.text ?? '', /last words/);
  });

  test(`a process that does not end after its tests is a failure (isolation ${isolation})`, async () => {
    const tally = await run(['open.test.ts'], isolation, false, 60_000, 1500);
    assert.match(tally.failures[0]?.title ?? '', /did not end$/);
    assert.match(
      tally.failures[0]?.text ?? '',
      /after "leaves a timer behind" \(open\.test\.ts\): something is still open/,
    );
  });

  test(`a test that does not end is a failure (isolation ${isolation})`, async () => {
    const tally = await run(['slow.test.ts'], isolation, false, 300);
    assert.match(tally.failures[0]?.title ?? '', /never ends$/);
  });
}

test('under CI a skip is a failure, save for the reference data', async () => {
  const tally = await run(['good.test.ts'], 'none', true);
  assert.equal(closingLine(tally), '3 passed, 1 failed, 1 skipped');
  assert.match(tally.failures[0]?.text ?? '', /needs root/);
});

test('a skip tells whether the machine lacks something', () => {
  const lacking = ['', 'needs root', 'needs root, etcd', 'needs kubectl', 'no containerd here', 'only on Linux'];
  const fine = ['needs reference', 'the recorded answers are not here', 'memory offers no reopen'];
  assert.deepEqual(
    lacking.map(isMachineLacking),
    lacking.map(() => true),
  );
  assert.deepEqual(
    fine.map(isMachineLacking),
    fine.map(() => false),
  );
});

test('files beside the code share processes, those under tests/ do not', () => {
  const beside = ['libs/a.test.ts', 'api/b.test.ts', 'libs/c.test.ts'];
  const files = [...beside, 'tests/harness/d.test.ts', 'tests/e2e/e.test.ts', 'tests/package/f.test.ts'];
  const rounds = groupFiles(files, 2).map((round) =>
    round.map((group) => [group.isolation, group.concurrency, ...group.files]),
  );
  assert.deepEqual(rounds, [
    [
      ['none', 1, 'libs/a.test.ts', 'libs/c.test.ts'],
      ['none', 1, 'api/b.test.ts'],
    ],
    [['process', 2, 'tests/harness/d.test.ts']],
    [['process', 2, 'tests/e2e/e.test.ts']],
    [['process', 1, 'tests/package/f.test.ts']],
  ]);
});

test('more cores than files make no empty group', () => {
  assert.deepEqual(
    groupFiles(['a.test.ts'], 8)
      .flat()
      .map((group) => group.files),
    [['a.test.ts']],
  );
  assert.deepEqual(groupFiles([], 8), []);
});
