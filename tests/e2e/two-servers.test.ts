import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { type Etcd, startEtcd } from '../harness/etcd.ts';
import { Kubectl } from '../harness/kubectl.ts';
import { createNetwork, type Network, type NetworkHost } from '../harness/namespace.ts';
import { type RunningProgram, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';

const TUTTI = join(import.meta.dirname, '../../entry/tutti.mjs');
const SHARED = /^(ca|front-proxy-ca|sa)\./;

describe('two servers on one etcd', requires('root', 'etcd', 'kubectl'), () => {
  let network: Network;
  let etcd: Etcd;
  const programs: RunningProgram[] = [];
  const dataDirOf = (host: NetworkHost) => join(host.folder, 'tutti');
  const kubectlOf = (host: NetworkHost) => new Kubectl(host, { kubeconfig: join(dataDirOf(host), 'admin.kubeconfig') });
  const command = (host: NetworkHost) => {
    const store = etcd.members.map(({ endpoint }) => endpoint.replace('http://', '')).join(',');
    return [process.execPath, TUTTI, 'server', '--data-dir', dataDirOf(host), '--store', `etcd://${store}`];
  };
  const start = async (host: NetworkHost): Promise<RunningProgram> => {
    const program = host.spawn(command(host), { logFile: join(host.folder, 'tutti.log') });
    programs.push(program);
    await program.waitFor('\nkubeconfig: ', 30_000);
    return program;
  };
  const leaderOf = async (kubectl: Kubectl, component: string) =>
    (await kubectl.text(`get lease ${component} -n kube-system -o jsonpath={.spec.holderIdentity}`)).replace(/_.*/, '');

  before(
    async () => {
      network = await createNetwork({ hosts: 2 });
      etcd = await startEtcd({ host: network.hub });
    },
    { timeout: 60_000 },
  );
  after(async () => {
    for (const program of programs) await program.stop(12_000);
    await etcd?.dispose();
    await network?.dispose();
  });

  test('a second server with an authority of its own is refused', async () => {
    const [first, second] = network.hosts as [NetworkHost, NetworkHost];
    await start(first);
    const { code, stderr } = await second.exec(command(second), { check: false, timeoutMs: 20_000 });
    assert.equal(code, 1);
    assert.match(stderr, /^tutti: The etcd holds a cluster of another authority; copy pki\/ca\.\*,/m);
    assert.match(await kubectlOf(first).text('get namespaces'), /kube-system/, 'and harms nothing');
  });

  test('with the same authority both serve, and one leads', async () => {
    const [first, second] = network.hosts as [NetworkHost, NetworkHost];
    mkdirSync(join(dataDirOf(second), 'pki'), { recursive: true });
    for (const name of readdirSync(join(dataDirOf(first), 'pki')).filter((one) => SHARED.test(one))) {
      cpSync(join(dataDirOf(first), 'pki', name), join(dataDirOf(second), 'pki', name));
    }
    await start(second);
    await kubectlOf(first).run('create configmap shared --from-literal=word=both');
    await until('the other has it', async () => {
      const { stdout } = await kubectlOf(second).run('get configmap shared -o jsonpath={.data.word}', { check: false });
      return stdout === 'both';
    });
    for (const component of ['kube-controller-manager', 'kube-scheduler']) {
      assert.equal(await leaderOf(kubectlOf(second), component), first.name, component);
    }
  });

  test('the leader is killed, and the other takes over its work', async () => {
    const second = network.hosts[1]!;
    programs[0]!.kill('SIGKILL');
    await programs[0]!.wait();
    const kubectl = kubectlOf(second);
    await kubectl.run('create deployment web --image=web --replicas=2');
    await until(
      'its controllers and its scheduler look at the pods',
      async () => {
        const { items } = await kubectl.json('get pods -l app=web');
        const seen = items.filter((pod: any) =>
          pod.status.conditions?.some((one: any) => one.type === 'PodScheduled' && one.reason === 'Unschedulable'),
        );
        return seen.length === 2;
      },
      { timeoutMs: 30_000, everyMs: 250 },
    );
    assert.equal(await leaderOf(kubectl, 'kube-controller-manager'), second.name);
    assert.equal(await leaderOf(kubectl, 'kube-scheduler'), second.name);
  });
});
