import assert from 'node:assert/strict';
import { it } from 'node:test';
import { configMaps } from '../../api/resources.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { keepRenewed } from '../../libs/pki/keep-renewed.ts';
import { virtualServer } from '../../tests/fixtures/virtual-server.ts';
import { type Around, clientOf } from './components.ts';

const DAY_MS = 86_400_000;

/** A control plane's server with certificates that are renewed as `startApiServer` does it, in virtual time. */
async function longLived() {
  const running = await virtualServer();
  const { machine, server, pki, wantedPki, heldTokens } = running;
  const { host, clock, keys, log } = machine;
  const keeping = keepRenewed({
    files: host.files,
    keys,
    clock,
    log,
    pki: wantedPki,
    current: pki,
    renewed: (now) => void Object.assign(pki, now),
  });
  const around: Around = { machine, server, pki, heldTokens };
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
      await running[Symbol.asyncDispose]();
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
