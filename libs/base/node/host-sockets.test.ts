import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { echo, testSockets } from '../../testing/conformance/sockets.ts';
import { createNodeHost } from './node-host.ts';

const root = mkdtempSync(join(tmpdir(), 'host-sockets-'));
after(() => rmSync(root, { recursive: true, force: true }));
const { sockets, processes, facts } = createNodeHost();

testSockets('NodeSockets', sockets, root);

test('unix sockets have their mode, and their file goes with the listener', async () => {
  const path = join(root, 'a.sock');
  const listener = await sockets.listen({ path, mode: 0o660 }, echo);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await listener[Symbol.asyncDispose]();
  assert.equal(existsSync(path), false);
  await using again = await sockets.listen({ path }, echo);
  assert.equal(statSync(again.address).mode & 0o777, 0o600);
});

test('a unix socket that a crash left behind is replaced, a file of another kind is not', async () => {
  const path = join(root, 'b.sock');
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

test('IPv6, where the machine has it', async (t) => {
  if (!facts.addresses().some(({ address }) => address === '::1')) return t.skip('no ::1');
  await using listener = await sockets.listen({ host: '::1', port: 0 }, echo);
  (await sockets.connect({ host: '::1', port: listener.port })).destroy();
  await using server = await sockets.udp({ host: '::1', port: 0 }, () => {});
  assert.equal(server.address, '::1');
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
