import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import dnsPacket from 'dns-packet';
import { endpointSlices, namespaces, services } from '../../api/resources.ts';
import { createLogger, type LogRecord } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { createClient } from '../../libs/client/client.ts';
import { FakeApi } from '../../libs/client/fakes.ts';
import { createInformers } from '../../libs/client/informers.ts';
import { startDns } from './dns.ts';
import { readMessages, withLength } from './tcp.ts';

type Question = { name: string; type: string; udpBytesMax?: number; id?: number };

const bytesOf = ({ name, type, udpBytesMax, id = 7 }: Question): Buffer =>
  dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as dnsPacket.RecordType }],
    additionals: udpBytesMax
      ? [{ type: 'OPT', name: '.', udpPayloadSize: udpBytesMax, flags: 0, options: [] } as never]
      : [],
  });

async function udp(
  port: number,
  message: Uint8Array,
  timeoutMs = 5_000,
): Promise<dnsPacket.DecodedPacket & { bytes: Buffer }> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, port, '127.0.0.1');
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
    return { ...dnsPacket.decode(bytes), bytes };
  } finally {
    socket.close();
  }
}

async function tcp(port: number, ...messages: Uint8Array[]): Promise<dnsPacket.DecodedPacket[]> {
  const socket = connect(port, '127.0.0.1');
  for (const message of messages) socket.write(withLength(message));
  const out: dnsPacket.DecodedPacket[] = [];
  for await (const bytes of readMessages(socket)) {
    out.push(dnsPacket.decode(Buffer.from(bytes)));
    if (out.length === messages.length) break;
  }
  socket.destroy();
  return out;
}

const datas = (packet: dnsPacket.DecodedPacket): unknown[] =>
  (packet.answers ?? []).map((record) => ('data' in record ? record.data : undefined));
const rcodeOf = (packet: dnsPacket.DecodedPacket): string => (packet as unknown as { rcode: string }).rcode;

/** A resolver on loopback; `give` makes its answers, undefined is silence. */
async function resolver(give: (question: dnsPacket.Question, over: 'udp' | 'tcp') => dnsPacket.Packet | undefined) {
  const asked: string[] = [];
  const reply = (bytes: Buffer, over: 'udp' | 'tcp'): Buffer | undefined => {
    const query = dnsPacket.decode(bytes);
    const question = query.questions![0]!;
    asked.push(`${over} ${question.type} ${question.name}`);
    const given = give(question, over);
    return given && dnsPacket.encode({ type: 'response', id: query.id, questions: [question], ...given });
  };
  const server = createServer(async (socket: Socket) => {
    socket.on('error', () => undefined);
    for await (const bytes of readMessages(socket)) {
      const out = reply(Buffer.from(bytes), 'tcp');
      if (out) socket.write(withLength(out));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  const socket = createSocket('udp4', (bytes, from) => {
    const out = reply(bytes, 'udp');
    if (out) socket.send(out, from.port, from.address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return {
    asked,
    upstream: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      socket.close();
      await new Promise((done) => server.close(done));
    },
  };
}

async function setUp(upstreams: readonly string[] = []) {
  const clock = new RealClock();
  const client = createClient(new FakeApi(clock));
  const records: LogRecord[] = [];
  const log = createLogger('dns', clock, (record) => void records.push(record));
  const random = new SeededRandom(1);
  const informers = createInformers({ client, clock, random, log });
  const shop = {
    services: client.resource(services).namespace('shop'),
    slices: client.resource(endpointSlices).namespace('shop'),
  };
  await client.resource(namespaces).create({ metadata: { name: 'shop' }, spec: {} });
  await shop.services.create({ metadata: { name: 'web' }, spec: { clusterIP: '10.96.0.1', ports: [] } });
  await shop.services.create({ metadata: { name: 'db' }, spec: { clusterIP: 'None', ports: [] } });
  await shop.services.create({
    metadata: { name: 'away' },
    spec: { type: 'ExternalName', externalName: 'example.org' },
  });
  const endpoints = (count: number) => ({
    addressType: 'IPv4',
    metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
    endpoints: Array.from({ length: count }, (_, index) => ({ addresses: [`10.1.0.${index + 1}`] })),
  });
  await shop.slices.create(endpoints(2));
  const host = createNodeHost();
  const server = await startDns({ informers, host, clock, random, log, address: '127.0.0.1', port: 0, upstreams });
  return {
    ...shop,
    port: server.port,
    server,
    informers,
    endpoints,
    records,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await informers.stop();
    },
  };
}

describe('the DNS server', () => {
  it('answers over UDP and TCP, several questions on one connection', async () => {
    await using dns = await setUp();
    const given = await udp(dns.port, bytesOf({ name: 'web.shop.svc.cluster.local', type: 'A' }));
    assert.deepEqual([given.id, given.flag_aa, given.flag_ra, rcodeOf(given)], [7, true, true, 'NOERROR']);
    assert.deepEqual(datas(given), ['10.96.0.1']);
    const both = await tcp(
      dns.port,
      bytesOf({ name: 'web.shop.svc.cluster.local', type: 'A', id: 1 }),
      bytesOf({ name: 'none.shop.svc.cluster.local', type: 'A', id: 2 }),
    );
    assert.deepEqual(
      both.map((one) => [one.id, rcodeOf(one)]),
      [
        [1, 'NOERROR'],
        [2, 'NXDOMAIN'],
      ],
    );
  });

  it('changes its answer with the EndpointSlice', async () => {
    await using dns = await setUp();
    const slice = dns.informers.informer(endpointSlices);
    const written = await dns.slices.update(dns.endpoints(3));
    await slice.caughtUp(written.metadata.resourceVersion);
    const given = await udp(dns.port, bytesOf({ name: 'db.shop.svc.cluster.local', type: 'A' }));
    assert.deepEqual(datas(given).sort(), ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
    const gone = await dns.slices.update(dns.endpoints(0));
    await slice.caughtUp(gone.metadata.resourceVersion);
    assert.equal(rcodeOf(await udp(dns.port, bytesOf({ name: 'db.shop.svc.cluster.local', type: 'A' }))), 'NXDOMAIN');
  });

  it('lets every endpoint be the first in turn', async () => {
    await using dns = await setUp();
    const ask = async () => datas(await udp(dns.port, bytesOf({ name: 'db.shop.svc.cluster.local', type: 'A' })))[0];
    assert.deepEqual(new Set([await ask(), await ask()]), new Set(['10.1.0.1', '10.1.0.2']));
  });

  it('cuts what is too long for UDP and gives it whole over TCP', async () => {
    await using dns = await setUp();
    const written = await dns.slices.update(dns.endpoints(60));
    await dns.informers.informer(endpointSlices).caughtUp(written.metadata.resourceVersion);
    const name = 'db.shop.svc.cluster.local';
    const plain = await udp(dns.port, bytesOf({ name, type: 'A' }));
    assert.equal(plain.flag_tc, true);
    assert.ok(plain.bytes.length <= 512 && datas(plain).length > 5, `${plain.bytes.length} bytes`);
    const larger = await udp(dns.port, bytesOf({ name, type: 'A', udpBytesMax: 4096 }));
    assert.ok(larger.bytes.length <= 1232 && larger.bytes.length > 1100, `${larger.bytes.length} bytes`);
    const [whole] = await tcp(dns.port, bytesOf({ name, type: 'A' }));
    assert.deepEqual([whole!.flag_tc, datas(whole!).length], [false, 60]);
  });

  it('answers malformed messages with an error, and garbage with nothing', async () => {
    await using dns = await setUp();
    const query = bytesOf({ name: 'web.shop.svc.cluster.local', type: 'A' });
    const cases: readonly [string, Buffer, string][] = [
      ['no question', Buffer.concat([query.subarray(0, 4), Buffer.alloc(8)]), 'FORMERR'],
      ['cut off', query.subarray(0, 20), 'FORMERR'],
      ['a pointer to itself', Buffer.concat([query.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]), 'FORMERR'],
      ['another operation', Buffer.concat([query.subarray(0, 2), Buffer.from([0x20]), query.subarray(3)]), 'NOTIMP'],
      ['a transfer', bytesOf({ name: 'cluster.local', type: 'AXFR' }), 'REFUSED'],
    ];
    for (const [what, bytes, rcode] of cases) assert.equal(rcodeOf(await udp(dns.port, bytes)), rcode, what);
    await assert.rejects(udp(dns.port, Buffer.from('hello'), 100), { name: 'AbortError' });
    assert.deepEqual(datas(await udp(dns.port, query)), ['10.96.0.1'], 'and goes on');
  });

  it('refuses names of others where there is nobody to ask', async () => {
    await using dns = await setUp();
    assert.equal(rcodeOf(await udp(dns.port, bytesOf({ name: 'example.org', type: 'A' }))), 'REFUSED');
  });
});

describe('names of others', () => {
  const address = (name: string, data: string, ttl = 60) => ({ answers: [{ type: 'A' as const, name, ttl, data }] });

  it('are asked once, and then known, in the spelling of who asks', async () => {
    await using other = await resolver(({ name }) => address(name, '192.0.2.1'));
    await using dns = await setUp([other.upstream]);
    const first = await Promise.all(
      [1, 2, 3].map((id) => udp(dns.port, bytesOf({ name: 'example.org', type: 'A', id }))),
    );
    assert.deepEqual(
      first.map((one) => [one.id, ...datas(one)]),
      [1, 2, 3].map((id) => [id, '192.0.2.1']),
    );
    const again = await udp(dns.port, bytesOf({ name: 'eXample.ORG', type: 'A' }));
    assert.equal(again.questions![0]!.name, 'eXample.ORG');
    assert.deepEqual(datas(again), ['192.0.2.1']);
    assert.deepEqual(other.asked, ['udp A example.org']);
    assert.equal(dns.server.counts.forwarded, 1);
  });

  it('of unknown types go through unharmed', async () => {
    const data = Buffer.from([0, 1, 0, 0, 1, 0, 3, 2, 104, 50]);
    await using other = await resolver(({ name }) => ({
      answers: [{ type: 'UNKNOWN_65', name, ttl: 9, data } as never],
    }));
    await using dns = await setUp([other.upstream]);
    const given = await udp(dns.port, bytesOf({ name: 'example.org', type: 'UNKNOWN_65' }));
    assert.deepEqual(datas(given), [data]);
  });

  it('are asked over TCP where the answer is cut', async () => {
    await using other = await resolver(({ name }, over) =>
      over === 'udp' ? { flags: dnsPacket.TRUNCATED_RESPONSE } : address(name, '192.0.2.2'),
    );
    await using dns = await setUp([other.upstream]);
    assert.deepEqual(datas(await udp(dns.port, bytesOf({ name: 'big.org', type: 'A' }))), ['192.0.2.2']);
    assert.deepEqual(other.asked, ['udp A big.org', 'tcp A big.org']);
  });

  it('go to the next resolver when one fails', async () => {
    await using broken = await resolver(() => ({ flags: 2 }));
    await using other = await resolver(({ name }) => address(name, '192.0.2.3'));
    await using dns = await setUp([broken.upstream, other.upstream]);
    assert.deepEqual(datas(await udp(dns.port, bytesOf({ name: 'a.org', type: 'A' }))), ['192.0.2.3']);
    assert.deepEqual(datas(await udp(dns.port, bytesOf({ name: 'b.org', type: 'A' }))), ['192.0.2.3']);
    assert.deepEqual(broken.asked, ['udp A a.org'], 'the one that answered is asked first from then on');
  });

  it('that do not exist are remembered for as long as their zone says', async () => {
    const nobody = (minimum: number) => ({
      flags: 3,
      authorities: [
        {
          type: 'SOA' as const,
          name: 'org',
          ttl: 3600,
          data: { mname: 'a.org', rname: 'b.org', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
        },
      ],
    });
    await using other = await resolver(({ name }) => nobody(name.startsWith('brief') ? 0 : 60));
    await using dns = await setUp([other.upstream]);
    for (const name of ['none.org', 'none.org', 'brief.org', 'brief.org']) {
      assert.equal(rcodeOf(await udp(dns.port, bytesOf({ name, type: 'A' }))), 'NXDOMAIN');
    }
    assert.deepEqual(other.asked, ['udp A none.org', 'udp A brief.org', 'udp A brief.org']);
  });

  it('fail where no resolver can answer, and work again when one can', async () => {
    let works = false;
    await using other = await resolver(({ name }) => (works ? address(name, '192.0.2.9') : { flags: 2 }));
    await using dns = await setUp([other.upstream]);
    const ask = () => udp(dns.port, bytesOf({ name: 'a.org', type: 'A' }));
    assert.equal(rcodeOf(await ask()), 'SERVFAIL');
    works = true;
    assert.deepEqual(datas(await ask()), ['192.0.2.9'], 'a failure is not remembered');
  });

  it('that exist without such records have none, with the zone to say so', async () => {
    await using dns = await setUp();
    const given = await udp(dns.port, bytesOf({ name: 'web.shop.svc.cluster.local', type: 'AAAA' }));
    assert.equal(rcodeOf(given), 'NOERROR');
    assert.deepEqual(datas(given), []);
    assert.deepEqual(
      given.authorities?.map(({ type, name }) => `${type} ${name}`),
      ['SOA cluster.local'],
    );
  });

  it('stand behind the CNAME of an ExternalName', async () => {
    await using other = await resolver(({ name }) => address(name, '192.0.2.4'));
    await using dns = await setUp([other.upstream]);
    const given = await udp(dns.port, bytesOf({ name: 'away.shop.svc.cluster.local', type: 'A' }));
    assert.deepEqual(datas(given), ['example.org', '192.0.2.4']);
    await dns.services.create({
      metadata: { name: 'near' },
      spec: { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' },
    });
    const near = async () => datas(await udp(dns.port, bytesOf({ name: 'near.shop.svc.cluster.local', type: 'A' })));
    assert.deepEqual(await near(), ['web.shop.svc.cluster.local', '10.96.0.1']);
  });

  it('that lead in a circle fail', async () => {
    await using dns = await setUp();
    await dns.services.create({
      metadata: { name: 'circle' },
      spec: { type: 'ExternalName', externalName: 'circle.shop.svc.cluster.local' },
    });
    const given = await udp(dns.port, bytesOf({ name: 'circle.shop.svc.cluster.local', type: 'A' }));
    assert.equal(rcodeOf(given), 'SERVFAIL');
    assert.match(String(dns.records.at(-1)!.fields['error']), /lead to each other/);
  });

  it('are not waited for when the server stops', async () => {
    await using silent = await resolver(() => undefined);
    const dns = await setUp([silent.upstream]);
    const asked = udp(dns.port, bytesOf({ name: 'slow.org', type: 'A' }), 300).catch(() => 'none');
    while (silent.asked.length === 0) await new Promise((done) => setTimeout(done, 5));
    await dns[Symbol.asyncDispose]();
    assert.equal(await asked, 'none');
  });
});
