import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { after, describe, test } from 'node:test';
import {
  Server as GrpcServer,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { createNodeHost } from '../../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../../libs/base/node/node-keys.ts';
import { RealClock } from '../../../libs/base/node/real-clock.ts';
import { connectionsOf } from './connections.ts';

describe('probes over real sockets', () => {
  const clock = new RealClock();
  const connections = connectionsOf(createNodeHost().sockets, clock);
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) server.close();
  });

  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };
  const get = (port: number, more: Partial<Parameters<typeof connections.http>[0]> = {}) =>
    connections.http({ scheme: 'http', host: '127.0.0.1', port, path: '/', headers: {}, timeoutMs: 2_000, ...more });
  const answers: RequestListener = (request, response) => {
    if (request.url === '/silent') return;
    response.statusCode = request.url === '/sick' ? 500 : 200;
    response.end(`${request.method} ${request.url} ${request.headers['user-agent']} ${request.headers.host}`);
  };

  test('HTTP: headers, codes, and silence', async () => {
    const port = await listen(createHttpServer(answers));
    assert.deepEqual(await get(port, { path: '/a?b=c', headers: { 'user-agent': 'kube-probe/1.36' } }), {
      code: 200,
      body: `GET /a?b=c kube-probe/1.36 127.0.0.1:${port}`,
    });
    assert.equal((await get(port, { path: '/sick' })).code, 500);
    assert.match((await get(port, { headers: { host: 'web.example' } })).body, /web\.example$/);
    await assert.rejects(
      get(port, { path: '/silent', timeoutMs: 100 }),
      /Client\.Timeout exceeded while awaiting headers/,
    );
  });

  test('HTTP: redirects within the host are followed, ten at most; one to elsewhere is the answer', async () => {
    const other = await listen(createHttpServer(answers));
    const port = await listen(
      createHttpServer((request, response) => {
        const [, to] = (request.url ?? '').split('?to=');
        if (to === undefined) return answers(request, response);
        response.writeHead(302, { location: decodeURIComponent(to) });
        response.end('moved');
      }),
    );
    const to = (location: string) => get(port, { path: `/?to=${encodeURIComponent(location)}` });
    assert.equal((await to('/sick')).code, 500);
    assert.match((await to(`http://127.0.0.1:${other}/there?x=y`)).body, /^GET \/there\?x=y /);
    assert.deepEqual(await to('http://elsewhere.example/'), {
      code: 302,
      body: 'moved',
      location: 'http://elsewhere.example/',
    });
    await assert.rejects(to('ftp://127.0.0.1/'), /unsupported protocol scheme "ftp"/);
    const again = await listen(
      createHttpServer((request, response) => response.writeHead(307, { location: request.url ?? '' }).end()),
    );
    await assert.rejects(get(again), /stopped after 10 redirects/);
  });

  test('HTTPS: whoever answers, as a probe trusts everybody', async () => {
    const keys = new NodeKeys();
    const key = await keys.generateKey('probe');
    const cert = await keys.issueCertificate({
      subject: { commonName: 'somebody-else' },
      publicKey: key,
      usages: ['server auth'],
      notBeforeMs: clock.now() - 7_200_000,
      // Out of date, even.
      notAfterMs: clock.now() - 3_600_000,
    });
    const port = await listen(createHttpsServer({ key: key.privateKeyPem(), cert }, answers));
    assert.equal((await get(port, { scheme: 'https' })).code, 200);
    assert.equal((await get(port, { scheme: 'https', path: '/sick' })).code, 500);
    const plain = await listen(createHttpServer(answers));
    await assert.rejects(get(plain, { scheme: 'https' }), 'nobody there speaks TLS');
  });

  test('TCP: somebody listens, or nobody', async () => {
    const server = createTcpServer((socket) => socket.end());
    const port = await listen(server);
    await connections.tcp('127.0.0.1', port, 1_000);
    await new Promise((closed) => server.close(closed));
    await assert.rejects(connections.tcp('127.0.0.1', port, 1_000), {
      message: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  test('gRPC: what the health service says', async () => {
    const server = new GrpcServer();
    // HealthCheckRequest has one text field, HealthCheckResponse one number.
    const check = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: ({ service }: { service: string }) => Buffer.from(service),
      requestDeserialize: (bytes: Buffer) => ({ service: bytes.subarray(2).toString() }),
      responseSerialize: (code: number) => Buffer.from([8, code]),
      responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
    };
    server.addService(
      { check },
      {
        check(call: ServerUnaryCall<{ service: string }, number>, done: sendUnaryData<number>) {
          if (call.request.service === 'unknown') return done({ code: status.NOT_FOUND, details: 'unknown service' });
          done(null, call.request.service === 'sick' ? 2 : 1);
        },
      },
    );
    const bind = Promise.withResolvers<number>();
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? bind.reject(error) : bind.resolve(port),
    );
    const port = await bind.promise;
    try {
      const ask = (service: string) => connections.grpcHealth('127.0.0.1', port, service, 2_000);
      assert.equal(await ask(''), 'SERVING');
      assert.equal(await ask('sick'), 'NOT_SERVING');
      await assert.rejects(ask('unknown'), /unknown service/);
    } finally {
      server.forceShutdown();
    }
    await assert.rejects(connections.grpcHealth('127.0.0.1', port, '', 500));
  });
});
