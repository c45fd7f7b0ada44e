import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  certificateSigningRequests,
  configMaps,
  nodes,
  pods,
  secrets,
  selfSubjectReviews,
} from '../../api/resources.ts';
import { JOINING_GROUP } from '../../control-plane/apiserver/bootstrap/own.ts';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import { inProcessTransport } from '../../control-plane/apiserver/in-process.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { decodePem } from '../../libs/base/x509/pem.ts';
import { createClient } from '../../libs/client/client.ts';
import { isForbidden, isUnauthorized } from '../../libs/machinery/errors.ts';

const TOKEN = 'abcdef.0123456789abcdef';

test('who has a bootstrap token may ask to be a node, and nothing else', async () => {
  const [clock, keys, random] = [new RealClock(), new NodeKeys(), new SeededRandom('join')];
  const ca = await keys.generateKey('ca');
  const span = { notBeforeMs: clock.now() - 1000, notAfterMs: clock.now() + 3_600_000 };
  const certificatePem = await keys.issueCertificate({
    subject: { commonName: 'kubernetes' },
    publicKey: ca,
    isCertificateAuthority: true,
    usages: ['cert sign'],
    ...span,
  });
  const admin = await keys.issueCertificate(
    {
      subject: { commonName: 'admin', organizations: ['system:masters'] },
      publicKey: await keys.generateKey('admin'),
      usages: ['client auth'],
      ...span,
    },
    { key: ca, certificatePem },
  );
  const server = createDefaultServer({
    store: new MemoryStore({ clock, random }),
    clock,
    random,
    keys,
    log: silentLogger,
    clientAuthorityPem: certificatePem,
    serviceAccountKey: ca,
    serverAddress: '192.0.2.10:6443',
    advertiseAddress: '192.0.2.10',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  const as = (credentials: { token?: string; certificateDer?: Uint8Array }) =>
    createClient(inProcessTransport({ handle: (request) => server.handle(request), credentials }), {
      userAgent: 'test',
      clock,
    });
  const administrator = as({ certificateDer: decodePem(admin)[0]?.der as Uint8Array });
  const fields = {
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-authentication': 'true',
    'auth-extra-groups': JOINING_GROUP,
  };
  const joining = as({ token: TOKEN });
  await assert.rejects(joining.resource(nodes).get('n'), isUnauthorized, 'there is no such token yet');
  await administrator
    .resource(secrets)
    .namespace('kube-system')
    .create({
      metadata: { name: 'bootstrap-token-abcdef' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: fields,
    });
  const { status } = await joining.resource(selfSubjectReviews).create({ metadata: {} });
  assert.equal(status?.userInfo?.username, 'system:bootstrap:abcdef');
  assert.ok(status?.userInfo?.groups?.includes(JOINING_GROUP));
  await joining.resource(certificateSigningRequests).list();
  await assert.rejects(joining.resource(pods).namespace('default').list(), isForbidden);
  await assert.rejects(joining.resource(secrets).namespace('kube-system').list(), isForbidden);

  const anybody = as({});
  const info = await anybody.resource(configMaps).namespace('kube-public').get('cluster-info');
  assert.match(info.data?.['kubeconfig'] ?? '', /server: https:\/\/192\.0\.2\.10:6443/);
  await assert.rejects(anybody.resource(configMaps).namespace('kube-public').list(), isForbidden);
  await server.stop();
});
