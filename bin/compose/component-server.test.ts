import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import { HeldTokens } from '../../control-plane/apiserver/authn/held-tokens.ts';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { ensureClusterPki } from '../../libs/pki/cluster-pki.ts';
import { virtualTest } from '../../libs/testing/virtual-test.ts';
import { type Around, clientOf, startSchedulerComponent } from './components.ts';

type Handle = (request: ApiRequest) => Promise<ApiResponse>;

/** A scheduler beside an API server, and how it is asked at its port. */
async function beside(portsTaken: readonly number[] = []) {
  const { clock, random, keys, host, log } = virtualTest();
  const pki = await ensureClusterPki(host.files, keys, clock, { dir: '/data', names: { dns: ['localhost'], ip: [] } });
  const store = new MemoryStore({ clock, random });
  const held = new HeldTokens(keys);
  const server = createDefaultServer({
    store,
    clock,
    random,
    keys,
    log,
    clientAuthorityPem: pki.ca.certificatePem,
    serviceAccountKey: pki.serviceAccountKey,
    authenticators: [held.authenticator()],
    serverAddress: 'localhost:6443',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  const ports = new Map<number, Handle>();
  const around: Around = {
    machine: { host, clock, random, keys, log },
    server,
    pki,
    heldTokens: held,
    url: 'https://10.0.0.1:6443',
    async serveBeside(port, handle) {
      if (portsTaken.includes(port)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
      ports.set(port, handle as Handle);
      return { [Symbol.asyncDispose]: async () => void ports.delete(port) };
    },
  };
  const scheduler = await startSchedulerComponent(around);
  const tokenOf = (name: string, group: string) => held.issue({ name, groups: [group], extra: {} });
  return {
    around,
    ports,
    scheduler,
    async ask(port: number, path: string, token?: string): Promise<[number, string]> {
      const { signal } = new AbortController();
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const request = { method: 'GET', path, query: '', headers, body: undefined, peer: { address: '' }, signal };
      const { code, body } = await (ports.get(port) as Handle)(request);
      return [code, body.form === 'whole' ? String(body.value()) : ''];
    },
    tokenOf,
    async [Symbol.asyncDispose]() {
      await scheduler[Symbol.asyncDispose]();
      await server.stop();
      await store.close();
    },
  };
}

it('a scheduler tells its own metrics at its own port, to those who may read them', async () => {
  await using it = await beside();
  const admin = it.tokenOf('root', 'system:masters');
  assert.deepEqual([...it.ports.keys()], [10_259]);
  assert.deepEqual(await it.ask(10_259, '/healthz'), [200, 'ok']);
  assert.equal((await it.ask(10_259, '/metrics'))[0], 403);
  assert.equal((await it.ask(10_259, '/metrics', it.tokenOf('jane', 'devs')))[0], 403);
  assert.equal((await it.ask(10_259, '/metrics', 'made-up'))[0], 401);
  assert.equal((await it.ask(10_259, '/secrets', admin))[0], 404);
  const [code, text] = await it.ask(10_259, '/metrics', admin);
  assert.equal(code, 200);
  assert.match(text, /^scheduler_pending_pods\{queue="active"\} 0$/m);
  assert.match(text, /^rest_client_requests_total\{code="200",method="GET",host="10\.0\.0\.1:6443"\} [1-9]/m);
  assert.match(text, /^rest_client_request_duration_seconds_count\{verb="GET",host="10\.0\.0\.1:6443"\} [1-9]/m);
  assert.match(text, /^kubernetes_build_info\{major="1",minor="36",git_version="v1\.36\.2/m);
  assert.match(text, /^kubernetes_feature_enabled\{name="TaintTolerationComparisonOperators",stage="ALPHA"\} 1$/m);
  assert.match(text, /^registered_metrics_total\{stability_level="STABLE",deprecated_version=""\} \d+$/m);
  assert.doesNotMatch(text, /^apiserver_/m);
  assert.match((await it.ask(10_259, '/metrics/resources', admin))[1], /^# TYPE kube_pod_resource_request gauge$/m);
});

it('what a component tells is told by the API server too, as long as it runs', async () => {
  await using it = await beside();
  const admin = clientOf(it.around, () => it.around.pki.admin.certificatePem, 'test');
  const read = async () => String(await admin.raw('GET', '/metrics'));
  const text = await read();
  assert.match(text, /^scheduler_pending_pods\{queue="active"\} 0$/m);
  assert.equal(text.match(/^kubernetes_build_info\{/gm)?.length, 1);
  await it.scheduler[Symbol.asyncDispose]();
  assert.doesNotMatch(await read(), /^scheduler_/m);
  assert.deepEqual([...it.ports.keys()], []);
});

it('a port that is taken keeps nobody from working', async () => {
  await using it = await beside([10_259]);
  assert.deepEqual([...it.ports.keys()], []);
});
