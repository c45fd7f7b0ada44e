import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Host } from '../../libs/base/host.ts';
import { hostOf } from './host.ts';
import { createNetwork, type Network } from './namespace.ts';
import { until } from './process.ts';
import { requires } from './requirements.ts';

describe('a network’s host as the Host of components', requires('root'), () => {
  let network: Network;
  let one: Host;
  let two: Host;
  before(async () => {
    network = await createNetwork({ hosts: 2 });
    [one, two] = network.hosts.map(hostOf) as [Host, Host];
  });
  after(() => network?.dispose());

  test('its files are its own, mounts included', async () => {
    await one.files.makeDirectory('/var/lib/kubelet/pods/a', { mode: 0o750 });
    await one.files.write('/var/lib/kubelet/pods/a/f', 'text', { mode: 0o640 });
    await one.files.write('/var/run/flag', 'x');
    assert.equal(await one.files.readText('/run/flag'), 'x');
    assert.equal(existsSync('/run/flag'), false);
    assert.deepEqual(await one.files.list('/var/lib/kubelet/pods'), ['a']);
    assert.equal(await two.files.readTextIfExists('/var/lib/kubelet/pods/a/f'), undefined);
    await one.processes.run('mount', ['-t', 'tmpfs', 'x', '/var/lib/kubelet/pods/a']);
    assert.equal(await one.files.readTextIfExists('/var/lib/kubelet/pods/a/f'), undefined, 'the mount is over it');
    await assert.rejects(one.files.remove('/var/lib/kubelet/pods'), { code: 'EBUSY' });
    await one.processes.run('umount', ['/var/lib/kubelet/pods/a']);
    await one.files.remove('/var/lib/kubelet/pods');
    assert.equal(await one.files.statIfExists('/var/lib/kubelet/pods'), undefined);
  });

  test('its programs run inside; one that is not there is ENOENT', async () => {
    const result = await one.processes.run('sh', ['-c', 'hostname; pwd; echo $WORD'], {
      cwd: '/var/log',
      env: { WORD: 'w' },
    });
    assert.deepEqual([result.code, result.stdout], [0, 'node-1\n/var/log\nw\n']);
    assert.equal((await one.processes.run('sh', ['-c', 'exit 4'])).code, 4);
    await assert.rejects(one.processes.run('no-such-program', []), { code: 'ENOENT' });
    assert.throws(() => one.processes.spawn('/etc/passwd', []), { code: 'EACCES' });
    await using child = one.processes.spawn('sleep', ['600'], { outputFile: '/run/out' });
    // What brings it there is a program, too.
    await until('it runs in the host', () => network.hosts[0]!.pids().includes(child.pid));
  });

  test('it listens and connects on its own network', async () => {
    await using listener = await one.sockets.listen({ host: '0.0.0.0', port: 0 }, (connection) => {
      connection.once('data', (data) => connection.end(`echo ${data}`));
    });
    const connection = await two.sockets.connect({ host: '172.30.0.11', port: listener.port });
    connection.end('hello');
    assert.equal(String((await connection.toArray()).join('')), 'echo hello');
    await assert.rejects(two.sockets.connect({ host: '127.0.0.1', port: listener.port }), { code: 'ECONNREFUSED' });
    const gone = AbortSignal.timeout(50);
    await network.hosts[0]!.setLink(false);
    await assert.rejects(two.sockets.connect({ host: '172.30.0.11', port: listener.port }, { signal: gone }), {
      name: 'TimeoutError',
    });
    await network.hosts[0]!.setLink(true);
  });

  test('its unix sockets and datagrams are its own', async () => {
    await using _listener = await one.sockets.listen({ path: '/run/test.sock' }, (connection) =>
      connection.end('unix'),
    );
    const connection = await one.sockets.connect({ path: '/run/test.sock' });
    assert.equal(String((await connection.toArray()).join('')), 'unix');
    connection.end();
    await assert.rejects(two.sockets.connect({ path: '/run/test.sock' }), { code: 'ENOENT' });

    await using server = await one.sockets.udp({ host: '0.0.0.0', port: 53 }, (data, from) =>
      server.send(Buffer.from(`re: ${Buffer.from(data)}`), from.port, from.address),
    );
    const heard: string[] = [];
    await using client = await two.sockets.udp({ host: '0.0.0.0', port: 0 }, (data) =>
      heard.push(Buffer.from(data).toString()),
    );
    await until('an answer', () => {
      client.send(Buffer.from('q'), 53, '172.30.0.11');
      return heard.length > 0;
    });
    assert.equal(heard[0], 're: q');
  });

  test('its facts are its own', () => {
    assert.equal(one.facts.hostname, 'node-1');
    assert.deepEqual(
      one.facts
        .addresses()
        .filter((address) => address.family === 4)
        .map(({ name, address, prefixLength, internal }) => `${name} ${address}/${prefixLength} ${internal}`),
      ['lo 127.0.0.1/8 true', 'eth0 172.30.0.11/24 false'],
    );
  });
});
