import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { RealClock } from '../base/node/real-clock.ts';
import { type ByteDuplex, pump, readAll } from './channel.ts';
import { dialPortForward, type StreamTransport } from './node/dial.ts';
import { dialUpgrade } from './node/http.ts';
import { acceptPortForward, type Upgrade } from './node/upgrade.ts';
import { nodeZlib } from './node/zlib.ts';
import { bridgePortForward, localPortForwarder, PORT_FORWARD_PROTOCOL, parsePort } from './portforward.ts';
import { portsOfQuery } from './portforward-websocket.ts';
import { SpdyConnection } from './spdy/connection.ts';

const clock = new RealClock();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

async function serve(t: TestContext, handle: (upgrade: Upgrade) => Promise<void>): Promise<string> {
  const server = createServer();
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    handle({ request, socket, head }).catch(() => {});
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/portforward`;
}

/** A pod: port 7 echoes, port 9 greets and closes, on others nobody listens. */
const pod = () =>
  localPortForwarder(async (port, data: ByteDuplex) => {
    if (port === 7) return pump(data.source, data.sink);
    if (port !== 9) throw new Error(`connection to port ${port} refused`);
    await data.sink.write(bytes('hello from 9'));
    await data.sink.end();
  });

async function talk(data: ByteDuplex, said: string): Promise<string> {
  await data.sink.write(bytes(said));
  await data.sink.end();
  return text(await readAll(data.source));
}

const TRANSPORTS: StreamTransport[] = ['spdy', 'websocket'];

for (const transport of TRANSPORTS) {
  test(`${transport}: connections at once, each to its port, with half-close and errors`, async (t) => {
    const url = await serve(t, async (upgrade) => {
      const describe = (port: number, message: string) => `error forwarding port ${port}: ${message}`;
      await bridgePortForward(await acceptPortForward(upgrade, { clock }), pod(), { describe });
    });
    const forwarder = await dialPortForward({ url }, { clock, transport });
    const said = Array.from({ length: 20 }, (_, i) => `line ${i} `.repeat(2000));
    const echoes = said.map(async (line) => {
      const connection = await forwarder.connect(7);
      const heard = await talk(connection.data, line);
      assert.equal(await connection.error, undefined);
      return heard;
    });
    assert.deepEqual(await Promise.all(echoes), said);

    const greeting = await forwarder.connect(9);
    assert.equal(text(await readAll(greeting.data.source)), 'hello from 9');
    await greeting.data.sink.end();
    assert.equal(await greeting.error, undefined);

    const refused = await forwarder.connect(81);
    assert.equal(await refused.error, 'error forwarding port 81: connection to port 81 refused');
    forwarder.close();
    await forwarder.closed;
  });

  test(`${transport}: through two hops`, async (t) => {
    const runtime = await serve(t, async (upgrade) =>
      bridgePortForward(await acceptPortForward(upgrade, { clock }), pod()),
    );
    const url = await serve(t, async (upgrade) => {
      const behind = await dialPortForward({ url: runtime }, { clock });
      await bridgePortForward(await acceptPortForward(upgrade, { clock }), behind);
    });
    const forwarder = await dialPortForward({ url }, { clock, transport });
    const echo = await forwarder.connect(7);
    assert.equal(await talk(echo.data, 'there and back'), 'there and back');
    assert.match((await (await forwarder.connect(1)).error) ?? '', /port 1 refused/);
    forwarder.close();
  });
}

test('a client that opens one stream of a pair only is told after a while', async (t) => {
  const url = await serve(t, async (upgrade) => {
    await bridgePortForward(await acceptPortForward(upgrade, { clock, streamCreationTimeoutMs: 20 }), pod());
  });
  const { duplex } = await dialUpgrade({ url }, 'SPDY/3.1', { 'X-Stream-Protocol-Version': PORT_FORWARD_PROTOCOL });
  const connection = new SpdyConnection({ transport: duplex, role: 'client', zlib: nodeZlib });
  connection.start();
  const error = connection.open({ streamtype: 'error', port: '7', requestid: '0' });
  assert.match(text(await readAll(error.source)), /timed out/);
  for (const headers of [
    { streamtype: 'data' },
    { streamtype: 'data', port: '0' },
    { streamtype: 'other', port: '1' },
  ]) {
    await assert.rejects(connection.open(headers as never).replied, Error, JSON.stringify(headers));
  }
  connection.destroy();
});

test('a client without request ids has its streams paired by their numbers', async (t) => {
  const url = await serve(t, async (upgrade) => bridgePortForward(await acceptPortForward(upgrade, { clock }), pod()));
  const { duplex } = await dialUpgrade({ url }, 'SPDY/3.1', { 'X-Stream-Protocol-Version': PORT_FORWARD_PROTOCOL });
  const connection = new SpdyConnection({ transport: duplex, role: 'client', zlib: nodeZlib });
  connection.start();
  for (const said of ['one', 'two']) {
    const error = connection.open({ streamtype: 'error', port: '7' });
    await error.sink.end();
    const data = connection.open({ streamtype: 'data', port: '7' });
    await data.replied;
    assert.equal(await talk(data, said), said);
  }
  connection.destroy();
});

test('the older WebSocket form: two channels a port, each begun with its number', async (t) => {
  const url = await serve(t, async (upgrade) => bridgePortForward(await acceptPortForward(upgrade, { clock }), pod()));
  const ws = new WebSocket(`${url}?ports=7,9&ports=81`, ['v4.channel.k8s.io']);
  const channels: string[] = ['', '', '', '', '', ''];
  ws.on('message', (data: Buffer) => {
    channels[data[0] as number] += data.subarray(1).toString('latin1');
  });
  await new Promise((done) => ws.once('open', done));
  ws.send(Buffer.from('\0echo'));
  const done = () =>
    channels[0] === '\x07\0echo' && channels[2] === '\x09\0hello from 9' && /refused/.test(channels[5] as string);
  for (let i = 0; i < 100 && !done(); i++) await clock.sleep(10);
  assert.deepEqual(channels, [
    '\x07\0echo',
    '\x07\0',
    '\x09\0hello from 9',
    '\x09\0',
    '\x51\0',
    '\x51\0connection to port 81 refused',
  ]);
  ws.close();
});

test('the older WebSocket form without ports is refused', async (t) => {
  const url = await serve(t, async (upgrade) => {
    await assert.rejects(acceptPortForward(upgrade, { clock }));
  });
  const ws = new WebSocket(url, ['v4.channel.k8s.io']);
  assert.match(String(await new Promise((done) => ws.once('error', done))), /400/);
});

test('ports', () => {
  const cases: [string | undefined, number | undefined][] = [
    ['80', 80],
    ['65535', 65535],
    ['65536', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['8x', undefined],
    ['', undefined],
    [undefined, undefined],
  ];
  for (const [given, expected] of cases) assert.equal(parsePort(given), expected, String(given));
  assert.deepEqual(portsOfQuery(['80', '443,8080']), [80, 443, 8080]);
  assert.throws(() => portsOfQuery(['', 'x']), /"x"/);
  assert.throws(() => portsOfQuery([]), /at least one/);
});
