// One corpus of requests over both ways into an API server, the wire and the in-process transport: same codes, same values.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import { inProcessTransport } from '../../control-plane/apiserver/in-process.ts';
import { serve } from '../../control-plane/apiserver/serve/serve.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { VirtualClock } from '../../libs/base/virtual-clock.ts';
import { createClient } from '../../libs/client/client.ts';
import { httpsTransport } from '../../libs/client/node/https-transport.ts';
import type { Transport } from '../../libs/client/transport.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { ApiError } from '../../libs/machinery/errors.ts';
import { makeCertificates, type TestCertificates } from '../fixtures/tls.ts';

type ConfigMap = ApiObject & { data?: Record<string, string> };
type Service = ApiObject & { spec?: Record<string, unknown> };
const configMaps: ResourceRef<ConfigMap> = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
const services: ResourceRef<Service> = {
  group: '',
  version: 'v1',
  resource: 'services',
  kind: 'Service',
  namespaced: true,
};
const namespaces: ResourceRef = {
  group: '',
  version: 'v1',
  resource: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

// TLS goes by the machine's time; it stands still for everybody else.
const clock = new VirtualClock({ turn, startMs: new RealClock().now() });
let certificates: TestCertificates;
const cleanups: (() => unknown)[] = [];

before(async () => {
  certificates = await makeCertificates(clock.now());
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** A server of its own, with everything in it the same each time, and a way to it. */
async function start(way: 'the wire' | 'in-process', user: 'admin' | 'nobody'): Promise<Transport> {
  const random = new SeededRandom('both ways');
  const keys = new NodeKeys();
  const server = createDefaultServer({
    store: new MemoryStore({ clock, random: random.fork('store') }),
    clock,
    random,
    keys,
    serviceAccountKey: await keys.generateKey('service accounts'),
    log: silentLogger,
    clientAuthorityPem: certificates.authorityPem,
    serverAddress: '127.0.0.1:6443',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  cleanups.push(() => server.stop());
  const identity = user === 'admin' ? certificates.admin : certificates.client;
  let transport: Transport;
  if (way === 'in-process') {
    const certificateDer = new X509Certificate(identity.certificatePem).raw;
    transport = inProcessTransport({ handle: (request) => server.handle(request), credentials: { certificateDer } });
  } else {
    const serving = await serve({
      host: '127.0.0.1',
      port: 0,
      tls: { ...certificates.server, clientAuthoritiesPem: certificates.authorityPem },
      clock,
      random: random.fork('serve'),
      log: silentLogger,
      handle: (request) => server.handle(request),
    });
    transport = httpsTransport({
      server: `https://127.0.0.1:${serving.port}`,
      caPem: certificates.authorityPem,
      certificate: () => identity,
      clock,
    });
    // The server's goodbye waits on a clock that stands still; what is left is cut off once time goes on.
    cleanups.push(async () => {
      const closed = serving.close(0);
      await clock.advance(1000);
      await closed;
    });
  }
  cleanups.push(() => transport.close());
  return transport;
}

const inDefault = (client: Client) => client.resource(configMaps).namespace('default');

/** Requests in their order; each answers with what is to be the same. */
const CORPUS: readonly { name: string; ask(client: Client): Promise<unknown> }[] = [
  {
    name: 'create',
    ask: (c) => inDefault(c).create({ metadata: { name: 'a', labels: { x: 'y' } }, data: { k: '<v> & "w" ✓' } }),
  },
  { name: 'create with a generated name', ask: (c) => inDefault(c).create({ metadata: { generateName: 'gen-' } }) },
  { name: 'create what is there', ask: (c) => inDefault(c).create({ metadata: { name: 'a' } }) },
  {
    name: 'create what is wrong',
    ask: (c) => inDefault(c).create({ metadata: { name: 'Bad Name' }, data: { '': 'x' } }),
  },
  {
    name: 'create with an unknown field',
    ask: (c) => inDefault(c).create({ metadata: { name: 'b' }, odd: 1 } as ConfigMap, { fieldValidation: 'Strict' }),
  },
  {
    name: 'create with a wrong type',
    ask: (c) => inDefault(c).create({ metadata: { name: 'b' }, data: { k: 5 } } as unknown as ConfigMap),
  },
  {
    name: 'create with what JSON leaves out',
    ask: (c) => inDefault(c).create({ metadata: { name: 'u', labels: undefined }, data: undefined }),
  },
  {
    name: 'create by defaults',
    ask: (c) =>
      c
        .resource(services)
        .namespace('default')
        .create({ metadata: { name: 's' }, spec: { ports: [{ port: 80 }], clusterIP: 'None' } }),
  },
  { name: 'dry run', ask: (c) => inDefault(c).create({ metadata: { name: 'dry' } }, { dryRun: true }) },
  { name: 'get', ask: (c) => inDefault(c).get('a') },
  { name: 'get what is not there', ask: (c) => inDefault(c).get('none') },
  { name: 'list', ask: (c) => inDefault(c).list() },
  { name: 'list by label', ask: (c) => inDefault(c).list({ labelSelector: 'x=y' }) },
  { name: 'list a page', ask: (c) => inDefault(c).list({ limit: 1 }) },
  { name: 'list by a field that is none', ask: (c) => inDefault(c).list({ fieldSelector: 'data.k=v' }) },
  { name: 'list all', ask: (c) => c.resource(namespaces).list() },
  {
    name: 'table',
    ask: (c) =>
      c.raw('GET', '/api/v1/namespaces/default/configmaps', {
        headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
      }),
  },
  {
    name: 'metadata',
    ask: (c) =>
      c.raw('GET', '/api/v1/namespaces/default/configmaps/a', {
        headers: { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' },
      }),
  },
  {
    name: 'update',
    ask: async (c) => inDefault(c).update({ ...(await inDefault(c).get('a')), data: { k: 'new' } } as ConfigMap),
  },
  {
    name: 'update what has changed',
    ask: (c) => inDefault(c).update({ metadata: { name: 'a', resourceVersion: '1' } }),
  },
  { name: 'merge patch', ask: (c) => inDefault(c).patch('a', { data: { k: null, l: '2' } }, { type: 'merge' }) },
  { name: 'strategic merge patch', ask: (c) => inDefault(c).patch('a', { data: { m: '3' } }, { type: 'strategic' }) },
  {
    name: 'JSON patch',
    ask: (c) => inDefault(c).patch('a', [{ op: 'add', path: '/data/n', value: '4' }], { type: 'json' }),
  },
  {
    name: 'JSON patch that fails',
    ask: (c) => inDefault(c).patch('a', [{ op: 'test', path: '/data/n', value: '5' }], { type: 'json' }),
  },
  {
    name: 'apply',
    ask: (c) => inDefault(c).apply({ metadata: { name: 'a' }, data: { o: '5' } }, { fieldManager: 'm' }),
  },
  {
    name: 'apply against another',
    ask: (c) => inDefault(c).apply({ metadata: { name: 'a' }, data: { n: '6' } }, { fieldManager: 'm' }),
  },
  { name: 'delete under a condition', ask: (c) => inDefault(c).delete('a', { preconditions: { uid: 'other' } }) },
  {
    name: 'watch',
    async ask(c) {
      const events: unknown[] = [];
      for await (const event of inDefault(c).watch({ sendInitialEvents: true, allowWatchBookmarks: true })) {
        events.push(event);
        if (event.type === 'BOOKMARK') break;
      }
      return events;
    },
  },
  { name: 'delete', ask: (c) => inDefault(c).delete('a') },
  {
    name: 'watch from the past',
    async ask(c) {
      const { metadata } = await inDefault(c).list();
      await inDefault(c).create({ metadata: { name: 'later' } });
      await inDefault(c).delete('later');
      const events: unknown[] = [];
      for await (const event of inDefault(c).watch({ resourceVersion: metadata.resourceVersion })) {
        if (events.push(event) === 2) break;
      }
      return events;
    },
  },
  { name: 'delete all', ask: (c) => inDefault(c).deleteCollection({ labelSelector: 'x' }) },
  { name: 'a path that is none', ask: (c) => c.raw('GET', '/api/v1/nothing') },
  { name: 'a group that is none', ask: (c) => c.raw('GET', '/apis/none.example.com/v1') },
  { name: 'a method that is none', ask: (c) => c.raw('PUT', '/api/v1/namespaces') },
  { name: 'the version', ask: (c) => c.raw('GET', '/version') },
  { name: 'health', ask: (c) => c.raw('GET', '/readyz') },
  { name: 'discovery', ask: (c) => c.raw('GET', '/apis') },
];

async function answers(way: 'the wire' | 'in-process', user: 'admin' | 'nobody'): Promise<Map<string, unknown>> {
  const client = createClient(await start(way, user), { userAgent: 'tester' });
  const found = new Map<string, unknown>();
  for (const { name, ask } of CORPUS) {
    try {
      found.set(name, await ask(client));
    } catch (error) {
      assert.ok(error instanceof ApiError, `${name}: ${error instanceof Error ? error.stack : error}`);
      found.set(name, { error: error.status });
    }
  }
  return found;
}

for (const user of ['admin', 'nobody'] as const) {
  describe(`as ${user}, the wire and the in-process transport`, () => {
    let wire: Map<string, unknown>;
    let inProcess: Map<string, unknown>;
    before(async () => {
      wire = await answers('the wire', user);
      inProcess = await answers('in-process', user);
    });
    for (const { name } of CORPUS) {
      it(`answer alike: ${name}`, () => assert.deepEqual(inProcess.get(name), wire.get(name)));
    }
    it('are not refused everything, or allowed everything', () => {
      const refused = [...wire.values()].filter(
        (value) => (value as { error?: { code: number } })?.error?.code === 403,
      );
      assert.equal(refused.length > 0, user === 'nobody');
    });
  });
}
