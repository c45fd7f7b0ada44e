import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keys, ParsedSigningRequest, SubjectNames } from '../../../../libs/base/keys.ts';
import { FixedKeys } from '../../../../libs/base/node/fixed-keys.ts';
import type { Client } from '../../../../libs/kind/client.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { type Cluster, createCluster } from '../../../../testing/create-cluster.ts';
import { certificateSigningRequests, clusterRoleBindings, nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { plan as planApproval } from './approving.ts';
import { plan as planCleaning } from './cleaning.ts';
import { certificateBytes, type Request, SIGNER, whyNotSigned } from './request.ts';
import { whyNotApproved } from './serving-approving.ts';
import { plan as planSigning } from './signing.ts';

const NOW_MS = Date.parse('2026-01-02T00:00:00Z');
const MINUTE_MS = 60_000;
const CLIENT = ['digital signature', 'client auth'];
const SERVER = ['digital signature', 'server auth'];

const asking = (over: Partial<ParsedSigningRequest> = {}): ParsedSigningRequest => ({
  subject: { commonName: 'system:node:n', organizations: ['system:nodes'] },
  names: {},
  otherNames: [],
  publicKeyPem: '',
  ...over,
});
const request = (spec: object, conditions: object[] = [], status: object = {}): Request =>
  ({
    metadata: { name: 'c', creationTimestamp: '2026-01-01T12:00:00Z' },
    spec: { signerName: SIGNER.kubeletClient, usages: CLIENT, username: 'system:node:n', ...spec },
    status: { ...(conditions.length > 0 ? { conditions } : {}), ...status },
  }) as unknown as Request;
const condition = (type: string, atMs = NOW_MS) => ({
  type,
  status: 'True',
  lastUpdateTime: new Date(atMs).toISOString(),
});

test('what each signer refuses', () => {
  const serving = asking({ names: { dns: ['n'], ip: ['10.0.0.1'] } });
  const cases: [string, string, ParsedSigningRequest, string[], RegExp | undefined][] = [
    ['a kubelet', SIGNER.kubeletClient, asking(), CLIENT, undefined],
    ['with an RSA key', SIGNER.kubeletClient, asking(), [...CLIENT, 'key encipherment'], undefined],
    ['as a server', SIGNER.kubeletClient, asking(), SERVER, /usages did not match \[client auth /],
    ['with more', SIGNER.kubeletClient, asking(), [...CLIENT, 'server auth'], /usages did not match/],
    ['with a name', SIGNER.kubeletClient, serving, CLIENT, /DNS subjectAltNames are not allowed/],
    ['with a mail', SIGNER.kubeletClient, asking({ otherNames: ['a@b'] }), CLIENT, /Email subjectAltNames/],
    [
      'another group',
      SIGNER.kubeletClient,
      asking({ subject: { commonName: 'system:node:n', organizations: ['system:masters'] } }),
      CLIENT,
      /organization is not system:nodes/,
    ],
    [
      'another name',
      SIGNER.kubeletClient,
      asking({ subject: { commonName: 'n', organizations: ['system:nodes'] } }),
      CLIENT,
      /does not begin with system:node:/,
    ],
    ['a server', SIGNER.kubeletServing, serving, SERVER, undefined],
    ['without names', SIGNER.kubeletServing, asking(), SERVER, /DNS or IP subjectAltName is required/],
    ['with a URI', SIGNER.kubeletServing, { ...serving, otherNames: ['spiffe://a/b'] }, SERVER, /URI subjectAltNames/],
    ['a client as server', SIGNER.kubeletServing, serving, CLIENT, /usages did not match/],
    ['anybody', SIGNER.client, asking({ subject: { commonName: 'jane' } }), ['client auth'], undefined],
    [
      'anybody to serve',
      SIGNER.client,
      asking(),
      ['client auth', 'server auth'],
      /invalid usage for client certificate: server auth/,
    ],
    ['nobody', SIGNER.client, asking(), ['digital signature'], /missing required usage/],
    ['of old', SIGNER.legacyUnknown, asking({ subject: { commonName: 'x' } }), ['server auth'], undefined],
  ];
  for (const [what, signer, asked, usages, wanted] of cases) {
    const why = whyNotSigned(signer, asked, usages);
    if (wanted) assert.match(why ?? '', wanted, what);
    else assert.equal(why, undefined, what);
  }
});

test('what is looked at before a node gets its identity', () => {
  const grounds = (one: Request, asked = asking()) =>
    planApproval({ request: one, asked }).actions.flatMap((action) =>
      action.grounds.map(({ subresource }) => subresource),
    );
  assert.deepEqual(grounds(request({})), ['selfnodeclient', 'nodeclient']);
  assert.deepEqual(grounds(request({ username: 'system:bootstrap:abcdef' })), ['nodeclient']);
  assert.deepEqual(grounds(request({}, [condition('Denied')])), []);
  assert.deepEqual(grounds(request({}, [condition('Approved')])), []);
  assert.deepEqual(grounds(request({ signerName: SIGNER.client })), []);
  assert.deepEqual(grounds(request({ usages: SERVER })), []);
});

test('how long a certificate lives', () => {
  const HOUR_MS = 60 * MINUTE_MS;
  const authority = { notAfterMs: NOW_MS + 300 * 24 * HOUR_MS };
  const cases: [string, object, number, number | undefined][] = [
    ['what is usual, short of its own start', {}, 24 * HOUR_MS, 24 * HOUR_MS - 5 * MINUTE_MS],
    ['as asked, and short: from now on', { expirationSeconds: 3600 }, 24 * HOUR_MS, HOUR_MS],
    ['not more than is given', { expirationSeconds: 90_000 }, 4 * HOUR_MS, 4 * HOUR_MS],
    ['not longer than the authority', {}, 365 * 24 * HOUR_MS, 300 * 24 * HOUR_MS],
  ];
  for (const [what, spec, durationMsMax, wanted] of cases) {
    const one = request(spec, [condition('Approved')]);
    const [action] = planSigning({ request: one, asked: asking(), authority, durationMsMax }, NOW_MS).actions;
    assert.ok(action?.type === 'sign', what);
    assert.deepEqual([action.notBeforeMs, action.notAfterMs], [NOW_MS - 5 * MINUTE_MS, NOW_MS + (wanted ?? 0)], what);
  }
  const closed: [string, Request][] = [
    ['nobody said yes', request({})],
    ['somebody said no', request({}, [condition('Approved'), condition('Denied')])],
    ['it failed', request({}, [condition('Approved'), condition('Failed')])],
    ['another signer', request({ signerName: 'example.com/own' }, [condition('Approved')])],
    ['it is done', request({}, [condition('Approved')], { certificate: 'eA==' })],
  ];
  for (const [what, one] of closed) {
    assert.deepEqual(
      planSigning({ request: one, asked: asking(), authority, durationMsMax: HOUR_MS }, NOW_MS).actions,
      [],
      what,
    );
  }
});

test('when requests go', () => {
  const HOUR_MS = 60 * MINUTE_MS;
  const cases: [string, Request, number | undefined, string | number][] = [
    ['nobody looked at it', request({}), undefined, 12 * HOUR_MS],
    ['approved just now', request({}, [condition('Approved')]), undefined, HOUR_MS],
    ['denied long ago', request({}, [condition('Denied', NOW_MS - HOUR_MS)]), undefined, 'delete'],
    ['failed long ago', request({}, [condition('Failed', NOW_MS - 2 * HOUR_MS)]), undefined, 'delete'],
    ['its certificate ended', request({}, [condition('Approved')]), NOW_MS - 1, 'delete'],
  ];
  for (const [what, one, expiresMs, wanted] of cases) {
    const { actions, againAfterMs } = planCleaning({ request: one, expiresMs }, NOW_MS);
    assert.equal(actions[0]?.type ?? againAfterMs, wanted, what);
  }
});

test('a kubelet is believed about its own names alone', () => {
  const node = {
    metadata: { name: 'n' },
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.7' },
        { type: 'InternalIP', address: '10.96.0.1' },
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '127.0.0.1' },
        { type: 'Hostname', address: 'n.lan' },
        { type: 'InternalDNS', address: 'kubernetes.default.svc' },
      ],
    },
  } as unknown as Live<Node>;
  const why = (names: SubjectNames, spec: object = {}, on: Live<Node> | undefined = node) =>
    whyNotApproved({
      request: request({ signerName: SIGNER.kubeletServing, usages: SERVER, groups: ['system:nodes'], ...spec }),
      asked: asking({ names }),
      node: on,
      foreign: new Set(['192.0.2.1', 'm']),
      reservedCidrs: ['10.96.0.0/12'],
    });
  assert.equal(why({ dns: ['n', 'n.lan'], ip: ['192.0.2.7'] }), undefined);
  const refused: [SubjectNames, RegExp, object?][] = [
    [{ ip: ['192.0.2.8'] }, /192\.0\.2\.8 is not an address of the node/],
    [{ ip: ['192.0.2.7', '10.96.0.1'] }, /10\.96\.0\.1 is not the node's alone/],
    [{ ip: ['192.0.2.1'] }, /192\.0\.2\.1 is not the node's alone/],
    [{ ip: ['127.0.0.1'] }, /127\.0\.0\.1 is not the node's alone/],
    [{ dns: ['m'] }, /m is not a name of the node/],
    [{ dns: ['kubernetes.default.svc'] }, /is not the node's alone/],
    [{ dns: ['n'] }, /does not come from the node/, { username: 'system:node:m' }],
    [{ dns: ['n'] }, /does not come from the node/, { groups: [] }],
    [{ dns: ['n'] }, /another signer/, { signerName: SIGNER.client }],
  ];
  for (const [names, wanted, spec] of refused) assert.match(why(names, spec) ?? '', wanted);
  assert.match(
    whyNotApproved({
      request: request({ signerName: SIGNER.kubeletServing, usages: SERVER, groups: ['system:nodes'] }),
      asked: asking({ names: { dns: ['n'] } }),
      node: undefined,
      foreign: new Set(),
      reservedCidrs: [],
    }) ?? '',
    /no such node/,
  );
});

async function ask(
  keys: Keys,
  client: Client,
  name: string,
  spec: { signerName: string; usages: string[]; cn: string; names?: SubjectNames },
) {
  const key = await keys.generateKey(name);
  const subject = { commonName: spec.cn, organizations: ['system:nodes'] };
  const pem = await keys.createCertificateSigningRequest(key, subject, spec.names);
  const { signerName, usages } = spec;
  await client.resource(certificateSigningRequests).create({
    metadata: { name },
    spec: { request: certificateBytes(pem), signerName, usages },
  });
}

const certificateOf = async (cluster: Cluster, name: string) =>
  (await cluster.client.resource(certificateSigningRequests).get(name)).status?.certificate;

test('a node joins: its identity, then its serving certificate, and the requests are gone in time', async () => {
  await using cluster = await createCluster({ seed: 'csr' });
  const keys = new FixedKeys('kubelets');
  const bootstrap = await cluster.clientAs({ name: 'system:bootstrap:abcdef', groups: ['system:bootstrappers'] });
  for (const [name, role] of [
    ['create', 'system:node-bootstrapper'],
    ['approve', 'system:certificates.k8s.io:certificatesigningrequests:nodeclient'],
  ] as const) {
    await cluster.client.resource(clusterRoleBindings).create({
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:bootstrappers' }],
    });
  }
  await ask(keys, bootstrap, 'join', { signerName: SIGNER.kubeletClient, usages: CLIENT, cn: 'system:node:n' });
  const issued = keys.parseCertificate(atob(await cluster.until(() => certificateOf(cluster, 'join'))));
  assert.deepEqual(issued.subject, { commonName: 'system:node:n', organizations: ['system:nodes'] });
  assert.deepEqual(issued.extendedUsages, ['client auth']);
  assert.equal(issued.notAfterMs - issued.notBeforeMs, 365 * 86_400_000);

  const kubelet = await cluster.clientAs({ name: 'system:node:n', groups: ['system:nodes'] });
  const serving = {
    signerName: SIGNER.kubeletServing,
    usages: SERVER,
    cn: 'system:node:n',
    names: { dns: ['n'], ip: ['192.0.2.7'] },
  };
  await ask(keys, kubelet, 'serve', serving);
  await cluster.advance('1m');
  assert.equal(await certificateOf(cluster, 'serve'), undefined, 'there is no such node yet');
  await kubelet.resource(nodes).create({ metadata: { name: 'n' }, spec: {} });
  const status = {
    addresses: [
      { type: 'InternalIP', address: '192.0.2.7' },
      { type: 'Hostname', address: 'n' },
    ],
  };
  await kubelet.resource(nodes).subresource('status').patch('n', { status }, { type: 'merge' });
  const served = keys.parseCertificate(atob(await cluster.until(() => certificateOf(cluster, 'serve'))));
  assert.deepEqual(served.names, { dns: ['n'], ip: ['192.0.2.7'] });

  await ask(keys, cluster.client, 'wrong', { signerName: SIGNER.client, usages: SERVER, cn: 'jane' });
  const requests = cluster.client.resource(certificateSigningRequests);
  const approval = {
    status: { conditions: [{ type: 'Approved', status: 'True', reason: 'Manual', message: 'by hand' }] },
  };
  await requests.subresource('approval').patch('wrong', approval, { type: 'merge' });
  const failed = await cluster.until(async () =>
    (await requests.get('wrong')).status?.conditions?.find(({ type }) => type === 'Failed'),
  );
  assert.equal(
    `${failed.reason}: ${failed.message}`,
    'SignerValidationFailure: invalid usage for client certificate: server auth',
  );

  await cluster.advance('61m');
  assert.deepEqual(
    (await requests.list()).items.map(({ metadata }) => metadata.name),
    [],
  );
});
