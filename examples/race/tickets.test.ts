import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExplorationFailure, explore, replay } from 'tutti';
import { boxOffice } from './tickets.ts';

const faults = { delay: 1 };

test('a lost sale is found, told as a story, and replayed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tickets-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const found = await explore(boxOffice(false), { runs: 300, seed: 1, faults, folder }).then(
    () => assert.fail('the race was not found'),
    (error: unknown) => error,
  );
  assert.ok(found instanceof ExplorationFailure, String(found));
  assert.match(found.message, /1 in the books/);
  assert.ok(found.file);
  // The file shows the same failure again, and is held against a mended program.
  await assert.rejects(replay(found.file, boxOffice(false)), ExplorationFailure);
});

test('windows that say what they have read lose nothing', async () => {
  const { runs } = await explore(boxOffice(true), { runs: 100, seed: 1, faults, folder: false });
  assert.equal(runs, 100);
});
