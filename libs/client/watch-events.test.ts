import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from './transport.ts';
import { watchEvents } from './watch-events.ts';

test('a watch that is given up while its answer is on the way ends', async () => {
  const stopped = new AbortController();
  let closed = false;
  const transport: Transport = {
    request: () => Promise.reject(new Error('it is not asked')),
    async watch() {
      stopped.abort(new Error('given up'));
      return { close: () => (closed = true) };
    },
    close: async () => {},
  };
  const request = { method: 'GET', path: '/api/v1/pods', query: 'watch=true', headers: {}, signal: stopped.signal };
  for await (const event of watchEvents(transport, request)) assert.fail(`it is told ${event.type}`);
  assert.ok(closed);
});
