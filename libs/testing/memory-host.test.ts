import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { formatRecord } from '../base/log.ts';
import { testFiles } from './conformance/files.ts';
import { echo, testSockets } from './conformance/sockets.ts';
import { MemoryFiles } from './memory-files.ts';
import { MemoryHost } from './memory-host.ts';
import { MemoryNetwork } from './memory-sockets.ts';
import { virtualTest } from './virtual-test.ts';

testFiles('MemoryFiles', () => {
  const { host, clock } = virtualTest();
  return { files: host.files, root: '/tmp', nowMs: () => clock.now() };
});
testSockets('MemorySockets', virtualTest().host.sockets, '/run');

test('files: times are the clock’s, space is what was given, mounts are not crossed', async () => {
  const { host, clock } = virtualTest();
  const { files } = host;
  await files.makeDirectory('/a/volume');
  await clock.advance(5000);
  await files.write('/a/file', 'x'.repeat(60));
  assert.equal((await files.stat('/a/file')).modifiedMs, clock.now());
  assert.equal((await files.stat('/a')).modifiedMs, clock.now());
  files.spaceBytes = 100;
  assert.equal((await files.space('/')).freeBytes, 40);
  await assert.rejects(files.write('/a/other', 'x'.repeat(41)), { code: 'ENOSPC' });
  await assert.rejects(files.append('/a/file', 'x'.repeat(41)), { code: 'ENOSPC' });
  await files.append('/a/file', 'x'.repeat(40));
  files.mountPoints.add('/a/volume');
  await assert.rejects(files.remove('/a'), { code: 'EBUSY' });
  files.mountPoints.clear();
  await files.remove('/a');
  assert.equal((await files.space('/')).freeBytes, 100);
});

test('files: faults on demand', async () => {
  const { files } = virtualTest().host;
  files.fault = (operation, path) => (operation === 'write' && path === '/a' ? 'EIO' : undefined);
  await assert.rejects(files.write('/a', ''), { code: 'EIO', message: "EIO: i/o error, write '/a'" });
  await files.write('/b', '');
  assert.deepEqual(await files.list('/'), ['b']);
});

test('files: what was read is the reader’s, what was written the file’s', async () => {
  const { files } = virtualTest().host;
  const data = Uint8Array.of(1, 2);
  await files.write('/a', data);
  data[0] = 9;
  (await files.read('/a'))[1] = 9;
  assert.deepEqual([...(await files.read('/a'))], [1, 2]);
});

test('processes: a function is a program', async () => {
  const { processes, files } = virtualTest().host;
  processes.program('greet', async ({ args, env, stdin, stdout, stderr }) => {
    stdout.write(`hello ${args[0]} ${env.A ?? ''}${await text(stdin)}`);
    stderr.write('done');
    return 3;
  });
  const result = await processes.run('greet', ['you'], { input: '!', env: { A: '1' } });
  assert.deepEqual(result, { code: 3, stdout: 'hello you 1!', stderr: 'done' });
  assert.equal((await processes.run('greet', ['you'], { outputBytesMax: 5 })).stdout, 'hello');
  assert.deepEqual(
    processes.calls.map(({ program, args }) => [program, ...args]),
    [
      ['greet', 'you'],
      ['greet', 'you'],
    ],
  );
  await assert.rejects(processes.run('none', []), { code: 'ENOENT' });
  assert.throws(() => processes.spawn('none', []), { code: 'ENOENT' });
  processes.program('broken', () => {
    throw new Error('oh no');
  });
  assert.deepEqual(await processes.run('broken', []), { code: 1, stdout: '', stderr: 'Error: oh no\n' });
  processes.spawn('greet', ['file'], { outputFile: '/log', detached: true, input: '' });
  for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
  assert.equal(await files.readText('/log'), 'hello file done');
});

test('processes: signals end them, or are caught', async () => {
  const { processes } = virtualTest().host;
  const seen: string[] = [];
  processes.program('server', ({ killed, catch: on }) => {
    on('SIGHUP', () => seen.push('reload'));
    return new Promise((done) => killed.addEventListener('abort', () => done(7)));
  });
  const server = processes.spawn('server', []);
  await null;
  assert.deepEqual(processes.running, [server.pid]);
  assert.ok(processes.signal(server.pid, 'SIGHUP'));
  server.kill();
  assert.deepEqual(await server.exited, { code: null, signal: 'SIGTERM' });
  assert.equal(processes.signal(server.pid, 0), false);
  assert.deepEqual(seen, ['reload']);
  const stop = new AbortController();
  const run = processes.run('server', [], { signal: stop.signal });
  stop.abort('enough');
  await assert.rejects(run, (reason) => reason === 'enough');
  await using disposed = processes.spawn('server', []);
  await disposed[Symbol.asyncDispose]();
  assert.deepEqual(processes.running, []);
  assert.throws(() => processes.signal(-1, 0), { code: 'EINVAL' });
});

test('hosts of one network reach each other', async () => {
  const { clock } = virtualTest();
  const network = new MemoryNetwork();
  const [a, b] = [new MemoryHost({ clock, network }), new MemoryHost({ clock, network, facts: { hostname: 'b' } })];
  await using _ = await a.sockets.listen({ host: '0.0.0.0', port: 80 }, echo);
  const connection = await b.sockets.connect({ host: '10.0.0.1', port: 80 });
  connection.end('hello');
  assert.equal(await text(connection), 'you said hello');
  assert.deepEqual([a.facts.hostname, b.facts.hostname], ['host', 'b']);
  const alone = new MemoryHost({ clock });
  await assert.rejects(alone.sockets.connect({ host: '10.0.0.1', port: 80 }), { code: 'ECONNREFUSED' });
});

test('virtualTest: repeatable from its seed', async () => {
  const one = virtualTest({ seed: 5 });
  const again = virtualTest({ seed: 5 });
  assert.equal(one.random.uuid(), again.random.uuid());
  assert.deepEqual(one.keys.secret(8), again.keys.secret(8));
  assert.notDeepEqual(virtualTest({ seed: 6 }).keys.secret(8), virtualTest({ seed: 5 }).keys.secret(8));
  await one.clock.advance(1500);
  one.log.debug('seen', { a: 1 });
  assert.deepEqual(one.records.map(formatRecord), ['00:00:01.500 DEBUG test       seen a=1']);
});

test('a disk that goes on from what another one held is one of its own', async () => {
  const { clock } = virtualTest();
  const first = new MemoryFiles(clock);
  await first.makeDirectory('/a/b', { mode: 0o711 });
  await first.write('/a/b/log', 'one', { mode: 0o640 });
  await first.append('/a/b/log', ' two');
  await first.symlink('b/log', '/a/latest');
  const content = first.content();

  const second = new MemoryFiles(clock);
  await second.write('/kept', 'x');
  await clock.advance(5);
  second.restore(content);
  assert.deepEqual(
    second.content().map(({ name }) => name),
    ['a', 'kept'],
  );
  assert.equal(await second.readText('/a/latest'), 'one two');
  assert.equal(second.usedBytes, 8);
  assert.equal((await second.stat('/a/b')).mode, 0o711);
  const { mode, modifiedMs } = await second.stat('/a/b/log');
  assert.deepEqual([mode, modifiedMs], [0o640, clock.now()]);
  await second.append('/a/b/log', ' three');
  await first.append('/a/b/log', ' 3');
  assert.equal(await second.readText('/a/b/log'), 'one two three');
  second.restore(content);
  assert.equal(await second.readText('/a/b/log'), 'one two', 'in place of what was there');
  assert.equal(second.usedBytes, 8);
});
