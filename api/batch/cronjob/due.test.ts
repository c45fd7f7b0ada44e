import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { formatInZone, parseSchedule } from './due.ts';

const ms = (text: string): number => Date.parse(text);

describe('when schedules are due', () => {
  const cases: [string, string | undefined, string, ...string[]][] = [
    ['*/15 * * * *', undefined, '2026-01-01T00:07:10Z', '2026-01-01T00:15:00Z', '2026-01-01T00:30:00Z'],
    ['0 0 29 2 *', undefined, '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['59 23 31 2 *', undefined, '2026-01-01T00:00:00Z'],
    ['30 6-16/4 * * mon-fri', undefined, '2026-01-02T14:31:00Z', '2026-01-05T06:30:00Z', '2026-01-05T10:30:00Z'],
    [
      '0 0 13 * fri',
      undefined,
      '2026-01-01T00:00:00Z',
      '2026-01-02T00:00:00Z',
      '2026-01-09T00:00:00Z',
      '2026-01-13T00:00:00Z',
    ],
    ['0 0 */10 * mon', undefined, '2026-01-01T00:00:00Z', '2026-01-05T00:00:00Z', '2026-01-11T00:00:00Z'],
    ['5/20 * * * *', undefined, '2026-01-01T00:00:00Z', '2026-01-01T00:05:00Z', '2026-01-01T00:25:00Z'],
    ['@monthly', undefined, '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
    ['@every 90m', undefined, '2026-01-01T00:00:10Z', '2026-01-01T01:30:10Z', '2026-01-01T03:00:10Z'],
    ['@every 10ms', undefined, '2026-01-01T00:00:10Z', '2026-01-01T00:00:11Z'],
    ['0 8 * * *', 'Europe/Warsaw', '2026-03-28T06:00:00Z', '2026-03-28T07:00:00Z', '2026-03-29T06:00:00Z'],
    // That night has no half past two.
    ['30 2 * * *', 'Europe/Warsaw', '2026-03-28T02:00:00Z', '2026-03-30T00:30:00Z'],
    // And this one has it twice.
    ['30 2 * * *', 'Europe/Warsaw', '2026-10-24T22:00:00Z', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'],
    // Here summer begins at midnight, so that the day begins at one.
    ['0 * 6 9 *', 'America/Santiago', '2026-09-05T12:00:00Z', '2026-09-06T04:00:00Z'],
    ['0 0 * * *', 'Asia/Kathmandu', '2026-01-01T00:00:00Z', '2026-01-01T18:15:00Z'],
  ];
  for (const [schedule, zone, after, ...times] of cases) {
    it(`${schedule}${zone ? ` in ${zone}` : ''} after ${after}`, () => {
      const due = parseSchedule(schedule, zone);
      let timeMs: number | undefined = ms(after);
      for (const time of times) {
        timeMs = due.next(timeMs as number);
        assert.equal(timeMs === undefined ? undefined : new Date(timeMs).toISOString(), new Date(time).toISOString());
      }
      if (times.length === 0) assert.equal(due.next(ms(after)), undefined);
    });
  }
  it('says what is wrong', () => assert.throws(() => parseSchedule('* * * *'), /expected exactly 5 fields/));
});

it('times are written in their zone', () => {
  assert.equal(formatInZone(ms('2026-07-01T06:00:00Z'), 'Europe/Warsaw'), '2026-07-01T08:00:00+02:00');
  assert.equal(formatInZone(ms('2026-07-01T06:00:00Z'), 'Etc/UTC'), '2026-07-01T06:00:00Z');
  assert.equal(formatInZone(ms('2026-01-01T00:00:00Z'), 'America/New_York'), '2025-12-31T19:00:00-05:00');
});

test('asked in any order, a schedule says what it says when it is asked but once', () => {
  for (const [schedule, zone] of [
    ['*/20 3,4 * * *', 'UTC'],
    ['30 2 * * *', 'Europe/Berlin'],
  ] as const) {
    const due = parseSchedule(schedule, zone);
    const startMs = Date.parse('2026-03-28T00:00:00Z');
    for (const minutes of [0, 5, 200, 201, 180, 179, 1600, 1601, 0, 4000, 1440]) {
      const afterMs = startMs + minutes * 60_000;
      assert.equal(due.next(afterMs), parseSchedule(schedule, zone).next(afterMs), `${schedule} after ${minutes} min`);
    }
  }
});

test('in weeks in which the clocks change, what is due is what each minute alone says', () => {
  const wall = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Berlin', timeStyle: 'short' });
  const cases = [
    ['0 9 * * *', ['09:00']],
    ['30 1,3 * * *', ['01:30', '03:30']],
    ['15 2,23 * * *', ['02:15', '23:15']],
  ] as const;
  for (const [schedule, times] of cases) {
    for (const start of ['2026-03-27T00:00:00Z', '2026-10-23T00:00:00Z']) {
      const endMs = ms(start) + 4 * 86_400_000;
      const wanted: number[] = [];
      for (let at = ms(start) + 60_000; at <= endMs; at += 60_000)
        if ((times as readonly string[]).includes(wall.format(at))) wanted.push(at);
      const due = parseSchedule(schedule, 'Europe/Berlin');
      const found: number[] = [];
      for (let at = due.next(ms(start)); at !== undefined && at <= endMs; at = due.next(at)) found.push(at);
      assert.deepEqual(found, wanted, `${schedule} from ${start}`);
    }
  }
});
