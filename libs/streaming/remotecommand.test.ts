import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { RealClock } from '../base/node/real-clock.ts';
import { pump, readAll } from './channel.ts';
import { dialRemoteCommand, type StreamTransport, UpgradeError } from './node/dial.ts';
import { dialUpgrade } from './node/http.ts';
import { acceptRemoteCommand, acceptTunnel, type Upgrade } from './node/upgrade.ts';
import {
  bridge,
  errorStatus,
  exitCodeOf,
  exitStatus,
  formatStatus,
  parseStatus,
  type RemoteCommandOptions,
  type RemoteCommandSession,
  type RemoteCommandStreams,
  remoteCommandPair,
  TerminalSizeParser,
} from './remotecommand.ts';

const clock = new RealClock();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

/** A server on loopback that hands every upgrade to `handle`; gone with the test. */
async function serve(t: TestContext, handle: (upgrade: Upgrade) => Promise<void>): Promise<string> {
  const server: Server = createServer();
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec`;
}

/** A command that copies stdin to stdout, says how long it was on stderr, and ends with the code 3. */
async function copy(session: RemoteCommandSession): Promise<void> {
  let length = 0;
  if (session.stdin) {
    for (let chunk = await session.stdin.read(); chunk; chunk = await session.stdin.read()) {
      length += chunk.length;
      await session.stdout?.write(chunk);
    }
  }
  await session.stderr?.write(bytes(`${length} bytes`));
  await session.finish(exitStatus(3));
}

const ALL: RemoteCommandOptions = { stdin: true, stdout: true, stderr: true };

async function runCopy(streams: RemoteCommandStreams, input: Uint8Array) {
  const stdout = readAll(streams.stdout as never, 1e9);
  const stderr = readAll(streams.stderr as never);
  await streams.stdin?.write(input.slice());
  await streams.stdin?.end();
  return { stdout: await stdout, stderr: text(await stderr), status: await streams.status };
}

const TRANSPORTS: StreamTransport[] = ['spdy', 'websocket'];

for (const transport of TRANSPORTS) {
  test(`${transport}: a command reads stdin to its end, writes both outputs and ends with a code`, async (t) => {
    const url = await serve(t, async (upgrade) => copy(await acceptRemoteCommand(upgrade, ALL, { clock })));
    const streams = await dialRemoteCommand({ url }, ALL, { clock, transport });
    const input = new Uint8Array(1_000_000).map((_, i) => i);
    const result = await runCopy(streams, input);
    assert.ok(Buffer.from(input).equals(result.stdout));
    assert.equal(result.stderr, '1000000 bytes');
    assert.equal(exitCodeOf(result.status), 3);
    assert.equal(result.status.message, 'command terminated with non-zero exit code: exit status 3');
  });

  for (const behind of TRANSPORTS) {
    test(`${transport} bridged onto ${behind}: half-close, outputs and status go through`, async (t) => {
      const runtime = await serve(t, async (upgrade) => copy(await acceptRemoteCommand(upgrade, ALL, { clock })));
      const url = await serve(t, async (upgrade) => {
        const streams = await dialRemoteCommand({ url: runtime }, ALL, { clock, transport: behind });
        await bridge(await acceptRemoteCommand(upgrade, ALL, { clock }), streams);
      });
      const streams = await dialRemoteCommand({ url }, ALL, { clock, transport });
      const input = new Uint8Array(300_000).fill(7);
      const result = await runCopy(streams, input);
      assert.equal(result.stdout.length, input.length);
      assert.equal(result.stderr, '300000 bytes');
      assert.equal(exitCodeOf(result.status), 3);
    });
  }

  test(`${transport}: terminal sizes arrive, and there is no stderr`, async (t) => {
    const options = { ...ALL, tty: true };
    const url = await serve(t, async (upgrade) => {
      const session = await acceptRemoteCommand(upgrade, options, { clock });
      assert.equal(session.stderr, undefined);
      for (let i = 0; i < 2; i++) {
        const size = await session.resize?.read();
        await session.stdout?.write(bytes(`${size?.width}x${size?.height} `));
      }
      await session.finish(exitStatus(0));
    });
    const streams = await dialRemoteCommand({ url }, options, { clock, transport });
    await streams.resize?.write({ width: 80, height: 24 });
    await streams.resize?.write({ width: 120, height: 40 });
    assert.equal(text(await readAll(streams.stdout as never)), '80x24 120x40 ');
    assert.equal((await streams.status).status, 'Success');
  });

  test(`${transport}: a client that goes away is seen, and its streams break`, async (t) => {
    const gone = Promise.withResolvers<string>();
    const url = await serve(t, async (upgrade) => {
      const session = await acceptRemoteCommand(upgrade, ALL, { clock });
      const input = session.stdin?.read().then(
        (chunk) => `input ${chunk?.length ?? 'ended'}`,
        () => 'input broke',
      );
      await session.closed;
      gone.resolve((await input) as string);
    });
    const streams = await dialRemoteCommand({ url }, ALL, { clock, transport });
    streams.close();
    assert.match(await gone.promise, /input (ended|broke)/);
    await assert.rejects(streams.status.then((s) => Promise.reject(new Error(s.message))));
  });

  test(`${transport}: a server that breaks off leaves no status behind`, async (t) => {
    const url = await serve(t, async (upgrade) => {
      await acceptRemoteCommand(upgrade, ALL, { clock });
      upgrade.socket.destroy();
    });
    const streams = await dialRemoteCommand({ url }, ALL, { clock, transport }).catch((error: Error) => error);
    if (streams instanceof Error) return;
    const end = await streams.status.catch((error: Error) => error);
    assert.ok(end instanceof Error, `not an end: ${JSON.stringify(end)}`);
  });

  test(`${transport}: output nobody reads stops the command, not the process`, async (t) => {
    let written = 0;
    const url = await serve(t, async (upgrade) => {
      const session = await acceptRemoteCommand(upgrade, ALL, { clock });
      for (let i = 0; i < 1000; i++) {
        await session.stdout?.write(new Uint8Array(32 * 1024));
        written += 32 * 1024;
      }
      await session.finish(exitStatus(0));
    });
    const streams = await dialRemoteCommand({ url }, ALL, { clock, transport });
    let before = -1;
    for (let quiet = 0; quiet < 5; quiet = written === before ? quiet + 1 : 0) {
      before = written;
      await clock.sleep(20);
    }
    assert.ok(written < 24_000_000, `${written} bytes were taken in without a reader`);
    assert.equal((await readAll(streams.stdout as never, 1e9)).length, 1000 * 32 * 1024);
    assert.equal((await streams.status).status, 'Success');
  });
}

for (const transport of TRANSPORTS) {
  test(`${transport}: a connection on which nothing moves is closed`, async (t) => {
    const closed = Promise.withResolvers<void>();
    const url = await serve(t, async (upgrade) => {
      const session = await acceptRemoteCommand(upgrade, ALL, { clock, idleTimeoutMs: 100 });
      await session.closed;
      closed.resolve();
    });
    const streams = await dialRemoteCommand({ url }, ALL, { clock, transport });
    for (let i = 0; i < 5; i++) {
      await clock.sleep(40);
      await streams.stdin?.write(bytes('x'));
    }
    await closed.promise;
    await assert.rejects(streams.status);
  });
}

test('a refusal reaches the client with its code and text', async (t) => {
  const url = await serve(t, async ({ socket }) => {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\nConnection: close\r\n\r\ncontainer gone\n');
  });
  for (const transport of TRANSPORTS) {
    await assert.rejects(
      dialRemoteCommand({ url }, ALL, { clock, transport }),
      (e) => e instanceof UpgradeError && e.code === 404 && e.message === 'container gone',
      transport,
    );
  }
});

test('a client that speaks no protocol of ours is told which there are', async (t) => {
  const url = await serve(t, async (upgrade) => {
    await assert.rejects(acceptRemoteCommand(upgrade, ALL, { clock }), UpgradeError);
  });
  await assert.rejects(
    dialUpgrade({ url }, 'SPDY/3.1', { 'X-Stream-Protocol-Version': 'v9.channel.k8s.io' }),
    (e) => e instanceof UpgradeError && e.code === 403 && /client supports \[v9.channel.k8s.io\]/.test(e.message),
  );
  await assert.rejects(dialUpgrade({ url }, 'SPDY/2'), (e) => e instanceof UpgradeError && e.code === 400);
  const ws = new WebSocket(url, ['v9.channel.k8s.io']);
  const error = await new Promise<Error>((done) => ws.once('error', done));
  assert.match(error.message, /403/);
});

test('a client that does not open the streams it announced is cut off', async (t) => {
  const refused = Promise.withResolvers<Error>();
  const url = await serve(t, async (upgrade) => {
    await acceptRemoteCommand(upgrade, ALL, { clock, streamCreationTimeoutMs: 30 }).catch(refused.resolve);
  });
  await dialRemoteCommand({ url }, { stdout: true }, { clock }).catch(() => {});
  assert.match((await refused.promise).message, /stdin, stderr/);
});

/** Messages as a client of each protocol writes and reads them, by hand. */
const SPOKEN: { protocol: string; send: (channel: number, s: string) => Buffer | string }[] = [
  { protocol: 'v5.channel.k8s.io', send: raw },
  { protocol: 'v4.channel.k8s.io', send: raw },
  { protocol: 'channel.k8s.io', send: raw },
  { protocol: 'base64.channel.k8s.io', send: (c, s) => `${c}${Buffer.from(s).toString('base64')}` },
];
function raw(channel: number, s: string): Buffer {
  return Buffer.concat([Uint8Array.of(channel), Buffer.from(s)]);
}

for (const { protocol, send } of SPOKEN) {
  test(`a WebSocket client of ${protocol} is understood`, async (t) => {
    const url = await serve(t, async (upgrade) => {
      const session = await acceptRemoteCommand(upgrade, ALL, { clock });
      const line = await session.stdin?.read();
      await session.stdout?.write(line as Uint8Array);
      const end = protocol.startsWith('v5') ? await session.stdin?.read() : undefined;
      assert.equal(end, undefined);
      await session.stderr?.write(bytes('done'));
      await session.finish(exitStatus(7));
    });
    const ws = new WebSocket(url, [protocol]);
    const received: string[] = [];
    ws.on('message', (data: Buffer, isBinary) => {
      assert.equal(isBinary, !protocol.includes('base64'));
      received.push(
        isBinary
          ? `${data[0]}:${data.subarray(1)}`
          : `${String(data)[0]}:${Buffer.from(String(data).slice(1), 'base64')}`,
      );
    });
    await new Promise((done) => ws.once('open', done));
    assert.equal(ws.protocol, protocol);
    ws.send(send(0, 'hello'));
    if (protocol.startsWith('v5')) ws.send(Uint8Array.of(255, 0));
    const code = await new Promise((done) => ws.once('close', done));
    assert.equal(code, 1000);
    const status = protocol.startsWith('v') ? formatStatus(exitStatus(7), 'v4.channel.k8s.io') : exitStatus(7).message;
    // What is said at once is sign enough for a client of v5, which might not be ready for an earlier one.
    const sign = protocol.startsWith('v5') ? [] : ['1:'];
    assert.deepEqual(received, [...sign, '1:hello', '2:done', `3:${status}`]);
  });
}

test('a client of v5 is told after a while that it is connected to a command that says nothing', async (t) => {
  const url = await serve(t, async (upgrade) => {
    const session = await acceptRemoteCommand(upgrade, ALL, { clock });
    await session.stdin?.read();
    await session.finish(exitStatus(0));
  });
  const ws = new WebSocket(url, ['v5.channel.k8s.io']);
  const [opened, told] = await Promise.all([
    new Promise<number>((done) => ws.once('open', () => done(clock.monotonic()))),
    new Promise<[number, Buffer]>((done) => ws.once('message', (data: Buffer) => done([clock.monotonic(), data]))),
  ]);
  assert.deepEqual([...told[1]], [1]);
  assert.ok(told[0] - opened > 20, `after ${told[0] - opened} ms`);
  ws.send(raw(0, 'x'));
  await new Promise((done) => ws.once('close', done));
});

test('a proxy tunnels an upgrade without looking into it', async (t) => {
  const runtime = await serve(t, async (upgrade) => copy(await acceptRemoteCommand(upgrade, ALL, { clock })));
  const url = await serve(t, async (upgrade) => {
    const offered = upgrade.request.headersDistinct['x-stream-protocol-version'] ?? [];
    const { response, duplex } = await dialUpgrade({ url: runtime }, 'SPDY/3.1', {
      'X-Stream-Protocol-Version': offered,
    });
    const client = acceptTunnel(upgrade, response);
    await Promise.all([pump(client.source, duplex.sink), pump(duplex.source, client.sink)]);
  });
  const result = await runCopy(await dialRemoteCommand({ url }, ALL, { clock }), bytes('through'));
  assert.equal(text(result.stdout), 'through');
  assert.equal(exitCodeOf(result.status), 3);
});

test('inside the process, a bridge joins two pairs', async () => {
  const [caller, accepted] = remoteCommandPair(ALL);
  const [streams, command] = remoteCommandPair(ALL);
  const bridged = bridge(accepted, streams);
  void copy(command);
  const result = await runCopy(caller, bytes('hi'));
  await bridged;
  assert.deepEqual([text(result.stdout), result.stderr, exitCodeOf(result.status)], ['hi', '2 bytes', 3]);
});

test('a bridge whose command breaks tells the client so', async () => {
  const [caller, accepted] = remoteCommandPair(ALL);
  const [streams] = remoteCommandPair(ALL);
  void bridge(accepted, streams);
  streams.close(new Error('runtime went away'));
  const status = await caller.status;
  assert.equal(status.reason, 'InternalError');
  assert.match(status.message ?? '', /runtime went away/);
});

test('statuses in every protocol', () => {
  const cases: [string, Parameters<typeof parseStatus>[1], unknown][] = [
    ['', 'channel.k8s.io', { metadata: {}, status: 'Success' }],
    ['boom', 'v3.channel.k8s.io', { metadata: {}, status: 'Failure', message: 'boom' }],
    ['{"metadata":{},"status":"Success"}', 'v4.channel.k8s.io', { metadata: {}, status: 'Success' }],
    ['not json', 'v4.channel.k8s.io', { metadata: {}, status: 'Failure', message: 'not json' }],
    ['null', 'v5.channel.k8s.io', { metadata: {}, status: 'Failure', message: 'null' }],
    ['', 'v4.channel.k8s.io', errorStatus(new Error('the command ended without a status'))],
  ];
  for (const [wire, protocol, expected] of cases)
    assert.deepEqual(parseStatus(wire, protocol), expected, `${protocol} ${wire}`);
  assert.equal(exitCodeOf({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [] } }), undefined);
  assert.equal(exitCodeOf(exitStatus(0)), 0);
});

test('terminal sizes are read across cuts, and nonsense is skipped', () => {
  const parser = new TerminalSizeParser();
  const wire = '{"Width":80,"Height":24}\n{"Width":"x"}\n{"Width":0,"Height":5}{"Width":1,"Height":2}';
  const sizes = [...wire].flatMap((c) => parser.push(bytes(c)));
  assert.deepEqual(sizes, [
    { width: 80, height: 24 },
    { width: 1, height: 2 },
  ]);
});
