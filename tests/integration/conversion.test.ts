// Custom resources whose versions a webhook converts: read, written, listed and watched in either.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchFrame } from '../../control-plane/apiserver/api.ts';
import type { WebhookTransport } from '../../control-plane/apiserver/webhook/client.ts';
import { startTestServer, type TestServer } from '../fixtures/api-server.ts';

const GROUP = '/apis/example.com';
const text = { type: 'string' };
const version = (name: string, properties: object, storage: boolean) => ({
  name,
  storage,
  served: true,
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
      version('v1', { address: text }, true),
      version('v2', { host: text, port: { type: 'string', maxLength: 5 } }, false),
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
function converting(calls: number[], broken: () => boolean = () => false): WebhookTransport {
  return {
    async post({ body }) {
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

async function withPlaces(transport: WebhookTransport): Promise<TestServer> {
  const server = await startTestServer({ webhooks: transport });
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

test('a watch converts each event, in order', async () => {
  await using server = await withPlaces(converting([]));
  const response = await server.server.handle({
    method: 'GET',
    path: `${GROUP}/v2/places`,
    query: 'watch=true',
    headers: { 'x-user': 'admin', accept: 'application/json' },
    body: undefined,
    peer: { address: '' },
    signal: new AbortController().signal,
  });
  assert.ok(response.body.form === 'watch');
  const seen: unknown[] = [];
  const enough = Promise.withResolvers<void>();
  using _limit = { [Symbol.dispose]: () => handle.close() };
  const handle = response.body.open({
    event(frame: WatchFrame) {
      seen.push([frame.type, (frame.value() as Place).spec.host]);
      if (seen.length === 3) enough.resolve();
      return true;
    },
    end: () => enough.resolve(),
  });
  await server.send('POST', `${GROUP}/v1/places`, place('a', 'v1', { address: 'one:1' }));
  await server.send('PATCH', `${GROUP}/v1/places/a`, { spec: { address: 'two:1' } });
  await server.send('DELETE', `${GROUP}/v1/places/a`);
  await enough.promise;
  assert.deepEqual(seen, [
    ['ADDED', 'one'],
    ['MODIFIED', 'two'],
    ['DELETED', 'two'],
  ]);
});
