import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isProxyable } from './proxy.ts';

for (const [host, may] of [
  ['10.0.0.7', true],
  ['192.0.2.7', true],
  ['2001:db8::7', true],
  ['', false],
  ['x', false],
  ['127.0.0.1', false],
  ['::1', false],
  ['::ffff:127.0.0.1', false],
  ['169.254.169.254', false],
  ['fe80::1', false],
  ['0.0.0.0', false],
  ['224.0.0.1', false],
] as const) {
  test(`a pod at "${host}" is ${may ? '' : 'not '}proxied to`, () => assert.equal(isProxyable(host), may));
}
