// Services in the kernel: how long a thousand take, how long one endpoint's change takes beside them, and what a
// connection through a Service costs against a direct one. In network namespaces, with real sockets.

import { createServer, type Socket } from 'node:net';
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
/** Connects again and again, reads to the end, and tells how many a second; both ways in turn, so that both see the same machine. */
const CLIENT = `
const { connect } = require('node:net');
const once = (to) => new Promise((resolve, reject) => {
  const [host, port] = to.split(':');
  let text = '';
  connect(Number(port), host).on('data', (part) => (text += part)).on('error', reject)
    .on('close', () => (text === 'here' ? resolve() : reject(new Error('an answer of somebody else'))));
});
const round = async (to) => {
  const started = performance.now();
  for (let n = 0; n < 100; n++) await Promise.all(Array.from({ length: 8 }, () => once(to)));
  return 800 / ((performance.now() - started) / 1000);
};
(async () => {
  const [direct, through] = [[], []];
  await round(process.argv[1]);
  for (let n = 0; n < 7; n++) {
    direct.push(await round(process.argv[1]));
    through.push(await round(process.argv[2]));
  }
  console.log(JSON.stringify({ direct, through }));
})();
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
    // The client plays a pod.
    clusterCidrs: ['10.1.0.0/16', '172.30.0.0/16'],
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

  // Two ports: the same one would have the translated connections search for a free source port.
  const server = createServer((socket) => socket.end('here'));
  for (const port of [8080, 8081]) {
    (await two!.listen(port)).on('connection', (socket: Socket) => server.emit('connection', socket));
  }
  // The client is a process of its own inside the namespace, so that nothing but the sockets is measured.
  const { stdout } = await one!.exec([process.execPath, '-e', CLIENT, `${two!.address}:8081`, '10.96.0.0:80'], {
    timeoutMs: 60_000,
  });
  const { direct, through } = JSON.parse(stdout) as { direct: number[]; through: number[] };
  report({ name: 'connections, direct', value: median(direct), unit: '/s' });
  report({
    name: 'connections through a Service / direct',
    value: median(through) / median(direct),
    unit: '×',
    atLeast: 0.95,
  });
  await informers.stop();
}
