import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimeZone, scheduleProblem } from './schedule.ts';

for (const [schedule, problem] of [
  ['*/5 * * * *', undefined],
  ['0 0 1,15 jan-mar sun', undefined],
  ['@hourly', undefined],
  ['@every 90m', undefined],
  ['TZ=UTC 1 2 3 4 5', undefined],
  ['TZ=Nowhere * * * * *', 'provided bad location Nowhere: unknown time zone Nowhere'],
  ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
  ['60 * * * *', 'end of range (60) above maximum (59): 60'],
  ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
  ['*/0 * * * *', 'step of range should be a positive number: */0'],
  ['@reboot', 'unrecognized descriptor: @reboot'],
] as const) {
  test(schedule, () => assert.equal(scheduleProblem(schedule), problem));
}

test('time zones are those of IANA, in their own spelling', () => {
  for (const name of ['UTC', 'Europe/Warsaw', 'America/New_York', 'US/Eastern']) assert.ok(isTimeZone(name), name);
  for (const name of ['utc', 'Nowhere/City', 'GMT+5', '+05:00']) assert.ok(!isTimeZone(name), name);
});
