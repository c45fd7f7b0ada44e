// Custom resources whose versions a webhook converts: read, written, listed and watched in either.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchFrame } from '../../control-plane/apiserver/api.ts';
import type { WebhookTransport } from '../../control-plane/apiserver/webhook/client.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import type { Store } from '../../control-plane/store/store.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { type Answer, startTestServer, type TestServer } from '../fixtures/api-server.ts';

const GROUP = '/apis/example.com';
const text = { type: 'string' };
const version = (name: string, properties: object, storage: boolean, selectable: string[] = []) => ({
  name,
  storage,
  served: true,
  ...(selectable.length > 0 ? { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) } : {}),
  schema: {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } },
  },
});
const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'places.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Cluster',
    names: { plural: 'places', singular: 'place', kind: 'Place' },
    versions: [
      version('v1', { address: text }, true, ['.spec.address']),
      version('v2', { host: text, port: { type: 'string', maxLength: 5 } }, false, ['.spec.host', '.spec.port']),
    ],
    conversion: {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://hooks.example/convert' } },
    },
  },
};

interface Place {
  apiVersion: string;
  metadata: { name: string };
  spec: { address?: string; host?: string; port?: string };
}

/** v1 has `address: host:port`, v2 has both apart. `calls` tells how many objects were asked about. */
function converting(
  calls: number[],
  broken: () => boolean = () => false,
  others: WebhookTransport = { post: () => Promise.reject(new Error('nobody is there')) },
): WebhookTransport {
  return {
    async post(call) {
      const { path, body } = call;
      if (!path.startsWith('/convert')) return others.post(call);
      const { request } = JSON.parse(body) as { request: { uid: string; desiredAPIVersion: string; objects: Place[] } };
      calls.push(request.objects.length);
      const { uid, desiredAPIVersion: apiVersion } = request;
      const convertedObjects = request.objects.map((place) => {
        const { address, host, port } = place.spec;
        const [first, second] = (address ?? '').split(':');
        const spec = apiVersion.endsWith('v1') ? { address: `${host}:${port}` } : { host: first, port: second };
        return { ...place, apiVersion, spec };
      });
      const result = broken() ? { status: 'Failure', message: 'no time' } : { status: 'Success' };
      const response = { uid, result, convertedObjects };
      const answer = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response };
      return { code: 200, body: JSON.stringify(answer) };
    },
  };
}

async function withPlaces(transport: WebhookTransport, store?: Store): Promise<TestServer> {
  const server = await startTestServer({ webhooks: transport, ...(store && { store }) });
  const { code, body } = await server.send(
    'POST',
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    definition,
  );
  assert.equal(code, 201, body.message);
  for (let i = 0; i < 100; i++) {
    if ((await server.send('GET', `${GROUP}/v1/places`)).code === 200) return server;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the definition is not served');
}

const place = (name: string, apiVersion: string, spec: object) => ({
  apiVersion: `example.com/${apiVersion}`,
  kind: 'Place',
  metadata: { name },
  spec,
});

test('written in one version, read in the other', async () => {
  const calls: number[] = [];
  await using server = await withPlaces(converting(calls));
  const made = await server.send('POST', `${GROUP}/v2/places`, place('a', 'v2', { host: 'h', port: '1' }));
  assert.equal(made.code, 201, made.body.message);
  assert.deepEqual(made.body.spec, { host: 'h', port: '1' });
  assert.equal(made.body.apiVersion, 'example.com/v2');
  const stored = await server.send('GET', `${GROUP}/v1/places/a`);
  assert.deepEqual(stored.body.spec, { address: 'h:1' });
  const changed = await server.send('PATCH', `${GROUP}/v2/places/a`, { spec: { port: '2' } });
  assert.deepEqual(changed.body.spec, { host: 'h', port: '2' });
  assert.deepEqual((await server.send('GET', `${GROUP}/v1/places/a`)).body.spec, { address: 'h:2' });
});

test('what is written must be right in the version that it is written in', async () => {
  await using server = await withPlaces(converting([]));
  const long = { host: 'h', port: '123456' };
  const refusal = 'Place.example.com "a" is invalid: spec.port: Too long: may not be more than 5 bytes';
  const made = await server.send('POST', `${GROUP}/v2/places`, place('a', 'v2', long));
  assert.deepEqual([made.code, made.body.message], [422, refusal]);
  // The stored version has no such rule.
  const other = await server.send('POST', `${GROUP}/v1/places`, place('a', 'v1', { address: 'h:1' }));
  assert.equal(other.code, 201);
  const patched = await server.send('PATCH', `${GROUP}/v2/places/a`, { spec: long });
  assert.deepEqual([patched.code, patched.body.message], [422, refusal]);
  const { resourceVersion } = other.body.metadata;
  const object = { ...place('a', 'v2', long), metadata: { name: 'a', resourceVersion } };
  const put = await server.send('PUT', `${GROUP}/v2/places/a`, object);
  assert.deepEqual([put.code, put.body.message], [422, refusal]);
  const right = await server.send('PUT', `${GROUP}/v2/places/a`, { ...object, spec: { host: 'h', port: '2' } });
  assert.equal(right.code, 200, right.body.message);
  assert.deepEqual((await server.send('GET', `${GROUP}/v1/places/a`)).body.spec, { address: 'h:2' });
});

test('a list is one question', async () => {
  const calls: number[] = [];
  await using server = await withPlaces(converting(calls));
  for (const name of ['a', 'b', 'c']) {
    await server.send('POST', `${GROUP}/v1/places`, place(name, 'v1', { address: `${name}:1` }));
  }
  calls.length = 0;
  const { body } = await server.send('GET', `${GROUP}/v2/places`);
  assert.deepEqual(calls, [3]);
  assert.deepEqual(
    body.items.map(({ spec }: Place) => spec.host),
    ['a', 'b', 'c'],
  );
});

test('failures are told as the webhook tells them', async () => {
  let broken = false;
  await using server = await withPlaces(converting([], () => broken));
  await server.send('POST', `${GROUP}/v1/places`, place('a', 'v1', { address: 'a:1' }));
  broken = true;
  const { code, body } = await server.send('GET', `${GROUP}/v2/places/a`);
  assert.equal(code, 500);
  assert.equal(body.message, 'conversion webhook for example.com/v1, Kind=Place failed: no time');
  assert.equal((await server.send('GET', `${GROUP}/v1/places/a`)).code, 200);
});

/** The first `count` events of a watch: type, name, host. */
async function watching({ server }: TestServer, query: string, count: number): Promise<Promise<unknown[]>[]> {
  const response = await server.handle({
    method: 'GET',
    path: `${GROUP}/v2/places`,
    query: `watch=true${query}`,
    headers: { 'x-user': 'admin', accept: 'application/json' },
    body: undefined,
    peer: { address: '' },
    signal: new AbortController().signal,
  });
  assert.ok(response.body.form === 'watch', JSON.stringify(response.body));
  const seen: unknown[] = [];
  const enough = Promise.withResolvers<unknown[]>();
  const handle = response.body.open({
    event(frame: WatchFrame) {
      const { metadata, spec } = frame.value() as Place;
      seen.push([frame.type, metadata.name, spec.host]);
      if (seen.length === count) enough.resolve(seen);
      return true;
    },
    end: () => enough.resolve(seen),
  });
  // In an array, so that waiting for the watch to begin does not wait for its events.
  return [enough.promise.finally(() => handle.close())];
}

test('a watch converts each event, in order', async () => {
  await using server = await withPlaces(converting([]));
  const [seen] = await watching(server, '', 3);
  await server.send('POST', `${GROUP}/v1/places`, place('a', 'v1', { address: 'one:1' }));
  await server.send('PATCH', `${GROUP}/v1/places/a`, { spec: { address: 'two:1' } });
  await server.send('DELETE', `${GROUP}/v1/places/a`);
  assert.deepEqual(await seen, [
    ['ADDED', 'a', 'one'],
    ['MODIFIED', 'a', 'two'],
    ['DELETED', 'a', 'two'],
  ]);
});

const hosts = async ({ send }: TestServer, query: string) =>
  (await send('GET', `${GROUP}/v2/places${query}`)).body.items.map(({ spec }: Place) => spec.host);

test('a version’s fields select what the version shows', async () => {
  const calls: number[] = [];
  await using server = await withPlaces(converting(calls));
  const { send } = server;
  const [seen] = await watching(server, '&fieldSelector=spec.host%3Da', 5);
  for (const [name, address] of Object.entries({ one: 'a:1', two: 'a:2', three: 'b:1' })) {
    await send('POST', `${GROUP}/v1/places`, place(name, 'v1', { address }));
  }
  assert.deepEqual(await hosts(server, '?fieldSelector=spec.host%3Da'), ['a', 'a']);
  assert.deepEqual(await hosts(server, '?fieldSelector=spec.host%3Da,spec.port!%3D1'), ['a']);
  assert.deepEqual((await send('GET', `${GROUP}/v1/places?fieldSelector=spec.address%3Db:1`)).body.items.length, 1);
  const unknown = await send('GET', `${GROUP}/v1/places?fieldSelector=spec.host%3Da`);
  assert.deepEqual([unknown.code, unknown.body.message], [400, 'field label not supported: spec.host']);

  const page = await send('GET', `${GROUP}/v2/places?fieldSelector=spec.host%3Da&limit=1`);
  assert.deepEqual([page.body.items.length, page.body.items[0].metadata.name], [1, 'one']);
  const rest = await send(
    'GET',
    `${GROUP}/v2/places?fieldSelector=spec.host%3Da&limit=1&continue=${page.body.metadata.continue}`,
  );
  assert.deepEqual([rest.body.items[0].metadata.name, rest.body.metadata.continue], ['two', '']);

  await send('PATCH', `${GROUP}/v1/places/three`, { spec: { address: 'a:3' } });
  await send('PATCH', `${GROUP}/v2/places/two`, { spec: { host: 'c' } });
  await send('DELETE', `${GROUP}/v2/places?fieldSelector=spec.port%3D1`);
  assert.deepEqual(await seen, [
    ['ADDED', 'one', 'a'],
    ['ADDED', 'two', 'a'],
    ['ADDED', 'three', 'a'],
    ['DELETED', 'two', 'a'],
    ['DELETED', 'one', 'a'],
  ]);
  assert.deepEqual(await hosts(server, ''), ['a', 'c']);
});

test('objects stay in the version that they were stored in until they are written again', async () => {
  let broken = false;
  const store = new MemoryStore({ clock: new RealClock(), random: new SeededRandom('conversion') });
  await using server = await withPlaces(
    converting([], () => broken),
    store,
  );
  const { send } = server;
  for (const name of ['old', 'dying']) {
    const metadata = { name, ...(name === 'dying' ? { finalizers: ['example.com/stay'] } : {}) };
    await send('POST', `${GROUP}/v1/places`, { ...place(name, 'v1', { address: `${name}:1` }), metadata });
  }
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/places.example.com';
  const [v1, v2] = definition.spec.versions;
  const changed = await send('PATCH', path, {
    spec: {
      versions: [
        { ...v1, storage: false },
        { ...v2, storage: true },
      ],
    },
  });
  assert.deepEqual([changed.code, changed.body.status?.storedVersions], [200, ['v1', 'v2']], changed.body.message);
  await send('POST', `${GROUP}/v1/places`, place('young', 'v1', { address: 'young:1' }));
  assert.deepEqual(await hosts(server, ''), ['dying', 'old', 'young']);
  const { items } = (await send('GET', `${GROUP}/v1/places`)).body;
  assert.deepEqual(
    items.map(({ spec }: Place) => spec.address),
    ['dying:1', 'old:1', 'young:1'],
  );

  // Another server that begins with what is there finds the same.
  await using next = await startTestServer({ webhooks: converting([]), store });
  for (let i = 0; i < 100 && (await next.send('GET', `${GROUP}/v2/places`)).code !== 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(await hosts(next, ''), ['dying', 'old', 'young']);

  broken = true;
  // What is stored in the version that is asked for needs nobody.
  assert.equal((await send('GET', `${GROUP}/v1/places/old`)).code, 200);
  assert.equal((await send('GET', `${GROUP}/v2/places/young`)).code, 200);
  broken = false;

  const patched = await send('PATCH', `${GROUP}/v2/places/old`, { spec: { port: '2' } });
  assert.deepEqual([patched.code, patched.body.spec], [200, { host: 'old', port: '2' }], patched.body.message);
  // It is stored anew even where nothing changes: so objects are brought from one version to the other.
  const before = (await send('GET', `${GROUP}/v2/places/dying`)).body;
  const same = await send('PUT', `${GROUP}/v2/places/dying`, before);
  assert.notEqual(same.body.metadata.resourceVersion, before.metadata.resourceVersion);
  broken = true;
  assert.deepEqual(await hosts(server, ''), ['dying', 'old', 'young']);
  broken = false;
  const marked = await send('DELETE', `${GROUP}/v1/places/dying`);
  assert.deepEqual([marked.code, marked.body.spec], [200, { address: 'dying:1' }], marked.body.message);
});

test('admission webhooks see the version that their rules name', async () => {
  const seen: unknown[] = [];
  const hooks: WebhookTransport = {
    async post({ path, body }) {
      const { request } = JSON.parse(body);
      const { object, requestKind, kind } = request;
      seen.push([path.replace(/\?.*/, ''), kind.version, requestKind.version, object.spec]);
      const patch = btoa(JSON.stringify([{ op: 'replace', path: '/spec/port', value: '9' }]));
      const changes = path.startsWith('/mutate') ? { patchType: 'JSONPatch', patch } : {};
      const response = { uid: request.uid, allowed: true, ...changes };
      const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
      return { code: 200, body: JSON.stringify(review) };
    },
  };
  await using server = await withPlaces(converting([], () => false, hooks));
  const webhook = (kind: string, path: string, apiVersion: string) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name: `w-${apiVersion}` },
    webhooks: [
      {
        name: 'w.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { url: `https://hooks.example${path}` },
        rules: [{ apiGroups: ['example.com'], apiVersions: [apiVersion], operations: ['*'], resources: ['places'] }],
      },
    ],
  });
  for (const [kind, path, apiVersion] of [
    ['MutatingWebhookConfiguration', '/mutate', 'v2'],
    ['ValidatingWebhookConfiguration', '/validate', 'v1'],
    ['ValidatingWebhookConfiguration', '/validate', 'v2'],
  ] as const) {
    const resource = `${kind.toLowerCase()}s`;
    const made = await server.send(
      'POST',
      `/apis/admissionregistration.k8s.io/v1/${resource}`,
      webhook(kind, path, apiVersion),
    );
    assert.equal(made.code, 201, made.body.message);
  }
  const made = await server.send('POST', `${GROUP}/v2/places`, place('a', 'v2', { host: 'h', port: '1' }));
  assert.deepEqual([made.code, made.body.spec], [201, { host: 'h', port: '9' }], made.body.message);
  assert.deepEqual(seen, [
    ['/mutate', 'v2', 'v2', { host: 'h', port: '1' }],
    ['/validate', 'v1', 'v2', { address: 'h:9' }],
    ['/validate', 'v2', 'v2', { host: 'h', port: '9' }],
  ]);
});

test('who wrote what is remembered across versions', async () => {
  await using server = await withPlaces(converting([]));
  const { send } = server;
  const owners = ({ body }: Answer) =>
    body.metadata.managedFields.map(
      ({ manager, apiVersion, fieldsV1 }: { manager: string; apiVersion: string; fieldsV1: object }) =>
        `${manager} ${apiVersion.replace('example.com/', '')} ${JSON.stringify(fieldsV1).match(/f:[^"]+/g)}`,
    );
  const apply = (manager: string, version: string, spec: object, query = '') => {
    const path = `${GROUP}/${version}/places/a?fieldManager=${manager}${query}`;
    return send('PATCH', path, place('a', version, spec), 'admin', 'application/apply-patch+yaml');
  };
  const made = await apply('one', 'v1', { address: 'h:1' });
  assert.deepEqual([made.code, owners(made)], [201, ['one v1 f:spec,f:address']], JSON.stringify(made.body));
  const refused = await apply('two', 'v2', { host: 'other' });
  assert.deepEqual([refused.code, refused.body.reason], [409, 'Conflict'], JSON.stringify(refused.body));
  const forced = await apply('two', 'v2', { host: 'other' }, '&force=true');
  assert.deepEqual([forced.code, forced.body.spec], [200, { host: 'other', port: '1' }], forced.body.message);

  // Also where objects are stored in another version than they were.
  const again = await apply('one', 'v1', { address: 'back:1' }, '&force=true');
  assert.deepEqual([again.code, owners(again)], [200, ['one v1 f:spec,f:address']], again.body.message);
  const [v1, v2] = definition.spec.versions;
  await send('PATCH', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/places.example.com', {
    spec: {
      versions: [
        { ...v1, storage: false },
        { ...v2, storage: true },
      ],
    },
  });
  const labelled = await send('PATCH', `${GROUP}/v2/places/a?fieldManager=three`, { metadata: { labels: { x: 'y' } } });
  assert.equal(labelled.code, 200, labelled.body.message);
  assert.deepEqual(owners(labelled), ['one v1 f:spec,f:address', 'three v2 f:metadata,f:labels,f:x']);
});
