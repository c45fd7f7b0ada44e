import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import { chooseImages, type ImageCandidate, oldImages } from './images.ts';
import { rotateLog } from './logs.ts';

const image = (id: string, more: Partial<ImageCandidate> = {}): ImageCandidate => ({
  id,
  sizeBytes: 100,
  inUse: false,
  pinned: false,
  firstSeenMs: 0,
  usedMs: 0,
  ...more,
});

test('which images go', async (t) => {
  const cases: [string, ImageCandidate[], number, string[]][] = [
    ['none when nothing is needed', [image('a')], 0, []],
    ['as many as are needed', [image('a'), image('b'), image('c')], 150, ['a', 'b']],
    ['the longest unused first', [image('a', { usedMs: 9 }), image('b', { usedMs: 5 })], 1, ['b']],
    ['never what is in use', [image('a', { inUse: true }), image('b')], 500, ['b']],
    ['never what is pinned', [image('a', { pinned: true })], 500, []],
    ['not what came just now', [image('a', { firstSeenMs: 950 })], 500, []],
  ];
  for (const [name, images, freeBytes, expected] of cases) {
    await t.test(name, () =>
      assert.deepEqual(
        chooseImages(images, { freeBytes, nowMs: 1000, minimumAgeMs: 100 }).map(({ id }) => id),
        expected,
      ),
    );
  }
});

test('images that nothing has run from for long go, whatever room there is', () => {
  const images = [
    image('old'),
    image('came just now', { firstSeenMs: 950 }),
    image('ran lately', { usedMs: 901 }),
    image('runs', { inUse: true }),
    image('pinned', { pinned: true }),
    image('as old as may be', { usedMs: 900 }),
  ];
  assert.deepEqual(
    oldImages(images, { nowMs: 1_000, maximumAgeMs: 100 }).map(({ id }) => id),
    ['old'],
  );
});

test('a log that has grown is moved aside, those before are compressed, and the oldest go', async () => {
  const { host, clock } = virtualTest();
  const { files } = host;
  await files.makeDirectory('/logs/main');
  let reopened = 0;
  const cri = { reopenContainerLog: async () => (reopened++, files.write('/logs/main/0.log', ''), {}) };
  const rotate = () =>
    rotateLog(
      { id: 'c', logPath: '/logs/main/0.log' },
      { files, cri, nowMs: clock.now(), maxSizeBytes: 10, maxFiles: 4 },
    );
  await files.write('/logs/main/0.log', 'short');
  assert.equal(await rotate(), false);
  for (let n = 0; n < 5; n++) {
    await files.write('/logs/main/0.log', `long enough ${n}`);
    assert.equal(await rotate(), true);
    await clock.advance(1_000);
  }
  assert.equal(reopened, 5);
  const [, ...aside] = await files.list('/logs/main');
  assert.deepEqual(aside, ['0.log.20260101-000002.gz', '0.log.20260101-000003.gz', '0.log.20260101-000004']);
  assert.equal(String(gunzipSync(await files.read(`/logs/main/${aside[1]}`))), 'long enough 3');
  assert.equal(await files.readText(`/logs/main/${aside[2]}`), 'long enough 4');
});

test('a compression that a crash has broken off is begun anew', async () => {
  const { host, clock } = virtualTest();
  const { files } = host;
  const content = 'x'.repeat(1_000_000);
  await files.makeDirectory('/logs/main');
  for (const [name, text] of Object.entries({
    '': content,
    '.20251231-235957': content,
    '.20251231-235957.gz': 'a copy, and the original has not gone yet',
    '.20251231-235958': content,
    '.20251231-235958.gz.tmp': 'half of it',
  })) {
    await files.write(`/logs/main/0.log${name}`, text, { mode: 0o640 });
  }
  const cri = { reopenContainerLog: async () => (await files.write('/logs/main/0.log', ''), {}) };
  const options = { files, cri, nowMs: clock.now(), maxSizeBytes: 10, maxFiles: 5 };
  assert.equal(await rotateLog({ id: 'c', logPath: '/logs/main/0.log' }, options), true);
  assert.deepEqual(await files.list('/logs/main'), [
    '0.log',
    '0.log.20251231-235957.gz',
    '0.log.20251231-235958.gz',
    '0.log.20260101-000000',
  ]);
  for (const second of [57, 58]) {
    const compressed = `/logs/main/0.log.20251231-2359${second}.gz`;
    assert.equal(String(gunzipSync(await files.read(compressed))), content);
    assert.equal((await files.statIfExists(compressed))?.mode, 0o640);
  }
});
