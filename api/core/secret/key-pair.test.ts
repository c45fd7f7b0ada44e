import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyPairProblem } from './key-pair.ts';

const block = (type: string, body = 'MAA=') => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;
const certificate = block('CERTIFICATE');
const key = block('PRIVATE KEY');

for (const [name, pair, expected] of [
  ['a pair', [certificate, key], undefined],
  [
    'a key of one kind, behind its parameters',
    [certificate, block('EC PARAMETERS') + block('EC PRIVATE KEY')],
    undefined,
  ],
  ['nothing', ['', ''], 'tls: failed to find any PEM data in certificate input'],
  ['no key', [certificate, 'x'], 'tls: failed to find any PEM data in key input'],
  [
    'the other way round',
    [key, certificate],
    'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
  ],
  [
    'certificates twice',
    [certificate, certificate],
    'tls: found a certificate rather than a key in the PEM for the private key',
  ],
  [
    'something else for a certificate',
    [block('X509 CRL') + block('PUBLIC KEY'), key],
    'tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [X509 CRL PUBLIC KEY]',
  ],
  [
    'something else for a key',
    [certificate, block('PUBLIC KEY')],
    'tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [PUBLIC KEY]',
  ],
  ['a certificate that is none', [block('CERTIFICATE', 'AAAA'), key], 'x509: malformed certificate'],
  ['a key that is none', [certificate, block('RSA PRIVATE KEY', 'AAAA')], 'tls: failed to parse private key'],
] as const) {
  test(name, () => assert.equal(keyPairProblem(pair[0], pair[1]), expected));
}
