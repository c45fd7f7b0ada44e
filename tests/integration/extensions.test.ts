// What the API server asks over real sockets: webhooks and an extension API server, each behind a Service without a proxy.
import assert from 'node:assert/strict';
import { createServer, get, type Server, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { requestHeaderAuthenticator } from '../../control-plane/apiserver/authn/request-header.ts';
import { httpsAggregation } from '../../control-plane/apiserver/connect/aggregation-transport.ts';
import { Upgrades } from '../../control-plane/apiserver/connect/upgrades.ts';
import { httpsWebhooks } from '../../control-plane/apiserver/connect/webhook-transport.ts';
import { type Serving, serve } from '../../control-plane/apiserver/serve/serve.ts';
import { encodeBase64, encodeBase64Url } from '../../libs/base/base64.ts';
import type { Sockets } from '../../libs/base/host.ts';
import type { Issuer } from '../../libs/base/keys.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { startTestServer, type TestServer } from '../fixtures/api-server.ts';

const keys = new NodeKeys();
const clock = new RealClock();
const validity = { notBeforeMs: clock.now() - 60_000, notAfterMs: clock.now() + 3_600_000 };
const base64 = (text: string) => encodeBase64(text);

async function authority(commonName: string): Promise<Issuer> {
  const key = await keys.generateKey(commonName);
  const certificatePem = await keys.issueCertificate({
    subject: { commonName },
    publicKey: key,
    isCertificateAuthority: true,
    usages: ['cert sign'],
    ...validity,
  });
  return { key, certificatePem };
}

async function issue(by: Issuer, commonName: string, usage: 'server auth' | 'client auth', dns: string[] = []) {
  const key = await keys.generateKey(commonName);
  const certificatePem = await keys.issueCertificate(
    {
      subject: { commonName },
      publicKey: key,
      usages: ['digital signature', usage],
      names: { dns, ip: [] },
      ...validity,
    },
    by,
  );
  return { certificatePem, privateKeyPem: key.privateKeyPem() };
}

const listen = (server: Server) =>
  new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
const closed = (server: Server) => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));

/** A Service with one ready endpoint on loopback; its address leads nowhere. */
async function publish({ send }: TestServer, name: string, targetPort: number): Promise<void> {
  const ports = [{ name: 'https', port: 443, protocol: 'TCP' }];
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } };
  assert.equal((await send('POST', '/api/v1/namespaces/default/services', service)).code, 201);
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.10'], conditions: { ready: true } }],
    ports: [{ name: 'https', port: targetPort, protocol: 'TCP' }],
  };
  const made = await send('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice);
  assert.equal(made.code, 201, made.body.message);
}

/** Loopback is no address that endpoints may have: here all addresses of pods are on it. */
const sockets: Pick<Sockets, 'connect'> = {
  connect: (target) =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect('port' in target ? target.port : 0, '127.0.0.1', () => resolve(socket));
      socket.once('error', reject);
    }),
};

describe('webhooks over TLS', { concurrency: 1 }, () => {
  let hooks: Server;
  let server: TestServer;
  let trusted: Issuer;
  let delayMs = 0;

  before(async () => {
    trusted = await authority('hooks');
    const own = await issue(trusted, 'hook', 'server auth', ['hook.default.svc']);
    hooks = createServer({ cert: own.certificatePem, key: own.privateKeyPem }, (request, response) => {
      let text = '';
      request.on('data', (piece) => (text += piece));
      request.on('end', async () => {
        await clock.sleep(delayMs);
        const { uid, object } = JSON.parse(text).request;
        const allowed = object.data?.word !== 'no';
        response.setHeader('content-type', 'application/json');
        const answer = { uid, allowed, ...(allowed ? {} : { status: { message: 'not that word' } }) };
        response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
      });
    });
    server = await startTestServer({ webhooks: httpsWebhooks(sockets), serviceRouting: 'endpoint' });
    await publish(server, 'hook', await listen(hooks));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await closed(hooks);
  });

  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
  async function withHook(more: object, caPem: string, service: object = {}): Promise<void> {
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
    await server.send('DELETE', `${path}/w`);
    const webhook = {
      name: 'w.example.com',
      clientConfig: {
        service: { name: 'hook', namespace: 'default', path: '/w', ...service },
        caBundle: base64(caPem),
      },
      rules: [rule],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      ...more,
    };
    const body = { kind: 'ValidatingWebhookConfiguration', metadata: { name: 'w' }, webhooks: [webhook] };
    const made = await server.send('POST', path, { apiVersion: 'admissionregistration.k8s.io/v1', ...body });
    assert.equal(made.code, 201, made.body.message);
  }
  const create = (word: string) =>
    server.send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { generateName: 'c' }, data: { word } });
  const FAILED = 'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: ';

  it('are asked at an endpoint of their Service, and may refuse', async () => {
    await withHook({}, trusted.certificatePem);
    assert.equal((await create('yes')).code, 201);
    const { code, body } = await create('no');
    assert.deepEqual(
      [code, body.message],
      [400, 'admission webhook "w.example.com" denied the request: not that word'],
    );
  });

  it('must show a certificate of their own authority', async () => {
    await withHook({}, (await authority('others')).certificatePem);
    const { code, body } = await create('yes');
    const why = 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    assert.deepEqual([code, body.message], [500, `${FAILED}Post "https://hook.default.svc:443/w?timeout=10s": ${why}`]);
  });

  it('must answer in time', async () => {
    await withHook({ timeoutSeconds: 1 }, trusted.certificatePem);
    delayMs = 3000;
    const { code, body } = await create('yes');
    delayMs = 0;
    const why = 'context deadline exceeded';
    assert.deepEqual([code, body.message], [500, `${FAILED}Post "https://hook.default.svc:443/w?timeout=1s": ${why}`]);
  });

  it('must be on a port that the Service has', async () => {
    await withHook({}, trusted.certificatePem, { port: 8443 });
    const { body } = await create('yes');
    assert.match(body.message, /: no service port 8443 found for service "hook"$/);
  });
});

describe('an extension API server over TLS', { concurrency: 1 }, () => {
  const upgrades = new Upgrades();
  const seen: Record<string, unknown>[] = [];
  /** Who came with each upgraded connection, and with what. */
  const upgraded: unknown[][] = [];
  let extension: Server;
  let server: TestServer;
  let front: Serving;
  let ca: Issuer;
  let admin: { certificatePem: string; privateKeyPem: string };

  before(async () => {
    ca = await authority('kubernetes');
    const [proxies, servers] = [await authority('front-proxy-ca'), await authority('extension')];
    const [proxy, own, serving] = [
      await issue(proxies, 'front-proxy-client', 'client auth'),
      await issue(servers, 'extension', 'server auth', ['things.default.svc']),
      await issue(ca, 'kube-apiserver', 'server auth', ['localhost']),
    ];
    admin = await issue(ca, 'jane', 'client auth');
    const trust = { authorityPem: proxies.certificatePem, allowedNames: ['front-proxy-client'] };
    const authenticator = requestHeaderAuthenticator({ keys, clock, ...trust });
    const tls = { cert: own.certificatePem, key: own.privateKeyPem, ca: proxies.certificatePem, requestCert: true };
    extension = createServer(tls as ServerOptions, async (request, response) => {
      const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
      const user = await authenticator.authenticate({
        method: request.method ?? '',
        path: request.url ?? '',
        query: '',
        headers: request.headersDistinct as Record<string, string[]>,
        body: undefined,
        peer: { address: '', certificateDer: certificate?.raw as Uint8Array },
        signal: new AbortController().signal,
      });
      seen.push({ url: request.url, user: user?.name });
      const value = request.url?.startsWith('/openapi/')
        ? request.url === '/openapi/v3'
          ? {
              paths: { 'apis/ext.example.com/v1': { serverRelativeURL: '/openapi/v3/apis/ext.example.com/v1?hash=A' } },
            }
          : { openapi: '3.0.0', paths: { '/apis/ext.example.com/v1/things': {} } }
        : request.url === '/apis/ext.example.com/v1'
          ? { resources: [{ name: 'things', kind: 'Thing', namespaced: true, verbs: ['list'] }] }
          : { kind: 'ThingList', user };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(value));
    });
    const sessions = new WebSocketServer({ server: extension });
    sessions.on('connection', (session, { headers }) => {
      upgraded.push([headers['x-remote-user'], headers.authorization, headers['sec-websocket-protocol']]);
      session.on('message', (data) => session.send(`heard ${data}`));
    });
    server = await startTestServer({
      clientAuthorityPem: ca.certificatePem,
      serviceRouting: 'endpoint',
      aggregation: httpsAggregation({ sockets, upgrades, identity: () => proxy }),
    });
    const handle = server.server.handle.bind(server.server);
    front = await serve({
      host: '127.0.0.1',
      port: 0,
      tls: { ...serving, clientAuthoritiesPem: ca.certificatePem },
      clock,
      random: new SeededRandom('front'),
      log: silentLogger,
      handle,
      upgrade: upgrades.hook(handle, (path) => server.server.isElsewhere(path)),
    });
    await publish(server, 'things', await listen(extension));
    const spec = {
      group: 'ext.example.com',
      version: 'v1',
      service: { name: 'things', namespace: 'default' },
      caBundle: base64(servers.certificatePem),
      groupPriorityMinimum: 100,
      versionPriority: 10,
    };
    const metadata = { name: 'v1.ext.example.com' };
    const made = await server.send('POST', '/apis/apiregistration.k8s.io/v1/apiservices', { metadata, spec });
    assert.equal(made.code, 201, made.body.message);
    const role = { metadata: { name: 'things' }, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] };
    const binding = {
      metadata: { name: 'jane' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'things' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
    };
    await server.send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', role);
    await server.send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', binding);
  });
  after(async () => {
    await front.close(100);
    await server[Symbol.asyncDispose]();
    await closed(extension);
  });

  async function until(what: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      if (await what()) return;
      await clock.sleep(50);
    }
    assert.fail('it never came to be');
  }

  it('is available, and its answers are carried on with the user whom it may trust', async () => {
    await until(async () => {
      const { body } = await server.send('GET', '/apis/apiregistration.k8s.io/v1/apiservices/v1.ext.example.com');
      return body.status?.conditions?.some(({ status }: { status: string }) => status === 'True');
    });
    const { code, text } = await fetched('/apis/ext.example.com/v1/namespaces/a/things');
    assert.equal(code, 200, text);
    assert.deepEqual(JSON.parse(text), {
      kind: 'ThingList',
      user: {
        name: 'jane',
        groups: ['system:authenticated'],
        extra: JSON.parse(text).user.extra,
      },
    });
  });

  it('takes over upgraded connections', async () => {
    const socket = new WebSocket(
      `wss://localhost:${front.port}/apis/ext.example.com/v1/namespaces/a/things/x/console`,
      {
        ca: ca.certificatePem,
        cert: admin.certificatePem,
        key: admin.privateKeyPem,
      },
    );
    const heard = await new Promise((resolve, reject) => {
      socket.once('open', () => socket.send('hello'));
      socket.once('message', (data) => resolve(String(data)));
      socket.once('error', reject);
    });
    assert.equal(heard, 'heard hello');
    socket.terminate();
  });

  it('sees neither of a token that a browser names among the subprotocols', async () => {
    const account = '/api/v1/namespaces/default/serviceaccounts/browser';
    await server.send('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'browser' } });
    const { body } = await server.send('POST', `${account}/token`, { spec: {} });
    const open = (token: string) =>
      new Promise<string>((resolve, reject) => {
        const names = [`base64url.bearer.authorization.k8s.io.${encodeBase64Url(token)}`, 'console.example.com'];
        const url = `wss://localhost:${front.port}/apis/ext.example.com/v1/namespaces/a/things/x/console`;
        const socket = new WebSocket(url, names, { ca: ca.certificatePem });
        socket.once('open', () => (resolve(socket.protocol), socket.terminate()));
        socket.once('error', reject);
      });
    upgraded.length = 0;
    await assert.rejects(open('nobody'), /401/);
    await assert.rejects(open(body.status.token), /403/);
    assert.deepEqual(upgraded, []);
    const user = 'system:serviceaccount:default:browser';
    await server.send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'browser' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'things' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
    assert.equal(await open(body.status.token), 'console.example.com');
    assert.deepEqual(upgraded, [[user, undefined, 'console.example.com']]);
  });

  it('tells of itself in OpenAPI v3', async () => {
    const index = JSON.parse((await fetched('/openapi/v3')).text);
    const { serverRelativeURL } = index.paths['apis/ext.example.com/v1'];
    assert.equal(serverRelativeURL, '/openapi/v3/apis/ext.example.com/v1?hash=A');
    const part = JSON.parse((await fetched(serverRelativeURL)).text);
    assert.deepEqual(Object.keys(part.paths), ['/apis/ext.example.com/v1/things']);
    assert.ok(index.paths['apis/apps/v1']);
  });

  it('is never asked by somebody without a name', () => {
    assert.deepEqual(
      seen.filter(({ user }) => user === undefined),
      [],
    );
  });

  function fetched(path: string): Promise<{ code: number; text: string }> {
    const tls = { ca: ca.certificatePem, cert: admin.certificatePem, key: admin.privateKeyPem };
    return new Promise((resolve, reject) => {
      get({ host: 'localhost', port: front.port, path, agent: false, ...tls }, (response) => {
        let text = '';
        response.on('data', (piece) => (text += piece));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      }).once('error', reject);
    });
  }
});
