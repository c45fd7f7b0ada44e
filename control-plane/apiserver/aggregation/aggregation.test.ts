import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { silentLogger } from '../../../libs/base/log.ts';
import { FixedKeys } from '../../../libs/base/node/fixed-keys.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import { SeededRandom } from '../../../libs/base/random.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import { MemoryStore } from '../../store/drivers/memory/memory-store.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { createDefaultServer } from '../default-server.ts';
import { respond, textResponse, wholeBody } from '../responses.ts';
import type { ApiServer } from '../server.ts';
import type { ProxyCall } from './aggregator.ts';

const clock = new VirtualClock({ turn });
const calls: ProxyCall[] = [];
let reachable = true;
let server: ApiServer;

const RESOURCES = {
  kind: 'APIResourceList',
  groupVersion: 'metrics.example.com/v1beta1',
  resources: [
    { name: 'pods', singularName: 'pod', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
    { name: 'pods/status', namespaced: true, kind: 'PodMetrics', verbs: ['get'] },
  ],
};

before(async () => {
  const random = new SeededRandom('aggregation');
  const keys = new FixedKeys('aggregation');
  const key = await keys.generateKey('ca');
  server = createDefaultServer({
    store: new MemoryStore({ clock, random }),
    clock,
    random,
    keys,
    log: silentLogger,
    clientAuthorityPem: await keys.issueCertificate({
      subject: { commonName: 'ca' },
      publicKey: key,
      isCertificateAuthority: true,
      usages: ['cert sign'],
      notBeforeMs: clock.now(),
      notAfterMs: clock.now() + 1e9,
    }),
    serviceAccountKey: key,
    serverAddress: '127.0.0.1:6443',
    platform: 'x',
    runtime: 'x',
    authenticators: [
      {
        name: 'test',
        authenticate: ({ headers }) =>
          headers['authorization'] === 'Bearer admin'
            ? { name: 'ann', groups: ['system:masters'], extra: { 'example.com/Team': ['a'] } }
            : undefined,
      },
    ],
    aggregation: {
      async send(call) {
        calls.push(call);
        if (!reachable) throw new Error('connection refused');
        if (call.path === '/apis/metrics.example.com/v1beta1') return respond(200, wholeBody({ value: RESOURCES }));
        return call.path.includes('teapot')
          ? textResponse(418, 'short and stout')
          : respond(200, wholeBody({ value: { kind: 'PodMetricsList', items: [] } }));
      },
    },
  });
  await server.start();
});
after(() => server.stop());

async function ask(method: string, target: string, body?: unknown, more: ApiRequest['headers'] = {}) {
  const [path = '', query = ''] = target.split('?');
  const response: ApiResponse = await server.handle({
    method,
    path,
    query,
    headers: { authorization: 'Bearer admin', 'content-type': 'application/json', accept: 'application/json', ...more },
    body: body === undefined ? undefined : { value: body },
    peer: { address: '' },
    signal: new AbortController().signal,
  });
  return { code: response.code, value: (response.body.form === 'whole' ? response.body.value() : undefined) as any };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await turn();
}

const NAME = 'v1beta1.metrics.example.com';
const APISERVICE = `/apis/apiregistration.k8s.io/v1/apiservices/${NAME}`;

async function condition(): Promise<{ status: string; reason: string; message: string }> {
  await settle();
  return (await ask('GET', APISERVICE)).value.status.conditions.find(
    (one: { type: string }) => one.type === 'Available',
  );
}

describe('API aggregation', { concurrency: 1 }, () => {
  it('does not ask for what no Service is there', async () => {
    const spec = {
      group: 'metrics.example.com',
      version: 'v1beta1',
      service: { namespace: 'default', name: 'metrics', port: 443 },
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
    };
    const made = await ask('POST', '/apis/apiregistration.k8s.io/v1/apiservices', { metadata: { name: NAME }, spec });
    assert.equal(made.code, 201);
    await ask('GET', APISERVICE);
    assert.deepEqual(
      [(await condition()).reason, (await ask('GET', '/apis/metrics.example.com/v1beta1/pods')).code],
      ['ServiceNotFound', 503],
    );
    assert.equal(calls.length, 0);
  });

  it('is available once the Service has endpoints that answer', async () => {
    await ask('POST', '/api/v1/namespaces/default/services', {
      metadata: { name: 'metrics' },
      spec: { ports: [{ port: 443 }] },
    });
    await clock.advance(6000);
    assert.equal((await condition()).reason, 'EndpointsNotFound');
    const slice = {
      metadata: { name: 'metrics-1', labels: { 'kubernetes.io/service-name': 'metrics' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.9'] }],
      ports: [{ port: 443 }],
    };
    const made = await ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice);
    assert.equal(made.code, 201, JSON.stringify(made.value));
    await clock.advance(6000);
    assert.deepEqual((await condition()).reason, 'Passed');
  });

  it('carries requests on, with the user in headers and nothing that a client may forge', async () => {
    calls.length = 0;
    const { code, value } = await ask('GET', '/apis/metrics.example.com/v1beta1/namespaces/a/pods?limit=1', undefined, {
      'x-remote-user': ['root'],
      'x-custom': 'kept',
    });
    assert.deepEqual([code, value.kind], [200, 'PodMetricsList']);
    // Its OpenAPI may be read meanwhile.
    const call = calls.find(({ path }) => path === '/apis/metrics.example.com/v1beta1/namespaces/a/pods?limit=1');
    assert.ok(call);
    assert.equal(call.serverName, 'metrics.default.svc');
    const all = (name: string) => call.headers.filter(([one]) => one.toLowerCase() === name).map(([, text]) => text);
    assert.deepEqual(all('x-remote-user'), ['ann']);
    assert.deepEqual(all('x-remote-group'), ['system:masters', 'system:authenticated']);
    assert.deepEqual(all('x-remote-extra-example.com%2fteam'), ['a']);
    assert.deepEqual([all('authorization'), all('x-custom')], [[], ['kept']]);
    assert.equal((await ask('GET', '/apis/metrics.example.com/v1beta1/teapots')).code, 418);
  });

  it('does not carry on what the user may not do', async () => {
    calls.length = 0;
    const { code } = await ask('GET', '/apis/metrics.example.com/v1beta1/pods', undefined, { authorization: '' });
    assert.deepEqual([code, calls.length], [403, 0]);
  });

  it('is told by discovery', async () => {
    const groups = (await ask('GET', '/apis')).value.groups.map((one: { name: string }) => one.name);
    assert.equal(groups.at(-1), 'metrics.example.com');
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const { items } = (await ask('GET', '/apis', undefined, { accept })).value;
    const [version] = items.at(-1).versions;
    assert.equal(version.freshness, 'Current');
    assert.deepEqual(
      version.resources.map((one: { resource: string; subresources: { subresource: string }[] }) => [
        one.resource,
        one.subresources.map((sub) => sub.subresource),
      ]),
      [['pods', ['status']]],
    );
    assert.equal((await ask('GET', '/apis/metrics.example.com')).value.preferredVersion.version, 'v1beta1');
  });

  it('is 503 when it stops to answer, and no more when it is deleted', async () => {
    reachable = false;
    await clock.advance(31_000);
    const { status, message } = await condition();
    assert.equal(status, 'False');
    assert.match(message, /connection refused/);
    assert.equal((await ask('GET', '/apis/metrics.example.com/v1beta1/pods')).code, 503);
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const { items } = (await ask('GET', '/apis', undefined, { accept })).value;
    assert.equal(items.at(-1).versions[0].freshness, 'Stale');
    const metrics = server.metrics?.text() ?? '';
    const name = 'name="v1beta1.metrics.example.com"';
    assert.match(metrics, new RegExp(`^aggregator_unavailable_apiservice\\{${name}\\} 1$`, 'm'));
    const why = 'reason="FailedDiscoveryCheck"';
    assert.match(metrics, new RegExp(`^aggregator_unavailable_apiservice_total\\{${name},${why}\\} 1$`, 'm'));
    await ask('DELETE', APISERVICE);
    assert.equal((await ask('GET', '/apis/metrics.example.com/v1beta1/pods')).code, 404);
    const groups = (await ask('GET', '/apis')).value.groups.map((one: { name: string }) => one.name);
    assert.ok(!groups.includes('metrics.example.com'));
  });
});
