import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { dialWebSocket } from '../../../libs/streaming/node/websocket.ts';
import type { ApiBody, ApiRequest, WatchSink } from '../api.ts';
import { Upgrades } from './upgrades.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server whose requests that wish for an upgrade go through the hook; others get `plain`. */
async function serverOf(body: ApiBody, code = 200): Promise<string> {
  const answer = async () => ({ code, headers: {}, warnings: [], body });
  const hook = new Upgrades().hook(answer, (path) => path.endsWith('/exec'));
  const server = createServer((_request, response) => response.end('plain'));
  const requestOf = ({ method = '', url = '', headers }: { method?: string; url?: string; headers: object }) => {
    const [path = '', query = ''] = url.split('?');
    return { method, path, query, headers } as ApiRequest;
  };
  Object.assign(server, { shouldUpgradeCallback: (request: never) => hook.accepts(requestOf(request)) });
  server.on('upgrade', (request, socket, head) => {
    closers.push(() => socket.destroy());
    hook.handle(requestOf(request), socket, head);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytesOf(text);
}

const logOf = (...texts: readonly string[]): ApiBody => ({
  form: 'stream',
  contentType: 'text/plain',
  chunks: pieces(...texts),
});

/** All that is said until the farewell. */
async function messagesOf(url: string, subprotocol: string): Promise<(string | Uint8Array)[]> {
  const socket = await dialWebSocket({ url }, [subprotocol]);
  const messages: (string | Uint8Array)[] = [];
  for (let one = await socket.source.read(); one !== undefined; one = await socket.source.read()) messages.push(one);
  return messages;
}

describe('answers over a WebSocket', () => {
  const LOG = '/api/v1/namespaces/n/pods/p/log';

  test('a log is binary messages behind an empty one', async () => {
    const got = await messagesOf(`${await serverOf(logOf('one\n', 'two\n'))}${LOG}`, 'binary.k8s.io');
    assert.deepEqual(
      got.map((message) => Buffer.from(message as Uint8Array).toString()),
      ['', 'one\n', 'two\n'],
    );
  });

  test('a log is base64 to who has text only', async () => {
    const got = await messagesOf(`${await serverOf(logOf('one\n'))}${LOG}`, 'base64.binary.k8s.io');
    assert.deepEqual(got, ['', Buffer.from('one\n').toString('base64')]);
  });

  const refusals: readonly [string, ApiBody, number, string, RegExp][] = [
    ['subprotocols that no log has', logOf('one'), 200, 'v4.channel.k8s.io', /client offers .*v4\.channel/],
    ['errors', logOf('pods "p" not found'), 404, 'binary.k8s.io', /pods "p" not found/],
  ];
  for (const [what, body, code, subprotocol, words] of refusals) {
    test(`${what} are told in plain`, async () => {
      const url = `${await serverOf(body, code)}${LOG}`;
      await assert.rejects(dialWebSocket({ url }, [subprotocol]), words);
    });
  }

  test('each event of a watch is a message, and the watch ends with the connection', async () => {
    const closed = Promise.withResolvers<void>();
    let sink: WatchSink | undefined;
    const open = (given: WatchSink) => {
      sink = given;
      return { close: () => closed.resolve() };
    };
    const url = await serverOf({ form: 'watch', contentType: 'application/json', open });
    const socket = await dialWebSocket({ url: `${url}/api/v1/pods?watch=true` }, ['any.example.com']);
    for (const text of ['{"type":"ADDED"}\n', '{"type":"MODIFIED"}\n']) {
      assert.equal(sink!.event({ type: 'ADDED', bytes: () => bytesOf(text), value: () => ({}) }), true);
      assert.equal(await socket.source.read(), text);
    }
    socket.destroy();
    await closed.promise;
    assert.equal(sink!.event({ type: 'ADDED', bytes: () => bytesOf('x'), value: () => ({}) }), false);
  });

  test('a watch in protobuf is messages without lengths, and its end is a farewell', async () => {
    const open = (sink: WatchSink) => {
      sink.event({ type: 'ADDED', bytes: () => Uint8Array.of(0, 0, 0, 2, 7, 8), value: () => ({}) });
      sink.end();
      return { close() {} };
    };
    const contentType = 'application/vnd.kubernetes.protobuf;stream=watch';
    const url = await serverOf({ form: 'watch', contentType, open });
    const got = await messagesOf(`${url}/api/v1/pods?watch=1`, 'any.example.com');
    assert.deepEqual(
      got.map((message) => [...(message as Uint8Array)]),
      [[7, 8]],
    );
  });

  test('other wishes are answered as if they had not been made', async () => {
    const url = await serverOf(logOf('never'));
    await assert.rejects(dialWebSocket({ url: `${url}/api/v1/pods` }, ['binary.k8s.io']), /plain|200/);
  });
});
