import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDerSequence, pemBlocks } from './pem.ts';

const block = (type: string, body: string) => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;

test('blocks in their order, whatever stands around them', () => {
  const text = `about\n${block('CERTIFICATE', 'MAA=')}between\n${block('EC PRIVATE KEY', 'MAMC\nAQE=')}`;
  assert.deepEqual(
    pemBlocks(text).map(({ type, der }) => [type, [...der]]),
    [
      ['CERTIFICATE', [0x30, 0]],
      ['EC PRIVATE KEY', [0x30, 3, 2, 1, 1]],
    ],
  );
  for (const none of ['', 'x', '-----BEGIN CERTIFICATE-----\nMAA=\n-----END X-----']) {
    assert.deepEqual(pemBlocks(none), [], none);
  }
});

test('a sequence has just the length that it tells', () => {
  const long = [0x30, 0x81, 0x80, ...new Uint8Array(128)];
  for (const [bytes, is] of [
    [[0x30, 0], true],
    [[0x30, 3, 2, 1, 1], true],
    [long, true],
    [[0x30, 1], false],
    [[0x30, 0, 0], false],
    [[0x02, 1, 1], false],
    [[], false],
  ] as [number[], boolean][]) {
    assert.equal(isDerSequence(Uint8Array.from(bytes)), is, String(bytes.slice(0, 8)));
  }
});
