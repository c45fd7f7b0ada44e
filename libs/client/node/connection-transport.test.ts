import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { makeCertificates, type TestCertificates } from '../../../tests/fixtures/tls.ts';
import { createNodeHost } from '../../base/node/node-host.ts';
import { RealClock } from '../../base/node/real-clock.ts';
import type { KubeconfigConnection } from '../../pki/kubeconfig-connection.ts';
import { connectionTransport, inClusterConnection, UnsupportedConnectionError } from './connection-transport.ts';

const { files } = createNodeHost();
const clock = new RealClock();
const request = { method: 'GET', path: '/api', query: '', headers: {} };

describe('the transport of a kubeconfig’s context', () => {
  let folder: string;
  let certificates: TestCertificates;
  let server: http2.Http2SecureServer;
  let bare: KubeconfigConnection;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'connection-'));
    certificates = await makeCertificates(clock.now());
    const { server: own, authorityPem } = certificates;
    server = http2.createSecureServer({
      key: own.privateKeyPem,
      cert: own.certificatePem,
      ca: authorityPem,
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on('stream', (stream, headers) => {
      const socket = stream.session?.socket as TLSSocket | undefined;
      const value = {
        path: headers[':path'],
        authorization: headers.authorization,
        as: headers['impersonate-user'],
        subject: socket?.getPeerX509Certificate()?.subject,
      };
      (stream as http2.ServerHttp2Stream).respond({ ':status': 200, 'content-type': 'application/json' });
      stream.end(JSON.stringify(value));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    bare = {
      ...(inClusterConnection({
        KUBERNETES_SERVICE_HOST: '127.0.0.1',
        KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
      }) as KubeconfigConnection),
      tokenFile: undefined,
      ca: { pem: authorityPem },
    };
  });
  after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  async function ask(connection: Partial<KubeconfigConnection>): Promise<unknown> {
    const transport = await connectionTransport({ ...bare, ...connection }, { files, folder, clock });
    try {
      return (await transport.request(request)).value;
    } finally {
      await transport.close();
    }
  }

  it('shows a certificate, given in the file or beside it', async () => {
    const { client } = certificates;
    await writeFile(join(folder, 'jane.crt'), client.certificatePem);
    await writeFile(join(folder, 'jane.key'), client.privateKeyPem);
    for (const connection of [
      { clientCertificate: { pem: client.certificatePem }, clientKey: { pem: client.privateKeyPem } },
      { clientCertificate: { file: 'jane.crt' }, clientKey: { file: join(folder, 'jane.key') } },
    ]) {
      assert.match(JSON.stringify(await ask(connection)), /CN=jane/);
    }
  });

  it('sends a token, given or in a file, and who to act as', async () => {
    await writeFile(join(folder, 'token'), 'from-file\n');
    assert.deepEqual(await ask({ token: 'given', impersonate: 'joe' }), {
      path: '/api',
      authorization: 'Bearer given',
      as: 'joe',
    });
    assert.deepEqual(await ask({ token: 'given', tokenFile: 'token' }), {
      path: '/api',
      authorization: 'Bearer from-file',
    });
  });

  it('goes below the path of the server, and by the name that its certificate has', async () => {
    const { port } = server.address() as AddressInfo;
    assert.deepEqual(await ask({ server: `https://127.0.0.1:${port}/clusters/a/`, tlsServerName: 'localhost' }), {
      path: '/clusters/a/api',
    });
    await assert.rejects(ask({ tlsServerName: 'other.example.com' }));
  });

  it('refuses what it cannot do, and files that are not there', async () => {
    for (const connection of [
      { exec: {} },
      { proxyUrl: 'http://proxy' },
      { basic: { username: 'u', password: 'p' } },
    ]) {
      await assert.rejects(ask(connection), UnsupportedConnectionError);
    }
    await assert.rejects(ask({ tokenFile: 'none' }), { code: 'ENOENT' });
  });

  it('knows where a pod’s cluster is', () => {
    assert.equal(inClusterConnection({}), undefined);
    assert.equal(
      inClusterConnection({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' })?.server,
      'https://[fd00::1]:443',
    );
  });
});
