// What stands behind `proxy` of a service, over a real socket: methods, paths, and addresses that lead back.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { NodeConnector } from '../../control-plane/apiserver/connect/node-connector.ts';
import type { Sockets } from '../../libs/base/host.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { startTestServer, type TestServer } from '../fixtures/api-server.ts';

const PROXY = '/api/v1/namespaces/default/services/web/proxy';
const PAGE = '<a href="/rewriteme">test</a>';
const LED = `<a href="${PROXY}/rewriteme">test</a>`;

interface Proxied {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: readonly string[];
  readonly text: string;
}

describe('the proxy of a service', { concurrency: 1 }, () => {
  let web: Server;
  let server: TestServer;

  before(async () => {
    web = createServer((request, response) => {
      const { method, url, headers } = request;
      const html = url?.startsWith('/html');
      const packed = url === '/html/gzip';
      response.setHeader('content-type', html ? 'text/html; charset=utf-8' : 'application/json');
      if (url === '/login')
        response.setHeader('set-cookie', ['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT']);
      response.setHeader('access-control-allow-origin', '*');
      if (packed) response.setHeader('content-encoding', 'gzip');
      if (url === '/away') response.writeHead(302, { location: `http://${headers.host}/there?a=b` });
      const seen = JSON.stringify({
        method,
        url,
        host: headers.host,
        uri: headers['x-forwarded-uri'],
        cookie: headers.cookie,
      });
      response.end(html ? (packed ? gzipSync(PAGE) : PAGE) : seen);
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as AddressInfo;
    // Loopback is no address that endpoints may have: here all addresses are on it.
    const sockets: Pick<Sockets, 'connect'> = {
      connect: () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket));
          socket.once('error', reject);
        }),
    };
    const kubeletClient = { certificatePem: '', privateKeyPem: '' };
    const connector = new NodeConnector({ kubeletClient, kubeletAuthorityPem: '', log: silentLogger, sockets });
    server = await startTestServer({ connector });
    const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports } };
    assert.equal((await server.send('POST', '/api/v1/namespaces/default/services', service)).code, 201);
    const slice = {
      metadata: { name: 'web', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.10'], conditions: { ready: true } }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    };
    const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
    assert.equal((await server.send('POST', slices, slice)).code, 201);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    web.close();
  });

  async function ask(method: string, path: string): Promise<Proxied> {
    const [before = '', query = ''] = path.split('?');
    const {
      code,
      headers,
      cookies = [],
      body,
    } = await server.server.handle({
      method,
      path: PROXY + before,
      query,
      headers: { 'x-user': 'admin', host: 'api:6443', cookie: 'session=7' },
      body: undefined,
      peer: { address: '' },
      signal: new AbortController().signal,
    });
    let text = '';
    if (body.form === 'stream') for await (const chunk of body.chunks) text += Buffer.from(chunk).toString();
    return { code, headers, cookies, text };
  }

  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    it(`${method}: the path and the query arrive as they are`, async () => {
      for (const url of ['/', '/some/path', '/some/path/?a=b&a&c=%20/', '/a%20b%25c/d:e@f,g']) {
        const { code, text } = await ask(method, url);
        assert.equal(code, 200, text);
        const uri = PROXY + url.split('?')[0];
        assert.deepEqual(JSON.parse(text), { method, url, host: 'api:6443', uri, cookie: 'session=7' });
      }
    });
  }

  it('of nothing is a folder: relative links lead into it', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { code, headers } = await ask(method, '?a=b');
      assert.deepEqual([code, headers['location']], [301, `${PROXY}/?a=b`]);
    }
    assert.equal(JSON.parse((await ask('POST', '?a=b')).text).url, '/?a=b');
  });

  it('hands cookies on, each by itself', async () => {
    const { cookies } = await ask('GET', '/login');
    assert.deepEqual(cookies, ['a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 2026 00:00:00 GMT']);
  });

  it('leads links of pages and redirections back', async () => {
    for (const path of ['/html', '/html/gzip']) {
      const { text, headers } = await ask('GET', path);
      assert.equal(text, LED);
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    const { code, headers } = await ask('GET', '/away');
    assert.deepEqual([code, headers['location']], [302, `http://api:6443${PROXY}/there?a=b`]);
  });
});
