import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers } from '../../tests/fidelity/answers.ts';
import {
  canonicalDuration,
  canonicalMicroTime,
  canonicalTime,
  durationMs,
  epochMs,
  formatDuration,
  formatMicroTime,
  formatTime,
  parseDuration,
  parseTime,
} from './time.ts';

test('times are stored in UTC, to the second', () => {
  const table: [string, string | null][] = [
    ['1999-12-31T23:59:59Z', '1999-12-31T23:59:59Z'],
    ['1999-12-31T23:59:59.999Z', '1999-12-31T23:59:59Z'],
    ['1999-12-31T23:59:59,5Z', '1999-12-31T23:59:59Z'],
    ['1999-12-31T23:59:59+02:00', '1999-12-31T21:59:59Z'],
    ['1999-12-31T23:59:59-00:30', '2000-01-01T00:29:59Z'],
    ['1999-12-31T3:59:59Z', '1999-12-31T03:59:59Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00Z'],
    ['0001-01-01T00:00:00Z', null],
    ['0001-01-01T00:00:01Z', '0001-01-01T00:00:01Z'],
    ['0050-06-01T00:00:00Z', '0050-06-01T00:00:00Z'],
  ];
  for (const [text, want] of table) assert.equal(canonicalTime(text), want, text);
});

test('text that is no time', () => {
  const as = 'as "2006-01-02T15:04:05Z07:00": cannot parse';
  const table: [string, string][] = [
    ['', `parsing time "" ${as} "" as "2006"`],
    ['199', `parsing time "199" ${as} "199" as "2006"`],
    ['1999-12-31 23:59:59Z', `parsing time "1999-12-31 23:59:59Z" ${as} " 23:59:59Z" as "T"`],
    ['1999-12-1T23:59:59Z', `parsing time "1999-12-1T23:59:59Z" ${as} "1T23:59:59Z" as "02"`],
    ['1999-12-31T23:59:59+0200', `parsing time "1999-12-31T23:59:59+0200" ${as} "+0200" as "Z07:00"`],
    ['1999-12-31T23:59:59.Z', `parsing time "1999-12-31T23:59:59.Z" ${as} ".Z" as "Z07:00"`],
    ['1999-13-31T23:59:59Z', 'parsing time "1999-13-31T23:59:59Z": month out of range'],
    ['1999-02-29T00:00:00Z', 'parsing time "1999-02-29T00:00:00Z": day out of range'],
    ['1999-02-01T24:00:00Z', 'parsing time "1999-02-01T24:00:00Z": hour out of range'],
    ['1999-02-01T00:60:00Z', 'parsing time "1999-02-01T00:60:00Z": minute out of range'],
    ['1999-02-01T00:00:00+25:00', 'parsing time "1999-02-01T00:00:00+25:00": time zone offset hour out of range'],
    ['1999-02-01T00:00:00Zé', 'parsing time "1999-02-01T00:00:00Z\\xc3\\xa9": extra text: "\\xc3\\xa9"'],
  ];
  for (const [text, message] of table) assert.throws(() => canonicalTime(text), { name: 'TimeError', message }, text);
});

test('micro times keep six decimals', () => {
  assert.equal(canonicalMicroTime('2026-01-02T15:04:05.120000+01:00'), '2026-01-02T14:04:05.120000Z');
  assert.equal(canonicalMicroTime('0001-01-01T00:00:00.000000Z'), null);
  assert.throws(() => canonicalMicroTime('2026-01-02T15:04:05.12Z'), /cannot parse "\.12Z" as "\.000000"/);
  assert.equal(formatMicroTime(1_767_366_245_120.5), '2026-01-02T15:04:05.120500Z');
});

test('clock readings', () => {
  assert.equal(formatTime(1_767_366_245_999), '2026-01-02T15:04:05Z');
  assert.equal(formatTime(-1), '1969-12-31T23:59:59Z');
  assert.equal(epochMs('2026-01-02T15:04:05Z'), 1_767_366_245_000);
  assert.equal(epochMs(null), undefined);
  assert.deepEqual(parseTime('1970-01-01T00:00:01.25Z'), { seconds: 1, nanos: 250_000_000 });
});

test("upstream's recorded times", { skip: answers.skip }, () => {
  // The recordings hide today's times, and with them the layout's own `2006-01-02T15:04:05Z`.
  const hide = (message: string): string => message.replace(/"2006-01-02T15:04:05(\.000000)?Z07:00"/, '"<time>07:00"');
  let played = 0;
  for (const {
    id,
    answers: [answer],
  } of answers.read('defaults')) {
    const match = /^defaults\/times\/of-(seconds|microseconds) (".*")$/.exec(id);
    if (match === null) continue;
    const text = JSON.parse(match[2] as string) as string;
    const canonical = match[1] === 'seconds' ? canonicalTime : canonicalMicroTime;
    const body = answer?.body as any;
    played++;
    if (answer?.code !== 201) {
      assert.throws(
        () => canonical(text),
        (e: Error) => body.message.endsWith(`: ${hide(e.message)}`),
        id,
      );
    } else {
      const want = match[1] === 'seconds' ? body.firstTimestamp : body.spec.renewTime;
      if (want !== '<time>') assert.equal(canonical(text), want, id);
    }
  }
  assert.ok(played > 25);
});

test('durations', () => {
  const table: [string, string][] = [
    ['0', '0s'],
    ['1h30m', '1h30m0s'],
    ['90m', '1h30m0s'],
    ['1.5s', '1.5s'],
    ['-1.5h', '-1h30m0s'],
    ['300ms', '300ms'],
    ['1500ms', '1.5s'],
    ['1us', '1µs'],
    ['1.5µs', '1.5µs'],
    ['+10ns', '10ns'],
    ['.5s', '500ms'],
    ['1.s', '1s'],
    ['1h1ns', '1h0m0.000000001s'],
    ['-9223372036854775808ns', '-2562047h47m16.854775808s'],
  ];
  for (const [text, want] of table) assert.equal(canonicalDuration(text), want, text);
  assert.equal(parseDuration('1h30m'), 5_400_000_000_000n);
  assert.equal(durationMs('1.5ms'), 1.5);
  assert.equal(formatDuration(61_000_000_000n), '1m1s');
});

test('text that is no duration', () => {
  const table: [string, string][] = [
    ['', 'time: invalid duration ""'],
    ['x', 'time: invalid duration "x"'],
    ['.s', 'time: invalid duration ".s"'],
    ['1', 'time: missing unit in duration "1"'],
    ['1x', 'time: unknown unit "x" in duration "1x"'],
    ['3 days', 'time: unknown unit " days" in duration "3 days"'],
    ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
    ['99999999999999999999h', 'time: invalid duration "99999999999999999999h"'],
  ];
  for (const [text, message] of table) assert.throws(() => parseDuration(text), { name: 'DurationError', message });
});
