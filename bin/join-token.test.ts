import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeKeys } from '../libs/base/node/node-keys.ts';
import { formatJoinToken, parseJoinToken, pinOf } from './join-token.ts';

const BOOTSTRAP = 'abcdef.0123456789abcdef';

test('a token names its cluster by the key of the authority, not by its certificate', async () => {
  const keys = new NodeKeys();
  const key = await keys.generateKey('ca');
  const issue = (notBeforeMs: number) =>
    keys.issueCertificate({
      subject: { commonName: 'kubernetes' },
      publicKey: key,
      isCertificateAuthority: true,
      usages: ['cert sign'],
      notBeforeMs,
      notAfterMs: notBeforeMs + 1_000_000,
    });
  const [first, renewed] = [await issue(0), await issue(5_000)];
  assert.notEqual(first, renewed);
  const authorityPin = pinOf(keys, first);
  assert.equal(pinOf(keys, renewed), authorityPin);
  const text = formatJoinToken({ bootstrapToken: BOOTSTRAP, authorityPin });
  assert.deepEqual(parseJoinToken(`${text}\n`), { bootstrapToken: BOOTSTRAP, authorityPin });
});

const REFUSED: readonly [text: string, message: RegExp][] = [
  ['', /wants the word that/],
  ['hello', /wants the word that/],
  [BOOTSTRAP, /lacks its last part/],
  [`${BOOTSTRAP}.short`, /wants the word that/],
  [`${BOOTSTRAP}.${'a'.repeat(44)}`, /wants the word that/],
];
for (const [text, message] of REFUSED) {
  test(`refused, and not repeated: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseJoinToken(text),
      (error: Error & { exitCode: number }) => {
        assert.match(error.message, message);
        assert.equal(error.exitCode, 2);
        assert.ok(text === '' || text.length < 10 || !error.message.includes(text));
        return true;
      },
    );
  });
}
