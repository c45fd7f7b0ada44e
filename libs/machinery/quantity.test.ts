import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers } from '../../tests/fidelity/answers.ts';
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  formatQuantity,
  mustParseQuantity,
  parseQuantity,
  QuantityError,
  quantityOf,
  roundUpQuantity,
  sameQuantity,
  subtractQuantity,
  toCeil,
  toMilli,
  toNumber,
} from './quantity.ts';

const q = mustParseQuantity;

test('canonical spelling', () => {
  const table: [string, string][] = [
    ['0', '0'],
    ['-0', '0'],
    ['0Ki', '0'],
    ['Ki', '0'],
    ['.', '0'],
    ['-', '0'],
    ['0m', '0'],
    ['+1', '+1'],
    ['00012', '00012'],
    ['5.', '5.'],
    ['.5', '500m'],
    ['1.234', '1.234'],
    ['1.2345', '1234500u'],
    ['1000', '1k'],
    ['1500', '1500'],
    ['15e2', '1500'],
    ['1e19', '10e18'],
    ['1e+2', '100'],
    ['1e+21', '1e+21'],
    ['12E6', '12E6'],
    ['1e-1', '100e-3'],
    ['1E', '1E'],
    ['100000000000000000000', '100E'],
    ['1000E', '1e21'],
    ['1024', '1024'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['0.1Gi', '107374182400m'],
    ['1023Ki', '1023Ki'],
    ['8Ei', '9223372036854775807'],
    ['-8Ei', '-9223372036854775807'],
    ['1024Pi', '1Ei'],
    ['0.5Ki', '512'],
    ['100n', '100n'],
    ['0.0000000001', '1n'],
    ['-0.0000000001', '-1n'],
    [' 1Ki\t', '1Ki'],
    ['0.0001Ki', '102400u'],
    ['+1Pi', '1Pi'],
    ['+1Ti', '+1Ti'],
    ['1e-4000', '1e-9'],
  ];
  for (const [text, want] of table) {
    const got = canonicalQuantity(text);
    assert.equal(got, want, `canonicalQuantity(${JSON.stringify(text)})`);
    assert.equal(canonicalQuantity(got), got, `again: ${got}`);
  }
});

test('text that is no quantity', () => {
  for (const text of ['', '1 Gi', '1GiB', '1_000', '0x10', '1,5', '1e2e3', '1.2.3', 'x', ' ']) {
    assert.throws(() => canonicalQuantity(text), {
      name: 'QuantityError',
      message: /must match the regular expression/,
    });
  }
  for (const text of ['1K', '1ki', '--1', '+-1', '1e', '1e99999999999', '1m3']) {
    assert.throws(() => canonicalQuantity(text), { message: "unable to parse quantity's suffix" }, text);
  }
  assert.ok(parseQuantity(' 1') instanceof QuantityError, 'only decoders cut blanks');
});

test('arithmetic is exact and keeps the format of the first', () => {
  assert.equal(formatQuantity(addQuantity(q('1Gi'), q('1M'))), '1074741824');
  assert.equal(formatQuantity(addQuantity(q('1Gi'), q('1Gi'))), '2Gi');
  assert.equal(formatQuantity(addQuantity(q('0'), q('1Gi'))), '1Gi');
  assert.equal(formatQuantity(addQuantity(q('100m'), q('0.9'))), '1');
  assert.equal(formatQuantity(subtractQuantity(q('1'), q('1m'))), '999m');
  assert.equal(formatQuantity(subtractQuantity(q('1Ki'), q('2Ki'))), '-1Ki');
  assert.equal(formatQuantity(quantityOf(5, -12)), '1n');
  assert.equal(formatQuantity(addQuantity(q('9007199254740993'), q('1n'))), '9007199254740993000000001n');
});

test('comparison ignores spelling', () => {
  assert.equal(compareQuantity(q('1'), q('1000m')), 0);
  assert.equal(compareQuantity(q('1Gi'), q('1G')), 1);
  assert.equal(compareQuantity(q('-1'), q('1n')), -1);
  assert.ok(sameQuantity('1024Mi', '1Gi'));
  assert.ok(!sameQuantity('1', '1001m'));
});

test('numbers round away from zero', () => {
  const table: [string, number, number][] = [
    ['1', 1, 1000],
    ['1500m', 2, 1500],
    ['-1500m', -2, -1500],
    ['1u', 1, 1],
    ['0', 0, 0],
    ['1Gi', 2 ** 30, 2 ** 30 * 1000],
  ];
  for (const [text, whole, milli] of table) {
    assert.equal(toCeil(q(text)), whole, text);
    assert.equal(toMilli(q(text)), milli, text);
  }
  assert.equal(toNumber(q('1.5')), 1.5);
  assert.equal(toCeil(q('100E')), 2 ** 63);
});

test("upstream's recorded quantities", { skip: answers.skip }, () => {
  let played = 0;
  for (const {
    id,
    steps,
    answers: [answer],
  } of answers.read('defaults')) {
    if (!id.startsWith('defaults/quantities/')) continue;
    const source = id.slice('defaults/quantities/'.length);
    if (source === 'null' || source === '{}' || source === '["1"]') continue;
    const text = source.startsWith('"') ? (JSON.parse(source) as string) : source;
    const body = answer?.body as any;
    played++;
    if (answer?.code === 201) {
      assert.equal(roundUpQuantity(canonicalQuantity(text)), body.spec.limits[0].max.memory, id);
    } else {
      assert.throws(
        () => canonicalQuantity(text),
        (error: Error) => body.message.endsWith(`: ${error.message}`),
        id,
      );
    }
    assert.ok(steps.length === 1);
  }
  assert.ok(played > 60);
});
