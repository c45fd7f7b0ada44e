// What a running server says of itself: discovery and OpenAPI, compared with what upstream's says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { builtinTypeOf } from '../../api/schema/builtin.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import type { UserInfo } from '../../libs/kind/request.ts';
import { decodeProtobuf } from '../../libs/machinery/codec/protobuf/protobuf.ts';
import { startTestServer } from '../fixtures/api-server.ts';
import { needs, REFERENCE } from '../needs.ts';

const skip = needs('reference');
const ADMIN: UserInfo = { name: 'admin', groups: ['system:masters'], extra: {} };
const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;

type Json = Record<string, unknown>;
type Paths = Record<string, Record<string, { action?: string; gvk?: Json; responses?: Json }>>;

let server: ApiServer;

async function bytesOf(path: string, accept: string): Promise<Uint8Array> {
  const answer = await server.handle({
    method: 'GET',
    path,
    query: '',
    headers: { accept },
    body: undefined,
    peer: { address: '' },
    signal: new AbortController().signal,
  });
  assert.equal(answer.code, 200, path);
  assert.equal(answer.body.form, 'whole', path);
  assert.equal(answer.body.contentType.split(';')[0], accept.split(';')[0]);
  return Buffer.concat([...(answer.body as Extract<typeof answer.body, { form: 'whole' }>).bytes()]);
}

const read = async <T>(path: string, accept = 'application/json'): Promise<T> =>
  JSON.parse((await bytesOf(path, accept)).toString()) as T;

const reference = <T>(name: string): T => JSON.parse(readFileSync(join(REFERENCE, name), 'utf8')) as T;

describe('what a running server says of itself is upstream’s', { skip }, () => {
  const discovery = skip ? {} : reference<Record<string, Json>>('discovery.json');
  const paths = skip ? {} : reference<Paths>('paths.json');

  before(async () => {
    const everyone = { name: 'everyone', authenticate: () => ADMIN };
    const options = { serverAddress: '<address>', upstreamOnly: true, authenticators: [everyone] };
    ({ server } = await startTestServer(options));
  });
  after(() => server.stop());

  for (const name of Object.keys(discovery).filter((one) => one !== 'GET /')) {
    test(name, async () => {
      const [, path = '', aggregated] = /^GET (\S+)(?: \((aggregated) v2\))?$/.exec(name) ?? [];
      const accept = aggregated ? 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' : undefined;
      assert.deepEqual(await read(path, accept), discovery[name]);
    });
  }

  for (const path of ['/api', '/apis', '/apis/apps', '/apis/apps/v1', '/api/v1']) {
    test(`${path} in protobuf says the same`, async () => {
      const bytes = await bytesOf(path, 'application/vnd.kubernetes.protobuf');
      const { object } = decodeProtobuf<Json>(server.engine.schema, builtinTypeOf, bytes, {
        apiVersion: 'v1',
        kind: '',
      });
      // Those of the core group leave their version out, as they always have.
      assert.deepEqual(object, { apiVersion: 'v1', ...(await read<Json>(path)) });
    });
  }

  test('OpenAPI v2: every path of what is served, and no other, with its methods, actions and kinds', async () => {
    const document = await read<{ paths: Paths }>('/openapi/v2');
    const ofResource = /^\/(api\/v1|apis\/[^/]+\/[^/]+)\//;
    const served = new Set(
      [...server.engine.kinds.served].map(({ group, version }) =>
        group ? `apis/${group}/${version}` : `api/${version}`,
      ),
    );
    const wanted = Object.keys(paths).filter((path) => served.has(ofResource.exec(path)?.[1] ?? ''));
    const told = Object.keys(document.paths).filter((path) => ofResource.test(path));
    assert.deepEqual(told.sort(), wanted.sort());
    for (const path of wanted) assert.deepEqual(said(document.paths[path]), recorded(paths[path]), path);
  });

  test('OpenAPI v3: a document for every group version, with the same paths as v2', async () => {
    const v2 = Object.keys((await read<{ paths: Paths }>('/openapi/v2')).paths);
    const index = await read<{ paths: Record<string, { serverRelativeURL: string }> }>('/openapi/v3');
    const groups = [...server.engine.kinds.served].map(({ group, version }) =>
      group ? `apis/${group}/${version}` : `api/${version}`,
    );
    for (const one of new Set(groups)) {
      assert.ok(index.paths[one], one);
      const document = await read<{ paths: Paths }>(`/openapi/v3/${one}`);
      const mine = v2.filter((path) => path.startsWith(`/${one}/`));
      assert.deepEqual(
        Object.keys(document.paths)
          .filter((path) => path.startsWith(`/${one}/`))
          .sort(),
        mine.sort(),
      );
    }
  });
});

/** What a document says of a path, in the words of the recorded facts. */
function said(item: Record<string, Json> | undefined): Json {
  const out: Json = {};
  for (const method of METHODS) {
    const operation = item?.[method];
    if (!operation) continue;
    out[method] = {
      action: operation['x-kubernetes-action'] ?? null,
      gvk: operation['x-kubernetes-group-version-kind'] ?? null,
      operationId: operation['operationId'],
      consumes: operation['consumes'],
      produces: operation['produces'],
    };
  }
  return out;
}

function recorded(item: Record<string, Json> | undefined): Json {
  const out: Json = {};
  for (const method of METHODS) {
    const operation = item?.[method];
    if (!operation) continue;
    const { action, gvk, operationId, consumes, produces } = operation;
    out[method] = { action, gvk, operationId, consumes, produces };
  }
  return out;
}
