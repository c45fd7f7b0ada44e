import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { hostOf } from '../../tests/harness/host.ts';
import { createNetwork, type Network } from '../../tests/harness/namespace.ts';
import { requires } from '../../tests/harness/requirements.ts';
import { applyNetwork, removeNetwork } from './network.ts';
import { type NetworkNode, planNetwork } from './plan.ts';

const node = (n: number, subnet = 0): NetworkNode => ({
  name: `node-${n}`,
  addresses: [`172.30.${subnet}.${10 + n}`],
  podCidrs: [`10.244.${n}.0/24`],
});
const eth0 = [{ name: 'eth0', address: '172.30.0.11', prefixLength: 24 }];

describe('the plan of the network', () => {
  test('goes straight to neighbours, and through the tunnel to others', () => {
    const near = planNetwork(node(1), [node(1), node(2)], eth0, 1500);
    assert.deepEqual(near.routes, [{ cidr: '10.244.2.0/24', via: '172.30.0.12', device: 'eth0' }]);
    assert.deepEqual([near.mtu, near.vxlan], [1500, undefined]);
    const far = planNetwork(node(1), [node(2), node(3, 1)], eth0, 1500);
    assert.deepEqual(far.routes[1], { cidr: '10.244.3.0/24', via: '10.244.3.0', device: 'tutti-vxlan' });
    assert.equal(far.mtu, 1450);
    assert.deepEqual(far.vxlan?.peers, [{ address: '172.30.1.13', mac: '0a:58:ac:1e:01:0d', gateway: '10.244.3.0' }]);
  });

  test('says whom it cannot reach', () => {
    const six = { ...node(2), podCidrs: ['fd00:2::/64'] };
    assert.deepEqual(planNetwork(node(1), [six], eth0, 1500).unreachable, [
      { node: 'node-2', reason: 'it has no address of the family of fd00:2::/64' },
    ]);
  });
});

describe('the network between hosts', requires('root', 'nft'), () => {
  const clock = new RealClock();
  const clusterCidrs = ['10.244.0.0/16'];
  const nodes = [node(1), node(2), node(3, 1)];
  let network: Network;
  before(async () => {
    network = await createNetwork({ hosts: [{}, {}, { subnet: 1 }] });
    for (const [index, host] of network.hosts.entries()) {
      // A pod's address, as the bridge would have it.
      await host.exec(
        `ip link add cni0 type bridge && ip link set cni0 up && ip addr add 10.244.${index + 1}.1/24 dev cni0`,
      );
      await applyNetwork({ host: hostOf(host), clock, self: nodes[index]!, nodes, clusterCidrs });
    }
  });
  after(() => network?.dispose());

  test('pods’ addresses answer one another, on one network and across', async () => {
    for (const [index, host] of network.hosts.entries()) {
      const server = await host.listen(8080, `10.244.${index + 1}.1`);
      server.on('connection', (socket) => {
        socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${host.name}`));
      });
    }
    for (const from of network.hosts) {
      for (const [index, to] of network.hosts.entries()) {
        assert.equal((await from.fetch(`http://10.244.${index + 1}.1:8080/`)).body, to.name, `from ${from.name}`);
      }
    }
  });

  test('the configuration is the runtime’s to read, and stays while nothing changes', async () => {
    const host = hostOf(network.hosts[0]!);
    const path = '/etc/cni/net.d/10-tutti.conflist';
    const configuration = JSON.parse(await host.files.readText(path));
    assert.equal(configuration.plugins[0].mtu, 1450);
    assert.deepEqual(configuration.plugins[0].ipam.ranges, [[{ subnet: '10.244.1.0/24' }]]);
    assert.equal(configuration.plugins.length, 1, 'each is a process or two for every pod');
    const { inode } = await host.files.stat(path);
    await applyNetwork({ host, clock, self: nodes[0]!, nodes, clusterCidrs });
    assert.equal((await host.files.stat(path)).inode, inode);
  });

  test('a node that goes takes its routes and the tunnel along; reset leaves nothing', async () => {
    const host = hostOf(network.hosts[0]!);
    const routes = async () => (await host.processes.run('ip', ['route', 'show', 'proto', '76'])).stdout.trim();
    await applyNetwork({ host, clock, self: nodes[0]!, nodes: nodes.slice(0, 2), clusterCidrs });
    assert.equal(await routes(), '10.244.2.0/24 via 172.30.0.12 dev eth0');
    assert.equal((await host.processes.run('ip', ['link', 'show', 'tutti-vxlan'])).code, 1);
    await removeNetwork({ host, clock });
    await removeNetwork({ host, clock });
    assert.equal(await routes(), '');
    assert.equal((await host.processes.run('nft', ['list', 'tables'])).stdout, '');
    assert.deepEqual(await host.files.list('/etc/cni/net.d'), []);
  });

  test('another configuration that comes after ours changes nothing', async () => {
    const host = hostOf(network.hosts[0]!);
    await applyNetwork({ host, clock, self: nodes[0]!, nodes, clusterCidrs });
    await host.files.write('/etc/cni/net.d/87-other.conflist', '{}');
    const result = await applyNetwork({ host, clock, self: nodes[0]!, nodes: nodes.slice(0, 2), clusterCidrs });
    assert.equal(result.kind, 'ours');
    await host.files.remove('/etc/cni/net.d/87-other.conflist');
    await removeNetwork({ host, clock });
  });

  test('another configuration is honoured', async () => {
    const host = hostOf(network.hosts[0]!);
    await host.files.write('/etc/cni/net.d/05-other.conf', '{}');
    const result = await applyNetwork({ host, clock, self: nodes[0]!, nodes, clusterCidrs });
    assert.deepEqual(result, { kind: 'foreign', file: '/etc/cni/net.d/05-other.conf' });
    assert.deepEqual(await host.files.list('/etc/cni/net.d'), ['05-other.conf']);
  });
});
