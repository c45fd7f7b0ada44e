import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import { chooseImages, type ImageCandidate } from './images.ts';
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

test('a log that has grown is moved aside, and the oldest go', async () => {
  const { host, clock } = virtualTest();
  const { files } = host;
  await files.makeDirectory('/logs/main');
  let reopened = 0;
  const cri = { reopenContainerLog: async () => (reopened++, files.write('/logs/main/0.log', ''), {}) };
  const rotate = () =>
    rotateLog(
      { id: 'c', logPath: '/logs/main/0.log' },
      { files, cri, nowMs: clock.now(), maxSizeBytes: 10, maxFiles: 3 },
    );
  await files.write('/logs/main/0.log', 'short');
  assert.equal(await rotate(), false);
  for (let n = 0; n < 4; n++) {
    await files.write('/logs/main/0.log', `long enough ${n}`);
    assert.equal(await rotate(), true);
    await clock.advance(1_000);
  }
  assert.equal(reopened, 4);
  const names = await files.list('/logs/main');
  assert.deepEqual(names, ['0.log', '0.log.20260101-000002', '0.log.20260101-000003']);
  assert.equal(await files.readText(`/logs/main/${names[2]}`), 'long enough 3');
});
