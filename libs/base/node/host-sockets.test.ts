import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { createNodeHost } from './node-host.ts';

const root = mkdtempSync(join(tmpdir(), 'host-sockets-'));
after(() => rmSync(root, { recursive: true, force: true }));
const { sockets, processes, facts } = createNodeHost();
const loopback = { host: '127.0.0.1', port: 0 };
/** Answers everything it is sent, once the other side has ended. */
function echo(connection: Duplex) {
  let seen = '';
  connection.setEncoding('utf8').on('data', (part) => {
    seen += part;
  });
  connection.once('end', () => connection.end(`you said ${seen}`));
}

test('TCP: each direction ends by itself', async () => {
  await using listener = await sockets.listen(loopback, echo);
  assert.equal(listener.address, '127.0.0.1');
  assert.ok(listener.port > 0);
  const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port });
  connection.end('hello');
  assert.equal(await text(connection), 'you said hello');
});

test('unix sockets: mode, and the file goes with the listener', async () => {
  const path = join(root, 'a.sock');
  const listener = await sockets.listen({ path, mode: 0o660 }, echo);
  assert.deepEqual([listener.address, listener.port], [path, 0]);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  const connection = await sockets.connect({ path });
  connection.end('hello');
  assert.equal(await text(connection), 'you said hello');
  await listener[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
  assert.equal(existsSync(path), false);
  await using again = await sockets.listen({ path }, echo);
  assert.equal(statSync(again.address).mode & 0o777, 0o600);
});

test('what is in use stays in use; what a crash left behind is replaced', async () => {
  const path = join(root, 'b.sock');
  await using tcp = await sockets.listen(loopback, echo);
  await assert.rejects(sockets.listen({ host: '127.0.0.1', port: tcp.port }, echo), { code: 'EADDRINUSE' });
  const first = await sockets.listen({ path }, echo);
  await assert.rejects(sockets.listen({ path }, echo), { code: 'EADDRINUSE' });
  await first[Symbol.asyncDispose]();
  await processes.run(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  assert.ok(existsSync(path));
  await using second = await sockets.listen({ path }, echo);
  assert.equal(second.address, path);
  const file = join(root, 'file');
  writeFileSync(file, 'kept');
  await assert.rejects(sockets.listen({ path: file }, echo), { code: 'EADDRINUSE' });
  assert.ok(existsSync(file));
});

test('connecting fails with the system’s code, or the signal’s reason', async () => {
  const listener = await sockets.listen(loopback, echo);
  const { port } = listener;
  await listener[Symbol.asyncDispose]();
  await assert.rejects(sockets.connect({ host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
  await assert.rejects(sockets.connect({ path: join(root, 'none') }), { code: 'ENOENT' });
  const reason = new Error('enough');
  await assert.rejects(sockets.connect(loopback, { signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  await using other = await sockets.listen(loopback, echo);
  const connecting = sockets.connect({ host: '127.0.0.1', port: other.port }, { signal: stop.signal });
  stop.abort(reason);
  await assert.rejects(connecting, reason);
});

test('a signal that fires after the connection stands does nothing to it', async () => {
  const stop = new AbortController();
  await using listener = await sockets.listen(loopback, echo);
  const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port }, { signal: stop.signal });
  stop.abort();
  connection.end('still here');
  assert.equal(await text(connection), 'you said still here');
});

test('disposal closes open connections, and a reset that nobody listens for is no crash', async () => {
  const accepted: Duplex[] = [];
  const listener = await sockets.listen(loopback, (connection) => accepted.push(connection));
  const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port });
  connection.resume();
  while (accepted.length === 0) await new Promise((done) => setImmediate(done));
  await listener[Symbol.asyncDispose]();
  if (!connection.closed) {
    connection.end();
    await once(connection, 'close');
  }
  assert.ok(accepted[0]!.destroyed);
});

test('UDP: datagrams there and back, and none after disposal', async () => {
  for (const host of ['127.0.0.1', '::1']) {
    if (!facts.addresses().some(({ address }) => address === host)) continue;
    await using server = await sockets.udp({ host, port: 0 }, (data, from) =>
      server.send(Buffer.from(`you said ${Buffer.from(data)}`), from.port, from.address),
    );
    let heard: (text: string) => void = () => {};
    const client = await sockets.udp({ host, port: 0 }, (data) => heard(Buffer.from(data).toString()));
    const answer = new Promise<string>((done) => {
      heard = done;
    });
    client.send(Buffer.from('hello'), server.port, server.address);
    assert.equal(await answer, 'you said hello');
    await assert.rejects(
      sockets.udp({ host, port: server.port }, () => {}),
      { code: 'EADDRINUSE' },
    );
    await client[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    client.send(Buffer.from('late'), server.port, server.address);
  }
});

test('facts are this machine’s', () => {
  assert.equal(facts.pid, process.pid);
  assert.equal(facts.platform, process.platform);
  assert.equal(facts.architecture, { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64'] ?? process.arch);
  assert.ok(facts.cpus >= 1 && facts.memoryBytes > 1e8 && facts.hostname !== '' && facts.kernelRelease !== '');
  const loopbacks = facts.addresses().filter(({ internal }) => internal);
  assert.ok(loopbacks.some((a) => a.address === '127.0.0.1' && a.prefixLength === 8 && a.family === 4));
  const usage = facts.usage();
  assert.ok(usage.cpuMs > 1 && usage.residentBytes > 1e6);
  assert.equal(facts.env.PATH, process.env.PATH);
});
