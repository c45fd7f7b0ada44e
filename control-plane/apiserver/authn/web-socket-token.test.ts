import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBase64Url } from '../../../libs/base/base64.ts';
import { moveWebSocketToken } from './web-socket-token.ts';

const PREFIX = 'base64url.bearer.authorization.k8s.io.';
const named = (token: string) => PREFIX + encodeBase64Url(token);

for (const [what, offered, wanted] of [
  ['a token', `${named('abc.def')}, v5.channel.k8s.io`, ['v5.channel.k8s.io', 'Bearer abc.def']],
  ['a token behind two others', `a, b,${named('abc')}`, ['a, b', 'Bearer abc']],
  ['no token', 'v5.channel.k8s.io', ['v5.channel.k8s.io', undefined]],
  ['two tokens', `${named('abc')}, ${named('def')}, a`, ['a', `Bearer ${PREFIX}`]],
  ['a token and nothing to speak', named('abc'), [undefined, `Bearer ${PREFIX}`]],
  ['no base64url', `${PREFIX}a+b=, a`, ['a', `Bearer ${PREFIX}`]],
  ['no UTF-8', `${PREFIX}${encodeBase64Url(Uint8Array.of(255))}, a`, ['a', `Bearer ${PREFIX}`]],
  ['an empty token', `${PREFIX}, a`, ['a', `Bearer ${PREFIX}`]],
] as const) {
  test(`${what} among the subprotocols of a WebSocket`, () => {
    const headers: Record<string, string | undefined> = { 'sec-websocket-protocol': offered };
    moveWebSocketToken(headers);
    assert.deepEqual([headers['sec-websocket-protocol'], headers['authorization']], wanted);
  });
}

test('a token in Authorization is the one that counts', () => {
  const headers = { 'sec-websocket-protocol': `${named('abc')}, a`, authorization: 'Bearer x' };
  moveWebSocketToken(headers);
  assert.deepEqual(headers, { 'sec-websocket-protocol': 'a', authorization: 'Bearer x' });
});
