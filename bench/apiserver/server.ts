// The process that is measured: `server.ts api <folder>` is an API server as a user runs it (TLS, RBAC, managed fields,
// fsync), with `scheduler` behind it also the scheduler, and behind that the port, where it is to have a certain one;
// `server.ts bare` writes the same bytes with the platform alone. Tells its parent where it listens, and answers `figures`
// with its memory and the delay of its event loop since the last question.

import type { ServerResponse } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { startApiServer } from '../../bin/compose/apiserver.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import { makeCertificates } from '../../tests/fixtures/tls.ts';

/** What the parent needs to reach the server. */
export interface Listening {
  readonly port: number;
  readonly caPem: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface ServerFigures {
  readonly rssBytes: number;
  readonly loopDelayP99Ms: number;
}

const [what, folder = '', component, port = '0'] = process.argv.slice(2);
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

process.on('message', () => {
  const figures: ServerFigures = {
    rssBytes: process.memoryUsage.rss(),
    loopDelayP99Ms: delay.percentile(99) / 1e6 - 5,
  };
  delay.reset();
  process.send?.(figures);
});
process.on('disconnect', () => process.exit(0));

process.send?.(what === 'bare' ? await startBare() : await startApi());

async function startApi(): Promise<Listening> {
  const machine = {
    host: createNodeHost(),
    clock: new RealClock(),
    random: realRandom,
    keys: new NodeKeys(),
    log: silentLogger,
  };
  const settings = {
    dataDir: folder,
    store: 'lmdb',
    listenHost: '127.0.0.1',
    port: Number(port),
    serviceAddress: '10.96.0.1',
  };
  const { server, serving, pki, heldTokens } = await startApiServer(machine, settings);
  if (component === 'scheduler') {
    // Not loaded where an API server alone is measured.
    const { startSchedulerComponent } = await import('../../bin/compose/components.ts');
    await startSchedulerComponent({ machine, server, pki, heldTokens });
  }
  return {
    port: serving.port,
    caPem: pki.ca.certificatePem,
    certificatePem: pki.admin.certificatePem,
    privateKeyPem: pki.admin.key.privateKeyPem(),
  };
}

/** `/object`: 1 KB; `/list`: the bytes of a large list, in pieces of a quarter of a megabyte. */
async function startBare(): Promise<Listening> {
  const { server: own, client, authorityPem } = await makeCertificates(new RealClock().now());
  const server = http2.createSecureServer({ key: own.privateKeyPem, cert: own.certificatePem, allowHTTP1: true });
  const object = Buffer.alloc(1024, 'x');
  const pieces = Array.from({ length: 73 }, () => Buffer.alloc(256 * 1024, 'x'));
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  server.on('request', (request, response) => {
    if (request.url !== '/list') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': object.length });
      response.end(object);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': length });
    let next = 0;
    const write = () => {
      while (next < pieces.length) if (!(response as unknown as ServerResponse).write(pieces[next++])) return;
      response.end();
    };
    response.on('drain', () => (next < pieces.length ? write() : response.end()));
    write();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, caPem: authorityPem, ...client };
}
