// Services in the kernel: how long a thousand take, how long one endpoint's change takes beside them, and what a
// connection through a Service costs against a direct one. In network namespaces, with real sockets.

import process from 'node:process';
import { endpointSlices, services } from '../api/resources.ts';
import { silentLogger } from '../libs/base/log.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { SeededRandom } from '../libs/base/random.ts';
import { createClient } from '../libs/client/client.ts';
import { FakeApi } from '../libs/client/fakes.ts';
import { createInformers } from '../libs/client/informers.ts';
import { startKubeProxy } from '../node/kube-proxy/kube-proxy.ts';
import { hostOf } from '../tests/harness/host.ts';
import { createNetwork } from '../tests/harness/namespace.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const SERVICES = 1_000;
const CHANGES = 20;
/** Each of a batch direct, one through the Service and one through a bare rule, in an order that turns. */
const ROUNDS = 101;
const BATCH = 200;
const AT_ONCE = 8;
/** Answers each connection and ends it: a program of its own, so that nothing else has its turn in between. */
const SERVER = `
const { createServer } = require('node:net');
for (const port of [8080, 8081, 8082]) createServer((socket) => socket.end('here')).listen(port, () => console.log('listens'));
`;
/** Connects, reads to the end, and prints how long the batches of each round took, in ms, in the order of its arguments. */
const CLIENT = `
const { connect } = require('node:net');
const ways = process.argv.slice(1);
const once = (to) => new Promise((resolve, reject) => {
  const [host, port] = to.split(':');
  let text = '';
  connect(Number(port), host).on('data', (part) => (text += part)).on('error', reject)
    .on('close', () => (text === 'here' ? resolve() : reject(new Error('an answer of somebody else'))));
});
const batch = async (to) => {
  const started = performance.now();
  for (let n = 0; n < ${BATCH / AT_ONCE}; n++) await Promise.all(Array.from({ length: ${AT_ONCE} }, () => once(to)));
  return performance.now() - started;
};
(async () => {
  for (let n = 0; n < 5; n++) for (const to of ways) await batch(to);
  const rounds = [];
  for (let n = 0; n < ${ROUNDS}; n++) {
    const took = [];
    for (let turn = 0; turn < ways.length; turn++) {
      const way = (n + turn) % ways.length;
      took[way] = await batch(ways[way]);
    }
    rounds.push(took);
  }
  console.log(JSON.stringify(rounds));
})();
`;

/** The least that the kernel can do for a translated connection: what is lost here is lost to everybody who uses nftables. */
const BARE_ADDRESS = '10.97.0.1';
const bareRule = (address: string) => `
table ip bare {
  chain prerouting { type nat hook prerouting priority -100; ip daddr ${BARE_ADDRESS} tcp dport 80 dnat to ${address}:8082; }
  chain output { type nat hook output priority -100; ip daddr ${BARE_ADDRESS} tcp dport 80 dnat to ${address}:8082; }
}
`;

/** A network namespace on a bridge, as the bridge plugin makes them. */
const POD = `
ip netns add pod
ip link add cni0 type bridge && ip addr add 10.244.1.1/24 dev cni0 && ip link set cni0 up
ip link add pod0 type veth peer name eth0 netns pod && ip link set pod0 master cni0 up
ip -n pod addr add 10.244.1.2/24 dev eth0 && ip -n pod link set eth0 up && ip -n pod link set lo up
ip -n pod route add default via 10.244.1.1
`;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements('root', 'nft');
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  const clock = new RealClock();
  const client = createClient(new FakeApi(clock), { clock });
  await using network = await createNetwork({ hosts: 2 });
  const [one, two] = network.hosts;
  const slices = client.resource(endpointSlices).namespace('shop');
  const sliceOf = (index: number, last: number) => ({
    metadata: { name: `web-${index}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': `web-${index}` } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    // The first Service's endpoint is real; of the others nobody is there.
    endpoints:
      index === 0
        ? [{ addresses: [two!.address], nodeName: two!.name }]
        : [1, 2, last].map((n) => ({ addresses: [`10.1.${index >> 8}.${(index + n) & 255}`], nodeName: 'elsewhere' })),
  });
  for (let index = 0; index < SERVICES; index++) {
    await client
      .resource(services)
      .namespace('shop')
      .create({
        metadata: { name: `web-${index}`, namespace: 'shop' },
        spec: { clusterIP: `10.96.${index >> 8}.${index & 255}`, ports: [{ port: 80, protocol: 'TCP' }] },
      });
    await slices.create(sliceOf(index, 3));
  }
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLogger });
  informers.informer(services);
  informers.informer(endpointSlices);
  await informers.synced();
  const begun = performance.now();
  await using proxy = await startKubeProxy({
    informers,
    host: hostOf(one!),
    clock,
    log: silentLogger,
    nodeName: one!.name,
    nodeAddresses: [one!.address],
    clusterCidrs: ['10.1.0.0/16', '10.244.0.0/16'],
    serviceCidrs: ['10.96.0.0/16'],
  });
  const loadedS = (performance.now() - begun) / 1000;
  report({ name: '1,000 Services of 3 endpoints in the kernel', value: loadedS, unit: 's', atMost: 0.5 });

  const changes: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const started = performance.now();
    const { metadata } = await slices.update(sliceOf(7, 10 + n));
    await informers.informer(endpointSlices).caughtUp(metadata.resourceVersion);
    await proxy.idle();
    changes.push(performance.now() - started);
  }
  report({ name: 'one endpoint’s change beside 1,000 Services', value: median(changes), unit: 'ms', atMost: 20 });

  // A port for each: on the same one the translated connections would search for a free source port.
  await using server = two!.spawn([process.execPath, '-e', SERVER]);
  await server.waitFor('listens\nlistens\nlistens\n');
  await one!.exec(POD);
  await one!.exec(['nft', '-f', '-'], { input: bareRule(two!.address) });
  await one!.exec(['ip', 'route', 'add', BARE_ADDRESS, 'via', two!.address]);
  await two!.exec(['ip', 'route', 'add', '10.244.1.0/24', 'via', one!.address]);
  for (const [from, prefix] of [
    ['a pod', ['nsenter', '--net=/run/netns/pod']],
    ['the node', []],
  ] as const) {
    const ways = [`${two!.address}:8081`, '10.96.0.0:80', `${BARE_ADDRESS}:80`];
    const { stdout } = await one!.exec([...prefix, process.execPath, '-e', CLIENT, ...ways], { timeoutMs: 90_000 });
    const rounds = JSON.parse(stdout) as [direct: number, through: number, bare: number][];
    const ratio = (way: 1 | 2) => median(rounds.map((took) => took[0] / took[way]));
    const rate = (BATCH / median(rounds.map(([direct]) => direct))) * 1000;
    report({ name: `connections from ${from}, direct`, value: rate, unit: '/s' });
    report({ name: `connections from ${from} through a Service / direct`, value: ratio(1), unit: '×', atLeast: 0.95 });
    report({ name: `connections from ${from} through one bare DNAT rule / direct`, value: ratio(2), unit: '×' });
  }
  await informers.stop();
}
