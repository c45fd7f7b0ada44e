import assert from 'node:assert/strict';
import { test } from 'node:test';
import { throttlingOf } from './cadvisor.ts';

const CASES: [string, Record<string, number>, ReturnType<typeof throttlingOf>][] = [
  [
    'v1, in nanoseconds',
    { nr_periods: 20, nr_throttled: 5, throttled_time: 1_500_000_000 },
    { periods: 20, throttledPeriods: 5, throttledSeconds: 1.5 },
  ],
  [
    'v2, in microseconds',
    { usage_usec: 9, nr_periods: 20, nr_throttled: 5, throttled_usec: 1_500_000 },
    { periods: 20, throttledPeriods: 5, throttledSeconds: 1.5 },
  ],
  ['without a controller', { usage_usec: 9 }, undefined],
  ['without a cgroup', {}, undefined],
];
for (const [name, stat, expected] of CASES) {
  test(`throttling in cgroups ${name}`, () => assert.deepEqual(throttlingOf(stat), expected));
}
