import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageOf, humanDuration, shortHumanDuration, untilOf } from './duration.ts';

const s = 1000;
const m = 60 * s;
const h = 60 * m;
const d = 24 * h;

test('human durations', () => {
  const table: [number, string, string][] = [
    [-2 * s, '<invalid>', '<invalid>'],
    [-1 * s, '0s', '0s'],
    [-500, '0s', '0s'],
    [0, '0s', '0s'],
    [1500, '1s', '1s'],
    [119 * s, '119s', '1m'],
    [2 * m, '2m', '2m'],
    [2 * m + 5 * s, '2m5s', '2m'],
    [10 * m, '10m', '10m'],
    [179 * m, '179m', '2h'],
    [3 * h, '3h', '3h'],
    [3 * h + 20 * m, '3h20m', '3h'],
    [8 * h, '8h', '8h'],
    [47 * h, '47h', '1d'],
    [2 * d, '2d', '2d'],
    [2 * d + 3 * h, '2d3h', '2d'],
    [8 * d, '8d', '8d'],
    [729 * d, '729d', '1y'],
    [730 * d, '2y', '2y'],
    [800 * d, '2y70d', '2y'],
    [8 * 365 * d, '8y', '8y'],
  ];
  for (const [ms, long, short] of table) {
    assert.equal(humanDuration(ms), long, String(ms));
    assert.equal(shortHumanDuration(ms), short, String(ms));
  }
});

test('ages', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(ageOf('2026-01-01T00:00:00Z', now), '24h');
  assert.equal(ageOf(null, now), '<unknown>');
  assert.equal(untilOf('2026-01-02T00:05:00Z', now), '5m');
});
