// What a cluster begins with, object by object as upstream's begins, and that a second start leaves it alone.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import type { ApiObject } from '../../libs/kind/object.ts';
import { answers } from '../fidelity/answers.ts';
import { startTestServer } from '../fixtures/api-server.ts';

const ADDRESS = '192.0.2.10';
const file = join(answers.root, 'bootstrap-objects.jsonl');
const skip = existsSync(file) ? (false as const) : 'the reference data is not here';
/** Computed when it is read, and one server's own name: not objects that a cluster begins with. */
const NOT_STORED = ['ComponentStatus', 'Lease'];

async function start(store: MemoryStore): Promise<ApiServer> {
  const address = { serverAddress: `${ADDRESS}:6443`, advertiseAddress: ADDRESS };
  return (await startTestServer({ store, ...address, upstreamOnly: true })).server;
}

/** Everything that is stored, by kind, namespace and name. */
async function stored(server: ApiServer): Promise<Map<string, ApiObject>> {
  const all = new Map<string, ApiObject>();
  for (const { kind, group, version, apiVersion } of server.engine.kinds.served) {
    if (kind.virtual || kind.storageVersion.version !== version || (kind.group !== group && kind.group !== ''))
      continue;
    const ref = { group, version, resource: kind.resource, kind: kind.kind, namespaced: kind.namespaced };
    for (const object of await server.engine.registry.list(ref, '')) {
      const { namespace = '', name } = object.metadata;
      all.set(`${apiVersion} ${kind.kind} ${namespace}/${name}`, {
        ...object,
        apiVersion,
        kind: kind.kind,
      } as ApiObject);
    }
  }
  return all;
}

/** Without what no two clusters share, and without words that are each project's own. */
function comparable(object: ApiObject): unknown {
  const { uid: _u, resourceVersion: _r, creationTimestamp: _c, managedFields: _m, ...metadata } = object.metadata ?? {};
  const { description: _d, ...rest } = object as ApiObject & { description?: string };
  const text = JSON.stringify({ ...rest, metadata })
    // An aggregated role has no rules yet, which is null in the store and may be shown as an empty list.
    .replace('"rules":null', '"rules":[]')
    .replace(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----(\\n)*/g, '<certificate>')
    .replace(/20\d\d-\d\d-\d\d(T[\d:]+Z)?/g, '<time>')
    .replaceAll(ADDRESS, '<address>');
  return JSON.parse(text);
}

test('a fresh cluster has what upstream’s has', { skip }, async () => {
  const server = await start(new MemoryStore({ clock: new RealClock(), random: new SeededRandom('store') }));
  const all = await stored(server);
  const wanted = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ApiObject)
    .filter(({ kind = '' }) => !NOT_STORED.includes(kind));
  for (const object of wanted) {
    const { namespace = '', name = '' } = object.metadata ?? {};
    const id = `${object.apiVersion} ${object.kind} ${namespace}/${name}`;
    const ours = all.get(id);
    assert.ok(ours, `${id} is there`);
    assert.deepEqual(comparable(ours), comparable(object), id);
    all.delete(id);
  }
  assert.deepEqual([...all.keys()], [], 'nothing else is there');
  await server.stop();
});

test('a second start changes nothing', async () => {
  const clock = new RealClock();
  const store = new MemoryStore({ clock, random: new SeededRandom('store') });
  const first = await start(store);
  const versions = (all: Map<string, ApiObject>) =>
    [...all]
      .filter(([id]) => !id.includes('extension-apiserver'))
      .map(([id, { metadata }]) => [id, metadata?.resourceVersion]);
  const before = versions(await stored(first));
  await first.stop();
  const second = await start(store);
  assert.deepEqual(versions(await stored(second)), before);
  await second.stop();
});
