// The cluster's DNS over real sockets on loopback: answers a second to a client of its own process, for names of the
// cluster and for cached names of others, and how soon an answer follows a changed EndpointSlice.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import process from 'node:process';
import dnsPacket from 'dns-packet';
import { startDns } from '../addons/dns/dns.ts';
import { endpointSlices, services } from '../api/resources.ts';
import { silentLogger } from '../libs/base/log.ts';
import { createNodeHost } from '../libs/base/node/node-host.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { SeededRandom } from '../libs/base/random.ts';
import { createClient } from '../libs/client/client.ts';
import { FakeApi } from '../libs/client/fakes.ts';
import { createInformers } from '../libs/client/informers.ts';
import type { Report } from '../tools/bench/figure.ts';

const CHANGES = 20;

/** Keeps 64 questions under way for three seconds, and tells how many were answered a second. */
const CLIENT = `
const { createSocket } = require('node:dgram');
const [port, question] = [Number(process.argv[1]), Buffer.from(process.argv[2], 'hex')];
const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20, sendBufferSize: 1 << 20 });
let answered = 0;
let counted = 0;
socket.on('message', (bytes) => {
  if ((bytes[3] & 15) !== 0 || bytes[7] === 0) throw new Error('no answer');
  answered++;
  socket.send(question);
});
socket.connect(port, '127.0.0.1', () => {
  for (let n = 0; n < 64; n++) socket.send(question);
  let begun;
  setTimeout(() => { begun = performance.now(); counted = answered; }, 500);
  setTimeout(() => {
    console.log((answered - counted) / ((performance.now() - begun) / 1000));
    socket.close();
  }, 3500);
});
`;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;
const questionOf = (name: string) =>
  dnsPacket.encode({ type: 'query', id: 7, flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type: 'A' }] });

async function answersPerSecond(port: number, name: string): Promise<number> {
  const child = spawn(process.execPath, ['-e', CLIENT, String(port), questionOf(name).toString('hex')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part) => {
    text += String(part);
  });
  await once(child, 'close');
  return Number(text);
}

export async function bench(report: Report): Promise<void> {
  const clock = new RealClock();
  const client = createClient(new FakeApi(clock), { clock });
  const random = new SeededRandom(1);
  const informers = createInformers({ client, clock, random, log: silentLogger });
  const shop = {
    services: client.resource(services).namespace('shop'),
    slices: client.resource(endpointSlices).namespace('shop'),
  };
  await shop.services.create({ metadata: { name: 'web' }, spec: { clusterIP: '10.96.0.1', ports: [] } });
  await shop.services.create({ metadata: { name: 'db' }, spec: { clusterIP: 'None', ports: [] } });
  const sliceOf = (address: string) => ({
    addressType: 'IPv4',
    metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
    endpoints: [{ addresses: [address] }],
  });
  await shop.slices.create(sliceOf('10.1.0.1'));

  const upstream = createSocket('udp4');
  upstream.on('message', (bytes, { port, address }) => {
    const { id, questions } = dnsPacket.decode(bytes);
    const answers = [{ type: 'A' as const, name: questions![0]!.name, ttl: 300, data: '192.0.2.1' }];
    upstream.send(dnsPacket.encode({ type: 'response', id: id!, questions: questions!, answers }), port, address);
  });
  upstream.bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  const server = await startDns({
    informers,
    host: createNodeHost(),
    clock,
    random,
    log: silentLogger,
    address: '127.0.0.1',
    port: 0,
    upstreams: [`127.0.0.1:${upstream.address().port}`],
  });
  const own = await answersPerSecond(server.port, 'web.shop.svc.cluster.local');
  report({ name: 'DNS: answers for a Service', value: own, unit: '/s', atLeast: 20_000 });
  const cached = await answersPerSecond(server.port, 'example.org');
  report({ name: 'DNS: cached answers of others', value: cached, unit: '/s', atLeast: 20_000 });

  const socket = createSocket('udp4');
  socket.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  const question = questionOf('db.shop.svc.cluster.local');
  const delays: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const address = `10.1.1.${n + 1}`;
    const begun = performance.now();
    await shop.slices.update(sliceOf(address));
    for (let seen = ''; seen !== address; ) {
      socket.send(question);
      const [bytes] = (await once(socket, 'message')) as [Buffer];
      const [answer] = dnsPacket.decode(bytes).answers ?? [];
      seen = answer?.type === 'A' ? answer.data : '';
    }
    delays.push(performance.now() - begun);
  }
  report({
    name: 'DNS: an answer after its EndpointSlice has changed',
    value: median(delays),
    unit: 'ms',
    atMost: 100,
  });
  socket.close();
  upstream.close();
  await server[Symbol.asyncDispose]();
  await informers.stop();
}
