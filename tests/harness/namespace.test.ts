import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cgroupOf, cgroupRoots, findLeftovers, folderOf, pidsOf, removeLeftovers } from './leftovers.ts';
import { createNetwork, type Network } from './namespace.ts';
import { startTicks, until } from './process.ts';
import { requires } from './requirements.ts';

/** Everything a run may leave on the machine, by name; empty is what a test wants to see. */
function tracesOf(run: string): string[] {
  return [
    ...pidsOf(run).map((pid) => `process ${pid}`),
    ...[folderOf(run)].filter(existsSync),
    ...cgroupRoots()
      .map((root) => join(root.path, cgroupOf(run)))
      .filter(existsSync),
  ];
}

/** Namespaces of every process of the machine. */
function liveNamespaces(): Set<string> {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const kind of ['net', 'mnt', 'uts']) {
      try {
        found.add(readlinkSync(`/proc/${pid}/ns/${kind}`));
      } catch {
        // it ended
      }
    }
  }
  return found;
}

describe('a network of two hosts', requires('root'), () => {
  let network: Network;
  before(async () => {
    network = await createNetwork({ hosts: 2 });
  });
  after(() => network?.dispose());

  test('the hosts reach each other, by name, with a body that comes from the other side', async () => {
    const [one, two] = network.hosts;
    const answers = createServer((request, response) => response.end(`asked by ${request.socket.remoteAddress}`));
    (await one!.listen(8080)).on('connection', (socket) => answers.emit('connection', socket));
    assert.equal((await two!.fetch('http://172.30.0.11:8080/')).body, 'asked by 172.30.0.12');
    assert.equal((await network.hub.fetch('http://node-1:8080/')).body, 'asked by 172.30.0.1');
  });

  test('nothing leads out: no default route, no uplink, no resolver', async () => {
    for (const host of [network.hub, ...network.hosts]) {
      assert.equal((await host.exec(['ip', 'route', 'show', 'default'])).stdout, '');
      await assert.rejects(host.connect(80, '192.0.2.1'), { code: 'ENETUNREACH' });
    }
    const links = JSON.parse((await network.hosts[0]!.exec(['ip', '-json', 'link', 'show', 'up'])).stdout);
    assert.deepEqual(links.map((link: { ifname: string }) => link.ifname).sort(), ['eth0', 'lo']);
  });

  test('a host has its own name, devices, /run, and a state that the machine never sees', async () => {
    const [one, two] = network.hosts;
    assert.equal((await one!.exec('hostname')).stdout, 'node-1\n');
    assert.deepEqual(readdirSync(one!.path('/sys/class/net')).includes('eth0'), true);
    await one!.exec('echo kept > /var/lib/kubelet/file; echo new > /etc/harness-probe; touch /run/netns/probe');
    assert.equal(readFileSync(one!.path('/var/lib/kubelet/file'), 'utf8'), 'kept\n');
    for (const path of ['/var/lib/kubelet/file', '/etc/harness-probe', '/run/netns/probe']) {
      assert.equal(existsSync(path), false, path);
      assert.equal(existsSync(two!.path(path)), false, path);
    }
    const machineIds = network.hosts.map((host) => readFileSync(host.path('/etc/machine-id'), 'utf8'));
    assert.notEqual(machineIds[0], machineIds[1]);
  });

  test('mounts inside can be shared and do not leave', async () => {
    const [one] = network.hosts;
    await one!.exec(
      'mkdir -p /run/m && mount -t tmpfs inside /run/m && grep -q "shared:.* inside " /proc/self/mountinfo',
    );
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8').includes(' inside '), false);
  });

  test('a host forwards, and every hierarchy has its cgroup', async () => {
    const [one] = network.hosts;
    assert.equal((await one!.exec('cat /proc/sys/net/ipv4/ip_forward')).stdout, '1\n');
    assert.equal((await network.hub.exec('cat /proc/sys/net/ipv4/ip_forward')).stdout, '0\n');
    const roots = cgroupRoots();
    assert.notEqual(roots.length, 0);
    for (const root of roots) assert.equal(existsSync(join(root.path, one!.cgroupParent)), true, root.path);
  });

  test('exec tells failures, and runs in the folder it is told', async () => {
    const [one] = network.hosts;
    await assert.rejects(one!.exec('echo oops >&2; exit 3'), /code 3\noops/);
    assert.equal((await one!.exec('exit 3', { check: false })).code, 3);
    assert.equal((await one!.exec('pwd', { cwd: '/var/log' })).stdout, '/var/log\n');
    assert.equal((await one!.exec(['cat'], { input: 'through' })).stdout, 'through');
    await assert.rejects(one!.exec('sleep 60', { timeoutMs: 50 }), /no end within 50 ms/);
  });

  test('a spawned program has its own pid and is stopped by it', async () => {
    const [one] = network.hosts;
    await using program = one!.spawn(['sh', '-c', 'echo up $$; exec sleep 600']);
    await program.waitFor(/up \d+/);
    assert.equal(program.output, `up ${program.pid}\n`);
    assert.equal(one!.pids().includes(program.pid), true);
    assert.equal(network.hosts[1]!.pids().includes(program.pid), false);
    await program.stop();
    assert.equal(startTicks(program.pid), undefined);
  });

  test('a link that is down carries nothing until it is up again', async () => {
    const [one, two] = network.hosts;
    const server = await one!.listen(8081);
    server.on('connection', (socket) => socket.end('there'));
    const ask = async () => {
      const socket = await two!.sockets.connect(8081, one!.address, 300);
      const [body] = await socket.toArray();
      return String(body);
    };
    assert.equal(await ask(), 'there');
    await one!.setLink(false);
    await assert.rejects(ask(), { code: 'ETIMEDOUT' });
    await one!.setLink(true);
    assert.equal(await until('the link is up', () => ask().catch(() => undefined)), 'there');
  });

  test('a crash ends every process of that host and of no other', async () => {
    const [one, two] = network.hosts;
    const here = one!.spawn('sleep 600');
    const forked = one!.spawn('setsid sleep 601 & echo forked; exec sleep 602');
    await using there = two!.spawn('sleep 600');
    await forked.waitFor('forked');
    await one!.crash();
    assert.deepEqual(one!.pids(), []);
    assert.equal((await here.wait()).signal, 'SIGKILL');
    assert.equal((await forked.wait()).signal, 'SIGKILL');
    assert.equal(there.running, true);
    assert.equal((await one!.exec('hostname')).stdout, 'node-1\n', 'the host itself is still there');
  });
});

describe('the ways a network ends', requires('root'), () => {
  test('dispose leaves no process, namespace, mount, cgroup or folder', async () => {
    const mountsBefore = readFileSync('/proc/self/mountinfo', 'utf8');
    const network = await createNetwork({ hosts: [{ name: 'a' }, { name: 'b' }] });
    const own = new Set<string>();
    for (const host of [network.hub, ...network.hosts]) {
      for (const kind of ['net', 'mnt', 'uts']) own.add(readlinkSync(`/proc/${host.pid}/ns/${kind}`));
    }
    assert.equal(own.size, 9);
    // What a container runtime does: a pinned network namespace with a process that left everything else behind.
    await network.hosts[0]!.exec('ip netns add pinned');
    network.hosts[0]!.spawn([
      'nsenter',
      '--net=/run/netns/pinned',
      '--mount=/proc/1/ns/mnt',
      'env',
      '-i',
      'sleep',
      '600',
    ]);
    network.hosts[1]!.spawn('trap "" TERM; while :; do sleep 1; done');
    await network.dispose();
    assert.deepEqual(tracesOf(network.name), []);
    const live = liveNamespaces();
    assert.deepEqual(
      [...own].filter((name) => live.has(name)),
      [],
    );
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mountsBefore);
    await network.dispose();
  });

  const ownerScript = `
    import { createNetwork } from ${JSON.stringify(join(import.meta.dirname, 'namespace.ts'))};
    const network = await createNetwork({ hosts: 1 });
    network.hosts[0].spawn('sleep 600');
    console.log(network.name);
    setTimeout(() => {}, 60_000);`;
  async function killedOwner(beforeKill: (run: string) => void): Promise<string> {
    const owner = spawn(process.execPath, ['--input-type=module', '-e', ownerScript], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const run = await new Promise<string>((resolve) =>
      owner.stdout.once('data', (chunk) => resolve(String(chunk).trim())),
    );
    beforeKill(run);
    owner.kill('SIGKILL');
    await new Promise((resolve) => owner.once('exit', resolve));
    return run;
  }

  test('when its owner is killed, the warden removes it', async () => {
    const run = await killedOwner((name) => assert.notDeepEqual(tracesOf(name), []));
    await until('everything is gone', () => tracesOf(run).length === 0);
  });

  test('when the warden is killed too, the next start removes it, and never the network of a living owner', async () => {
    await using living = await createNetwork();
    const run = await killedOwner((name) => {
      for (const pid of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
        const words = wordsOf(pid);
        if (words.includes(name) && words[0] === '/bin/sh' && words.includes('-c'))
          process.kill(Number(pid), 'SIGKILL');
      }
    });
    assert.notDeepEqual(tracesOf(run), []);
    assert.equal(findLeftovers().includes(run), true);
    assert.equal(findLeftovers().includes(living.name), false);
    await removeLeftovers();
    assert.deepEqual(tracesOf(run), []);
    assert.equal((await living.hosts[0]!.exec('hostname')).stdout, 'node-1\n');
  });
});

function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

describe('hosts of two subnets', requires('root'), () => {
  test('are routed by the hub and share no link', async () => {
    await using network = await createNetwork({ hosts: [{}, { subnet: 1 }] });
    const [one, two] = network.hosts;
    assert.equal(two!.address, '172.30.1.12');
    (await one!.listen(9000)).on('connection', (socket) => socket.end(`${socket.remoteAddress}`));
    const socket = await two!.connect(9000, one!.address);
    assert.equal(String((await socket.toArray())[0]), '172.30.1.12');
    assert.match((await two!.exec(['ip', 'route', 'get', one!.address])).stdout, /via 172\.30\.1\.1/);
  });

  test('have, where asked for, a default route that ends in the hub', async () => {
    await using network = await createNetwork({ hosts: 1, defaultRoute: true });
    assert.match((await network.hosts[0]!.exec(['ip', 'route'])).stdout, /^default via 172\.30\.0\.1/);
    assert.equal((await network.hub.exec(['ip', 'route', 'show', 'default'])).stdout, '');
    await assert.rejects(network.hosts[0]!.sockets.connect(80, '192.0.2.1', 300));
  });
});
