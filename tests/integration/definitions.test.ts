import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, startTestServer, type TestServer } from '../fixtures/api-server.ts';

const NAME = 'things.example.com';
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const THINGS = '/apis/example.com/v1/namespaces/default/things';

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: NAME },
  spec: {
    group: 'example.com',
    names: { plural: 'things', kind: 'Thing' },
    scope: 'Namespaced',
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};
const thing = (name: string, finalizers: string[] = []) => ({
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name, finalizers },
});

/** Asks until the answer is the wanted one; two seconds at most. */
async function until(server: TestServer, path: string, wanted: (answer: Answer) => boolean): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    const answer = await server.send('GET', path);
    if (wanted(answer) || tries === 100) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a definition goes with its instances, and while it waits for them nothing new comes to be', async () => {
  await using server = await startTestServer();
  await server.send('POST', DEFINITIONS, definition);
  await until(server, THINGS, ({ code }) => code === 200);
  assert.equal((await server.send('POST', THINGS, thing('held', ['example.com/hold']))).code, 201);
  assert.equal((await server.send('POST', THINGS, thing('free'))).code, 201);

  await server.send('DELETE', `${DEFINITIONS}/${NAME}`);
  await until(server, `${THINGS}/free`, ({ code }) => code === 404);
  const refused = await server.send('POST', THINGS, thing('late'));
  assert.deepEqual(
    { code: refused.code, reason: refused.body.reason, message: refused.body.message },
    {
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'create not allowed while custom resource definition is terminating',
    },
  );
  const { body } = await server.send('GET', `${DEFINITIONS}/${NAME}`);
  const terminating = body.status.conditions.find(({ type }: { type: string }) => type === 'Terminating');
  assert.equal(terminating?.status, 'True');

  await server.send('PATCH', `${THINGS}/held`, { metadata: { finalizers: null } });
  assert.equal((await until(server, `${DEFINITIONS}/${NAME}`, ({ code }) => code === 404)).code, 404);
});

test('a default shows in what was stored before it, stays with what was written under it, and else goes with it', async () => {
  await using server = await startTestServer();
  const { send } = server;
  const text = { type: 'string' };
  const versions = (properties: object) => [
    { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties } } },
  ];
  const schema = (properties: object) =>
    send('PATCH', `${DEFINITIONS}/${NAME}`, { spec: { versions: versions(properties) } });
  await send('POST', DEFINITIONS, {
    ...definition,
    spec: { ...definition.spec, versions: versions({ a: text, b: text }) },
  });
  await until(server, THINGS, ({ code }) => code === 200);
  await send('POST', THINGS, thing('before'));
  await schema({ a: { ...text, default: 'A' }, b: text });
  const defaulted = await until(server, `${THINGS}/before`, ({ body }) => body.a === 'A');
  assert.equal(defaulted.body.a, 'A');
  await send('POST', THINGS, thing('under'));
  await schema({ a: text, b: { ...text, default: 'B' } });
  await until(server, `${THINGS}/before`, ({ body }) => body.b === 'B');
  const shown = async (name: string) => {
    const { a, b } = (await send('GET', `${THINGS}/${name}`)).body;
    return { a, b };
  };
  assert.deepEqual(await shown('before'), { a: undefined, b: 'B' });
  assert.deepEqual(await shown('under'), { a: 'A', b: 'B' });
});

test('a resource within a resource is applied field by field, as far as fields are known', async () => {
  await using server = await startTestServer();
  const template = { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { data: { type: 'string' } } };
  const properties = { template };
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: 'object', properties } },
  };
  await server.send('POST', DEFINITIONS, { ...definition, spec: { ...definition.spec, versions: [version] } });
  await until(server, THINGS, ({ code }) => code === 200);
  const within = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { x: 'y' } }, data: 'd' };
  const apply = (object: object) => {
    const whole = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'a' }, template: object };
    return server.send('PATCH', `${THINGS}/a?fieldManager=test`, whole, 'admin', 'application/apply-patch+yaml');
  };
  const made = await apply(within);
  assert.deepEqual([made.code, made.body.template], [201, within], made.body.message);
  assert.deepEqual(made.body.metadata.managedFields[0].fieldsV1['f:template'], {
    'f:apiVersion': {},
    'f:data': {},
    'f:kind': {},
    'f:metadata': { 'f:labels': { 'f:x': {} }, 'f:name': {} },
  });
  const refused = await apply({ ...within, metadata: { name: 'a', unknown: 'x' } });
  assert.equal(refused.code, 500);
  assert.match(refused.body.message, /\.template\.metadata\.unknown: field not declared in schema$/);
});

test('who wrote what is remembered across the versions of a definition', async () => {
  await using server = await startTestServer();
  const text = { type: 'string' };
  const count = { type: 'integer' };
  const counted = { type: 'object', properties: { replicas: count } };
  const properties = { a: text, b: text, spec: counted, status: counted };
  const openAPIV3Schema = { type: 'object', properties };
  const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
  const versions = ['v1', 'v2'].map((name) => ({
    name,
    served: true,
    storage: name === 'v1',
    schema: { openAPIV3Schema },
    subresources: { scale },
  }));
  await server.send('POST', DEFINITIONS, { ...definition, spec: { ...definition.spec, versions } });
  await until(server, THINGS, ({ code }) => code === 200);
  const second = THINGS.replace('/v1/', '/v2/');
  await server.send('POST', `${THINGS}?fieldManager=first`, { ...thing('a'), a: '1', spec: { replicas: 1 } });
  const patched = await server.send('PATCH', `${second}/a?fieldManager=other`, { b: '2' });
  const owners = ({ body }: Answer) =>
    body.metadata.managedFields.map(
      ({ manager, apiVersion, fieldsV1 }: { manager: string; apiVersion: string; fieldsV1: object }) =>
        `${manager} ${apiVersion.replace('example.com/', '')} ${Object.keys(fieldsV1)}`,
    );
  assert.deepEqual(owners(patched), ['first v1 f:a,f:spec', 'other v2 f:b']);
  const applied = (a: string) => ({ apiVersion: 'example.com/v2', kind: 'Thing', metadata: { name: 'a' }, a });
  const apply = (a: string, query = '') =>
    server.send('PATCH', `${second}/a?fieldManager=me${query}`, applied(a), 'admin', 'application/apply-patch+yaml');
  const refused = await apply('3');
  assert.deepEqual([refused.code, refused.body.reason], [409, 'Conflict']);
  assert.match(refused.body.message, /conflict with "first" using example\.com\/v1: \.a$/);
  assert.deepEqual(owners(await apply('3', '&force=true')), ['me v2 f:a', 'first v1 f:spec', 'other v2 f:b']);
  await server.send('PATCH', `${THINGS}/a/scale?fieldManager=scaler`, { spec: { replicas: 2 } });
  const scaled = await server.send('GET', `${THINGS}/a`);
  assert.equal(scaled.body.spec?.replicas, 2, JSON.stringify(scaled.body));
  assert.deepEqual(owners(scaled), ['me v2 f:a', 'scaler v1 f:spec', 'first v1 f:spec', 'other v2 f:b']);
});
