// API server and scheduler in one process as a user runs them (TLS, RBAC, managed fields, events, fsync), pods created
// from another process over 32 connections: from the first request to the last pod bound, and read as bound.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Report } from '../tools/bench/figure.ts';
import type { Listening } from './apiserver/server.ts';
import { Wire } from './apiserver/wire.ts';

const NODES = 5000;
const PODS = 10_000;
const CONNECTIONS = 32;
const LIMIT_MS = 60_000;

const node = (index: number): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `node-${index}`,
    labels: { 'kubernetes.io/hostname': `node-${index}`, 'topology.kubernetes.io/zone': `zone-${index % 5}` },
  },
  status: {
    allocatable: { cpu: '8', memory: '32Gi', pods: '110' },
    capacity: { cpu: '8', memory: '32Gi', pods: '110' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
  },
});

const pod = (index: number): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `pod-${index}`, labels: { app: 'web' } },
  spec: {
    // Nobody lifts the taint that a node has until its kubelet says otherwise.
    tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists' }],
    containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '100m', memory: '200Mi' } } }],
  },
});

/** Creates `count` objects over all connections at once. */
async function create(wires: readonly Wire[], path: string, count: number, of: (index: number) => object) {
  let next = 0;
  await Promise.all(
    wires.map(async (wire) => {
      while (next < count) {
        const { code } = await wire.ask(Wire.request('POST', path, JSON.stringify(of(next++))));
        assert.equal(code, 201);
      }
    }),
  );
}

/** Resolves when no pod is without a node. */
async function allBound(listening: Listening): Promise<void> {
  const session = http2.connect(`https://127.0.0.1:${listening.port}`, {
    ca: listening.caPem,
    cert: listening.certificatePem,
    key: listening.privateKeyPem,
  });
  try {
    for (const until = performance.now() + LIMIT_MS; ; ) {
      const stream = session.request({ ':path': '/api/v1/pods?fieldSelector=spec.nodeName%3D&limit=1' });
      let text = '';
      for await (const chunk of stream) text += chunk;
      if ((JSON.parse(text) as { items: unknown[] }).items.length === 0) return;
      assert.ok(performance.now() < until, `pods stay without a node: ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    session.destroy();
  }
}

export async function bench(report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-'));
  const server = fork(join(import.meta.dirname, 'apiserver/server.ts'), ['api', folder, 'scheduler'], { execArgv: [] });
  try {
    const [listening] = (await once(server, 'message')) as [Listening];
    const wires = await Promise.all(Array.from({ length: CONNECTIONS }, () => Wire.connect(listening)));
    await create(wires, '/api/v1/nodes', NODES, node);
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await create(wires.slice(0, 1), '/api/v1/namespaces/default/serviceaccounts', 1, () => account);
    // The scheduler takes the nodes in.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const began = performance.now();
    await create(wires, '/api/v1/namespaces/default/pods', PODS, pod);
    const created = performance.now();
    await allBound(listening);
    const seconds = (performance.now() - began) / 1000;
    for (const wire of wires) wire.close();
    report({
      name: 'scheduling end to end, 5,000 nodes, 10,000 pods',
      value: PODS / seconds,
      unit: 'pods/s',
      atLeast: 1500,
      upstream: '175–222',
    });
    report({ name: 'the same: creating the pods took', value: (created - began) / 1000, unit: 's' });
  } finally {
    if (server.exitCode === null) {
      server.disconnect();
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
