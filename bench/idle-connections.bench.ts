// Connections on which nothing is asked: what each costs the server, and what a request among them waits.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import * as tls from 'node:tls';
import type { Report } from '../tools/bench/figure.ts';
import type { Listening, ServerFigures } from './apiserver/server.ts';
import { Wire } from './apiserver/wire.ts';

const CONNECTIONS = 10_000;
const AT_ONCE = 64;

async function rssOf(child: ChildProcess): Promise<number> {
  child.send('figures');
  const [{ rssBytes }] = (await once(child, 'message')) as [ServerFigures];
  return rssBytes;
}

async function connect(to: Listening): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: to.port,
    ca: to.caPem,
    cert: to.certificatePem,
    key: to.privateKeyPem,
    ALPNProtocols: ['h2'],
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

export async function bench(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-'));
  const child = fork(join(import.meta.dirname, 'apiserver/server.ts'), ['api', folder], { execArgv: [] });
  const sockets: tls.TLSSocket[] = [];
  try {
    const [listening] = (await once(child, 'message')) as [Listening];
    const before = await rssOf(child);
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (sockets.length < CONNECTIONS) sockets.push(await connect(listening));
      }),
    );
    const wire = await Wire.connect(listening);
    const began = performance.now();
    await wire.ask(Wire.request('GET', '/api/v1/namespaces/default'));
    report({ name: 'GET among 10,000 idle connections', value: performance.now() - began, unit: 'ms', atMost: 100 });
    const perConnection = (await rssOf(child)) - before;
    report({
      name: 'memory of an idle connection',
      value: perConnection / sockets.length / 1024,
      unit: 'KiB',
      atMost: 100,
    });
    wire.close();
  } finally {
    for (const socket of sockets) socket.destroy();
    child.disconnect();
    if (child.exitCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}
