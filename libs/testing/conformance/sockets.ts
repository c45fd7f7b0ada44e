import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Sockets } from '../../base/host.ts';

/** Answers everything it is sent, once the other side has ended. */
export function echo(connection: Duplex) {
  let seen = '';
  connection.setEncoding('utf8').on('data', (part) => {
    seen += part;
  });
  connection.once('end', () => connection.end(`you said ${seen}`));
}

/** What every `Sockets` promises, as tests. `folder` is where unix sockets may be. */
export function testSockets(name: string, sockets: Sockets, folder: string): void {
  const loopback = { host: '127.0.0.1', port: 0 };

  test(`${name}: each direction ends by itself`, async () => {
    await using listener = await sockets.listen(loopback, echo);
    assert.equal(listener.address, '127.0.0.1');
    assert.ok(listener.port > 0);
    const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port });
    connection.end('hello');
    assert.equal(await text(connection), 'you said hello');
  });

  test(`${name}: much data, in both directions at once`, async () => {
    await using listener = await sockets.listen(loopback, (connection) => connection.pipe(connection));
    const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port });
    const sent = 'x'.repeat(2_000_000);
    connection.end(sent);
    assert.equal(await text(connection), sent);
  });

  test(`${name}: what was sent before a clean end is read after it`, async () => {
    await using listener = await sockets.listen(loopback, (connection) => connection.resume().end('late reader'));
    const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port });
    connection.end();
    for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
    assert.equal(await text(connection), 'late reader');
  });

  test(`${name}: unix sockets, in use and free again`, async () => {
    const path = `${folder}/conformance.sock`;
    const listener = await sockets.listen({ path }, echo);
    assert.deepEqual([listener.address, listener.port], [path, 0]);
    await assert.rejects(sockets.listen({ path }, echo), { code: 'EADDRINUSE' });
    const connection = await sockets.connect({ path });
    connection.end('hello');
    assert.equal(await text(connection), 'you said hello');
    await listener[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    await assert.rejects(sockets.connect({ path }), { code: 'ENOENT' });
    await using again = await sockets.listen({ path }, echo);
    assert.equal(again.address, path);
  });

  test(`${name}: connecting fails with the system’s code, or the signal’s reason`, async () => {
    const listener = await sockets.listen(loopback, echo);
    const { port } = listener;
    await assert.rejects(sockets.listen({ host: '127.0.0.1', port }, echo), { code: 'EADDRINUSE' });
    await listener[Symbol.asyncDispose]();
    await assert.rejects(sockets.connect({ host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
    const reason = new Error('enough');
    await assert.rejects(sockets.connect(loopback, { signal: AbortSignal.abort(reason) }), reason);
    const stop = new AbortController();
    await using other = await sockets.listen(loopback, echo);
    const connecting = sockets.connect({ host: '127.0.0.1', port: other.port }, { signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(connecting, reason);
  });

  test(`${name}: a signal that fires after the connection stands does nothing to it`, async () => {
    const stop = new AbortController();
    await using listener = await sockets.listen(loopback, echo);
    const connection = await sockets.connect({ host: '127.0.0.1', port: listener.port }, { signal: stop.signal });
    stop.abort();
    connection.end('still here');
    assert.equal(await text(connection), 'you said still here');
  });

  test(`${name}: one end destroyed closes the other, without a crash`, async () => {
    const accepted: Duplex[] = [];
    const listener = await sockets.listen(loopback, (connection) => accepted.push(connection.resume()));
    const open = async () => (await sockets.connect({ host: '127.0.0.1', port: listener.port })).resume();
    const connections = [await open(), await open()];
    while (accepted.length < 2) await new Promise((done) => setImmediate(done));
    const closed = connections.map((connection) => {
      // A half-open stream is ours to end once the other side has.
      connection.once('end', () => connection.end());
      return connection.closed || once(connection, 'close').catch(() => undefined);
    });
    accepted[0]!.destroy();
    await closed[0];
    await listener[Symbol.asyncDispose]();
    await closed[1];
    assert.ok(accepted.every((connection) => connection.destroyed));
  });

  test(`${name}: datagrams there and back, and none after disposal`, async () => {
    await using server = await sockets.udp(loopback, (data, from) =>
      server.send(Buffer.from(`you said ${Buffer.from(data)}`), from.port, from.address),
    );
    let heard: (answer: string) => void = () => {};
    const client = await sockets.udp(loopback, (data) => heard(Buffer.from(data).toString()));
    const answer = new Promise<string>((done) => {
      heard = done;
    });
    client.send(Buffer.from('hello'), server.port, server.address);
    assert.equal(await answer, 'you said hello');
    await assert.rejects(
      sockets.udp({ host: '127.0.0.1', port: server.port }, () => {}),
      { code: 'EADDRINUSE' },
    );
    await client[Symbol.asyncDispose]();
    await client[Symbol.asyncDispose]();
    client.send(Buffer.from('late'), server.port, server.address);
  });
}
