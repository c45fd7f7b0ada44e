import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { endpointSlices, nodes, services } from '../../api/resources.ts';
import type { ServiceSpec } from '../../api/types/core/v1.generated.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { createClient } from '../../libs/client/client.ts';
import { FakeApi } from '../../libs/client/fakes.ts';
import { createInformers, type StoppableInformers } from '../../libs/client/informers.ts';
import { hostOf } from '../../tests/harness/host.ts';
import { createNetwork, type Network, type NetworkHost } from '../../tests/harness/namespace.ts';
import { until } from '../../tests/harness/process.ts';
import { requires } from '../../tests/harness/requirements.ts';
import { type KubeProxy, removeKubeProxy, startKubeProxy } from './kube-proxy.ts';

const ZONE = 'topology.kubernetes.io/zone';
/** Of the cluster autoscaler. */
const LEAVES = { key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' };

/**
 * node-1 has the proxy; node-2 and node-3 are endpoints, and outsiders where a test needs one. A server answers with its
 * name and with the address that it sees, as packets find surprising ways.
 */
describe('kube-proxy in a kernel', requires('root', 'nft'), () => {
  const clock = new RealClock();
  const client = createClient(new FakeApi(clock));
  const of = {
    services: client.resource(services).namespace('shop'),
    slices: client.resource(endpointSlices).namespace('shop'),
  };
  const servers: Server[] = [];
  let network: Network;
  let one: NetworkHost;
  let two: NetworkHost;
  let informers: StoppableInformers;
  let proxy: KubeProxy;
  const config = { nodeName: 'node-1', clusterCidrs: ['10.1.0.0/16'], serviceCidrs: ['10.96.0.0/16'] };

  before(async () => {
    network = await createNetwork({ hosts: 3 });
    [one, two] = network.hosts as [NetworkHost, NetworkHost];
    for (const host of network.hosts) {
      const listener = await host.listen(8080);
      const server = createServer((request, response) => {
        response.end(`${host.name} to ${request.socket.remoteAddress?.replace('::ffff:', '')}`);
      });
      listener.on('connection', (socket) => server.emit('connection', socket));
      servers.push(server);
    }
    informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLogger });
    await service('web', '10.96.0.1', {}, ['172.30.0.12']);
    proxy = await start();
  });
  after(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await informers?.stop();
    for (const server of servers) server.closeAllConnections();
    await network?.dispose();
  });

  const start = () =>
    startKubeProxy({ ...config, informers, host: hostOf(one), clock, log: silentLogger, nodeAddresses: [one.address] });

  async function service(name: string, clusterIP: string, spec: Partial<ServiceSpec>, endpoints: string[]) {
    await of.services.create({
      metadata: { name, namespace: 'shop' },
      spec: { clusterIP, ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    });
    await of.slices.create(sliceOf(name, endpoints));
    if (proxy) await settled();
  }
  const sliceOf = (name: string, endpoints: string[]) => ({
    metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map((address) => ({
      addresses: [address],
      nodeName: network.hosts.find((host) => host.address === address)?.name ?? 'nowhere',
    })),
  });
  async function settled() {
    const { items, metadata } = await of.slices.list();
    assert.ok(items.length > 0);
    await informers.informer(endpointSlices).caughtUp(metadata.resourceVersion);
    const last = (await of.services.list()).items.map((item) => Number(item.metadata.resourceVersion));
    await informers.informer(services).caughtUp(String(Math.max(...last)));
    await proxy.idle();
  }
  /** What is told of a node comes a moment later. */
  const told = (assertion: () => Promise<void>) =>
    until(
      'it is told',
      () =>
        assertion().then(
          () => true,
          () => undefined,
        ),
      { timeoutMs: 5_000 },
    );
  const body = async (from: NetworkHost, address: string, timeoutMs = 2_000) =>
    (await from.fetch(`http://${address}/`, { timeoutMs })).body;
  const names = async (from: NetworkHost, address: string, count: number) => {
    const seen = new Set<string>();
    for (let i = 0; i < count; i++) seen.add((await body(from, address)).split(' ')[0]!);
    return [...seen].sort();
  };

  test('the node reaches a cluster IP, from the first state on', async () => {
    assert.equal(await body(one, '10.96.0.1'), 'node-2 to 172.30.0.11');
  });

  test('what the node sends by another device, as by a tunnel, has that device’s address', async () => {
    for (const [host, other, last] of [
      [one, two, 1],
      [two, one, 2],
    ] as const) {
      await host.exec(`ip link add tunnel type vxlan id 7 remote ${other.address} dstport 4789 dev eth0
        ip addr add 10.9.0.${last}/24 dev tunnel
        ip link set tunnel up`);
    }
    await service('far', '10.96.0.20', {}, ['10.9.0.2']);
    assert.equal(await body(one, '10.96.0.20'), 'node-2 to 10.9.0.1');
  });

  test('one endpoint’s change is there at once, and touches one Service', async () => {
    const { applied } = proxy.counts;
    await of.slices.update(sliceOf('web', ['172.30.0.13']));
    await settled();
    assert.deepEqual(await names(one, '10.96.0.1', 4), ['node-3']);
    await of.slices.update(sliceOf('web', ['172.30.0.12', '172.30.0.13']));
    await settled();
    assert.deepEqual(await names(one, '10.96.0.1', 20), ['node-2', 'node-3']);
    assert.deepEqual(proxy.counts, { applied: applied + 2, failed: 0 });
  });

  test('without endpoints, on other ports and at unknown addresses connections are refused', async () => {
    await service('empty', '10.96.0.2', {}, []);
    for (const address of ['10.96.0.2', '10.96.0.1:81', '10.96.0.99']) {
      await assert.rejects(body(one, address), { code: 'ECONNREFUSED' }, address);
    }
  });

  test('a node port is open to others, and masquerades unless the policy is Local', async () => {
    const ports = [{ port: 80, protocol: 'TCP', nodePort: 30_080 }];
    await service('open', '10.96.0.3', { type: 'NodePort', ports }, ['172.30.0.13']);
    assert.equal(await body(two, '172.30.0.11:30080'), 'node-3 to 172.30.0.11');
    assert.equal(await body(one, '172.30.0.11:30080'), 'node-3 to 172.30.0.11');
    const own = [{ port: 80, protocol: 'TCP', nodePort: 30_081 }];
    const local = { type: 'NodePort', ports: own, externalTrafficPolicy: 'Local' };
    await service('local', '10.96.0.4', local, ['172.30.0.11', '172.30.0.13']);
    for (let i = 0; i < 6; i++) assert.equal(await body(two, '172.30.0.11:30081'), 'node-1 to 172.30.0.12');
    await of.slices.update(sliceOf('local', ['172.30.0.13']));
    await settled();
    await assert.rejects(body(two, '172.30.0.11:30081', 300), 'nobody here: dropped');
  });

  test('affinity sends a client to the same endpoint, also after another one has come', async () => {
    await service('sticky', '10.96.0.5', { sessionAffinity: 'ClientIP' }, ['172.30.0.12', '172.30.0.13']);
    const [first, ...others] = await names(one, '10.96.0.5', 10);
    assert.deepEqual(others, []);
    await of.slices.update(sliceOf('sticky', ['172.30.0.11', '172.30.0.12', '172.30.0.13']));
    await settled();
    assert.deepEqual(await names(one, '10.96.0.5', 10), [first]);
    const rest = ['172.30.0.12', '172.30.0.13'].filter((address) => address !== addressOf(first!));
    await of.slices.update(sliceOf('sticky', rest));
    await settled();
    assert.notDeepEqual(await names(one, '10.96.0.5', 3), [first], 'its endpoint has gone');
  });
  const addressOf = (name: string) => network.hosts.find((host) => host.name === name)!.address;

  test('load balancers are told whether this node has endpoints', async () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_123 };
    await service('asked', '10.96.0.8', spec, ['172.30.0.11', '172.30.0.12']);
    const ask = async () => {
      const { status, body: text } = await two.fetch('http://172.30.0.11:32123/healthz', { timeoutMs: 2_000 });
      return [status, (JSON.parse(text) as { localEndpoints: number }).localEndpoints];
    };
    assert.deepEqual(await ask(), [200, 1]);
    await of.slices.update(sliceOf('asked', ['172.30.0.12']));
    await settled();
    assert.deepEqual(await ask(), [503, 0]);
  });

  test('whoever asks is told whether the kernel follows the API, and whether the node is to be used', async () => {
    const ask = async (path: string) => {
      const { status, body: text } = await two.fetch(`http://172.30.0.11:10256${path}`, { timeoutMs: 2_000 });
      return [status, text.startsWith('{') ? (JSON.parse(text) as { nodeEligible?: boolean }).nodeEligible : text];
    };
    const node = { metadata: { name: 'node-1', finalizers: ['example.com/stays'] }, spec: {} };
    const made = await client.resource(nodes).create(node);
    await informers.informer(nodes).caughtUp(made.metadata.resourceVersion);
    assert.deepEqual(await ask('/healthz'), [200, true]);
    await client.resource(nodes).update({ ...node, spec: { taints: [LEAVES] } });
    await told(async () => assert.deepEqual(await ask('/healthz'), [503, false]));
    assert.deepEqual(await ask('/livez'), [200, undefined], 'the proxy itself is well');
    assert.equal((await ask('/metrics'))[0], 404);
    await client.resource(nodes).update({ ...node, spec: {} });
    await told(async () => assert.deepEqual(await ask('/healthz'), [200, true]));
    await client.resource(nodes).delete('node-1');
    await told(async () => assert.deepEqual(await ask('/healthz'), [503, false]));
    await client.resource(nodes).update({ ...node, metadata: { name: 'node-1', finalizers: [] } });
  });

  test('what it counts is told on the loopback alone', async () => {
    const read = async () => (await one.fetch('http://127.0.0.1:10249/metrics', { timeoutMs: 2_000 })).body;
    const value = (text: string, name: string) => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
    const rules = 'kubeproxy_sync_proxy_rules';
    const before = await read();
    const slice = sliceOf('web', ['172.30.0.13']);
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(clock.now()).toISOString() };
    await of.slices.update({ ...slice, metadata: { ...slice.metadata, annotations } });
    await settled();
    const text = await read();
    for (const name of [`${rules}_duration_seconds_count`, `${rules}_endpoint_changes_total`]) {
      assert.equal(value(text, name), value(before, name) + 1, name);
    }
    assert.equal(value(text, 'kubeproxy_network_programming_duration_seconds_count'), 1);
    assert.equal(value(text, `${rules}_endpoint_changes_pending`), 0);
    assert.ok(Math.abs(value(text, `${rules}_last_timestamp_seconds`) - clock.now() / 1000) < 5);
    assert.equal(value(text, `${rules}_nftables_sync_failures_total`), 0);
    assert.match(text, /^kubeproxy_proxy_healthz_total\{code="503"\} [1-9]/m);
    assert.equal((await one.fetch('http://127.0.0.1:10249/proxyMode')).body, 'nftables');
    await assert.rejects(two.fetch('http://172.30.0.11:10249/metrics', { timeoutMs: 2_000 }), { code: 'ECONNREFUSED' });
    await of.slices.update(sliceOf('web', ['172.30.0.12', '172.30.0.13']));
    await settled();
  });

  test('traffic stays in the zone that the node’s label says, also when that changes', async () => {
    await client.resource(nodes).create({ metadata: { name: 'node-1', labels: { [ZONE]: 'east' } }, spec: {} });
    await service('near', '10.96.0.9', { trafficDistribution: 'PreferSameZone' }, ['172.30.0.12', '172.30.0.13']);
    const slice = sliceOf('near', ['172.30.0.12', '172.30.0.13']);
    const hints = [{ forZones: [{ name: 'east' }] }, { forZones: [{ name: 'west' }] }];
    const endpoints = slice.endpoints.map((endpoint, index) => ({ ...endpoint, hints: hints[index] }));
    await of.slices.update({ ...slice, endpoints });
    await settled();
    assert.deepEqual(await names(one, '10.96.0.9', 6), ['node-2']);
    const { metadata } = await client
      .resource(nodes)
      .update({ metadata: { name: 'node-1', labels: { [ZONE]: 'west' } }, spec: {} });
    await informers.informer(nodes).caughtUp(metadata.resourceVersion);
    await proxy.idle();
    assert.deepEqual(await names(one, '10.96.0.9', 6), ['node-3']);
  });

  test('an endpoint reaches itself', async () => {
    await service('self', '10.96.0.6', {}, ['172.30.0.11']);
    assert.match(await body(one, '10.96.0.6'), /^node-1 /);
  });

  test('a Service that goes leaves nothing behind', async () => {
    for (const { metadata } of (await of.services.list()).items) {
      await of.services.delete(metadata.name);
      await of.slices.delete(`${metadata.name}-1`);
    }
    while (proxy.size > 0) await new Promise((done) => setTimeout(done, 5));
    await proxy.idle();
    assert.equal(proxy.counts.failed, 0);
    const { stdout } = await one.exec(['nft', 'list', 'table', 'inet', 'tutti']);
    assert.doesNotMatch(stdout, /shop|elements/);
  });

  test('a table that somebody broke is written anew; other tables are left alone, also by reset', async () => {
    await one.exec(['nft', 'add table inet other; delete table inet tutti']);
    await service('again', '10.96.0.7', {}, ['172.30.0.12']);
    assert.equal(await body(one, '10.96.0.7'), 'node-2 to 172.30.0.11');
    assert.equal(proxy.counts.failed, 1);
    await proxy[Symbol.asyncDispose]();
    await removeKubeProxy({ host: hostOf(one), clock, serviceCidrs: config.serviceCidrs });
    await removeKubeProxy({ host: hostOf(one), clock, serviceCidrs: config.serviceCidrs });
    assert.equal((await one.exec(['nft', 'list', 'tables'])).stdout, 'table inet other\n');
    assert.doesNotMatch((await one.exec(['ip', 'route'])).stdout, /10\.96/);
  });
});
