import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Kubectl } from '../harness/kubectl.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

describe('commands beside a cluster that runs', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 30_000 });
  const tutti = async (command: string) => (await cluster.tutti(command)).stdout.trimEnd();
  const refused = async (command: string) => {
    const { code, stderr } = await cluster.tutti(command, { check: false });
    assert.notEqual(code, 0);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
    return stderr.trim();
  };

  before(
    async () => {
      cluster = await startCluster({ images: ['busybox', 'kubia'] });
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  test('status says what runs, and how it is', async () => {
    const text = await tutti('status');
    for (const line of [
      new RegExp(`^runs +cluster, process ${cluster.pid}, for \\d+s$`, 'm'),
      /^version +\d+\.\d+\.\d+$/m,
      /^node +node-1 is ready$/m,
      /^pods +0 of 0 run$/m,
      /^data +[\d.]+ [kMG]B in /m,
      /^certificates +good until 20\d\d-\d\d-\d\d \(/m,
    ]) {
      assert.match(text, line);
    }
    const { pid, nodes } = JSON.parse(await tutti('status --output json'));
    assert.deepEqual([pid, nodes], [cluster.pid, [{ name: 'node-1', ready: true }]]);
  });

  test('tokens come and go', async () => {
    const made = await tutti('token create --ttl 1h --description cellar');
    const [, server, id] =
      /tutti agent --server (\S+) --token ([a-z0-9]{6})\.[a-z0-9]{16}\.[\w-]{43}$/m.exec(made) ?? [];
    assert.equal(server, `https://${cluster.host.address}:6443`);
    assert.match(await tutti('token list'), new RegExp(`^${id} +20\\d\\d-\\S+Z +joining +cellar$`, 'm'));
    await tutti(`token delete ${id}`);
    assert.match(await tutti('token list'), /There are no tokens/);
    assert.match(await refused(`token delete ${id}`), /^tutti: There is no token /);
  });

  test('a kubeconfig for somebody else, who may do what RBAC says', async () => {
    const file = join(cluster.host.folder, 'jane.kubeconfig');
    const server = `https://${cluster.host.address}:6443`;
    writeFileSync(file, await tutti(`kubeconfig --user jane --group developers --server ${server}`));
    const jane = new Kubectl(cluster.host, { kubeconfig: file });
    assert.match(await jane.text('auth whoami'), /Username +jane\n.*\[developers system:authenticated\]/s);
    const forbidden = await jane.run('get pods', { check: false });
    assert.match(forbidden.stderr, /pods is forbidden: User "jane" cannot list/);
    await kubectl('create rolebinding devs --clusterrole=view --group=developers');
    assert.equal((await jane.run('get pods', { check: false })).code, 0);
  });

  test('images: listed, pulled, imported, removed', async () => {
    assert.match(await tutti('image pull busybox'), /^busybox is here as /);
    assert.match(await tutti('image list'), /^docker\.io\/library\/busybox:latest +[0-9a-f]{12} +[\d.]+ [kM]B$/m);
    assert.match(await refused('image remove kubia'), /^tutti: There is no image kubia; /);
    const archive = join(cluster.host.folder, 'busybox.tar');
    const socket = join(cluster.dataDir, 'containerd/containerd.sock');
    await cluster.host.exec(`ctr -a ${socket} -n k8s.io images export ${archive} docker.io/library/busybox:latest`);
    await tutti('image remove busybox');
    assert.doesNotMatch(await tutti('image list'), /busybox/);
    await tutti(`image import ${archive}`);
    assert.match(await tutti('image list'), /busybox/);
    assert.match(
      await refused('image import /nowhere.tar'),
      /^tutti: \/nowhere\.tar cannot be read: there is no such file\.$/,
    );
  });

  test('a node is drained as disruption budgets allow', async () => {
    await kubectl('create deployment kubia --image=kubia --replicas=2');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    await kubectl('create poddisruptionbudget all --selector=app=kubia --min-available=2');
    assert.match(await tutti('node list'), /^node-1 +Ready +2 +172\.30\.0\.11 +containerd:/m);
    assert.match(
      await refused('node drain node-1 --timeout 1s'),
      /Not all pods have left node-1 in time: .*disruption budget/,
    );
    await kubectl('delete poddisruptionbudget all');
    assert.match(await tutti('node drain node-1 --timeout 60s'), /node node-1 is drained$/);
    assert.match(await tutti('node list'), /^node-1 +Ready,SchedulingDisabled +0 /m);
    await kubectl('uncordon node-1');
    await kubectl('rollout status deployment/kubia --timeout=60s');
    assert.match(await refused('node drain node-7'), /^tutti: There is no node node-7; /);
  });

  test('a server that is detached is stopped by its data folder, and the other goes on', async () => {
    const { host } = cluster;
    const other = join(host.folder, 'other');
    const words = [...cluster.command().slice(0, 2), 'server', '--port', '7443', '--no-merge-kubeconfig', '--detach'];
    const { stdout } = await host.exec([...words, '--data-dir', other], { timeoutMs: 60_000 });
    assert.match(stdout, /"tutti stop --data-dir \S+" or kill \d+ stops it/);
    assert.match(stdout, /tutti token create --data-dir /);
    const ended = await host.exec([...cluster.command().slice(0, 2), 'stop', '--data-dir', other]);
    assert.match(ended.stdout, /^Process \d+ has ended\.$/m);
    assert.match(await tutti('status'), /^node +node-1 is ready$/m);
  });

  test('stop ends it, and says so where nothing runs', async () => {
    assert.match(await tutti('stop'), new RegExp(`^Process ${cluster.pid} has ended\\.$`));
    assert.match(await tutti('stop'), /^Nothing runs on /);
    const { code, stdout } = await cluster.tutti('status', { check: false });
    assert.equal(code, 3);
    assert.match(stdout, /^runs +nothing$/m);
    assert.match(await refused('token list'), /^tutti: No API server answers at https:\/\/127\.0\.0\.1:6443 /);
    assert.match(await refused('image list'), /^tutti: No /);
  });

  test('reset takes everything away, also what a crash has left', async () => {
    await cluster.start();
    await kubectl('rollout status deployment/kubia --timeout=60s');
    const { host, dataDir } = cluster;
    const config = join(host.folder, 'home/.kube/config');
    assert.match(readFileSync(config, 'utf8'), /name: tutti/);
    await cluster.kill();
    assert.match(await refused('reset'), /^tutti: "tutti reset" asks before it removes anything; .*--yes\.$/);
    const mine = join(dataDir, 'mine.txt');
    writeFileSync(mine, 'keep');
    assert.match(await tutti('reset --yes'), /what others put there stays: mine\.txt\.$/);
    assert.deepEqual(readdirSync(dataDir), ['mine.txt']);
    assert.doesNotMatch(readFileSync(config, 'utf8'), /name: tutti/);
    const left = async (command: string) => (await host.exec(command, { check: false })).stdout.trim();
    assert.deepEqual(
      {
        namespaces: readdirSync(host.path('/run/netns')),
        mounts: await left(`grep -c -e ${dataDir} -e /run/containerd /proc/self/mountinfo`),
        tables: await left('nft list tables'),
        links: await left('ip -o link show | grep -c -e cni0 -e veth.*master -e vxlan'),
        network: existsSync(host.path('/etc/cni/net.d/10-tutti.conflist')),
        processes: host
          .pids()
          .map(commandOf)
          .filter((command) => /containerd|kubia/.test(command)),
      },
      { namespaces: [], mounts: '0', tables: '', links: '0', network: false, processes: [] },
    );
    const strange = join(host.folder, 'strange');
    await host.exec(['mkdir', '-p', join(strange, 'log')]);
    const { stderr } = await host.exec([...cluster.command().slice(0, 2), 'reset', '--yes', '--data-dir', strange], {
      check: false,
    });
    assert.match(stderr, /holds no data of Tutti's/);
    assert.ok(existsSync(join(strange, 'log')));
  });
});
