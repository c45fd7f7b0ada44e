import assert from 'node:assert/strict';
import { it } from 'node:test';
import { configMaps } from '../../api/resources.ts';
import { HeldTokens } from '../../control-plane/apiserver/authn/held-tokens.ts';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { type ClusterPki, ensureClusterPki } from '../../libs/pki/cluster-pki.ts';
import { keepRenewed } from '../../libs/pki/keep-renewed.ts';
import { virtualTest } from '../../libs/testing/virtual-test.ts';
import { type Around, clientOf } from './components.ts';

const DAY_MS = 86_400_000;

/** A control plane's server with certificates that are renewed as `startApiServer` does it, in virtual time. */
async function longLived() {
  const { clock, random, keys, host, log } = virtualTest();
  const wanted = { dir: '/data', names: { dns: ['localhost'], ip: [] } };
  const pki: ClusterPki = await ensureClusterPki(host.files, keys, clock, wanted);
  const store = new MemoryStore({ clock, random });
  const server = createDefaultServer({
    store,
    clock,
    random,
    keys,
    log,
    clientAuthorityPem: pki.ca.certificatePem,
    serviceAccountKey: pki.serviceAccountKey,
    serverAddress: 'localhost:6443',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  const keeping = keepRenewed({
    files: host.files,
    keys,
    clock,
    log,
    pki: wanted,
    current: pki,
    renewed: (now) => void Object.assign(pki, now),
  });
  const around: Around = { machine: { host, clock, random, keys, log }, server, pki, heldTokens: new HeldTokens(keys) };
  return {
    around,
    /** Days pass; what was begun meanwhile comes to its end. */
    async days(count: number) {
      for (let day = 0; day < count; day++) {
        await clock.advance(DAY_MS);
        for (let i = 0; i < 50; i++) await turn();
      }
    },
    async [Symbol.asyncDispose]() {
      keeping[Symbol.dispose]();
      await server.stop();
      await store.close();
    },
  };
}

it('components outlive the certificates they began with', { timeout: 60_000 }, async () => {
  await using cluster = await longLived();
  const { pki } = cluster.around;
  const first = pki.controllerManager.certificatePem;
  const component = clientOf(cluster.around, () => pki.controllerManager.certificatePem, 'kube-controller-manager');
  const forgetful = clientOf(cluster.around, () => first, 'kube-controller-manager');
  const list = (client: typeof component) => client.resource(configMaps).list();
  await list(component);
  await list(forgetful);
  await cluster.days(400);
  assert.notEqual(pki.controllerManager.certificatePem, first);
  await list(component);
  await assert.rejects(list(forgetful), /Unauthorized/);
});
