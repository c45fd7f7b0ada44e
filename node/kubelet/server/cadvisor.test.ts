import assert from 'node:assert/strict';
import { test } from 'node:test';
import { throttlingOf } from './cadvisor.ts';
import { interfacesOf } from './node-usage.ts';

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

test('interfaces are told without the loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:    5000      40    1    2    0     0          0         0     7000      50    3    4    0     0       0          0
`;
  assert.deepEqual(interfacesOf(text), [
    { name: 'eth0', rxBytes: 5000, rxErrors: 1, rxDropped: 2, txBytes: 7000, txErrors: 3, txDropped: 4 },
  ]);
});
