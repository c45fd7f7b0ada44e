import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createCluster } from './index.ts';

const run = promisify(execFile);
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
const manifests = fileURLToPath(new URL('fixtures/shop/', import.meta.url));

test('an unmodified kubectl sees a cluster with nodes', { skip: hasKubectl ? false : 'no kubectl here' }, async (t) => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  cluster.image('shop/web:1', (pod) => {
    pod.log(`serving on ${pod.pod.name}`);
    pod.serve(8080, () => 'hello');
    pod.onExec(async ({ command, stdin, write }) => {
      if (command[0] === 'cat') {
        for (let chunk = await stdin.read(); chunk; chunk = await stdin.read())
          await write(new TextDecoder().decode(chunk));
        return 0;
      }
      await write(`ran ${command.join(' ')}\n`);
      return command[0] === 'fail' ? 3 : 0;
    });
  });
  await cluster.apply(manifests);
  await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
  const folder = mkdtempSync(join(tmpdir(), 'kubectl-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config');
  writeFileSync(config, await cluster.kubeconfig());
  const kubectl = (...args: string[]) =>
    run('kubectl', ['--kubeconfig', config, '--cache-dir', join(folder, 'cache'), ...args], { timeout: 20_000 });

  assert.match((await kubectl('get', 'nodes')).stdout, /node-1 +Ready[\s\S]*node-2 +Ready/);
  const [name = ''] = (await kubectl('get', 'pods', '-o', 'name')).stdout.split('\n');
  assert.equal((await kubectl('logs', name)).stdout, `serving on ${name.slice(4)}\n`);
  assert.equal((await kubectl('exec', name, '--', 'echo', 'hi')).stdout, 'ran echo hi\n');
  await assert.rejects(kubectl('exec', name, '--', 'fail'), (error: { code?: number }) => error.code === 3);
  assert.equal(await piped(config, ['exec', '-i', name, '--', 'cat'], 'in and out'), 'in and out');

  const forward = spawn('kubectl', ['--kubeconfig', config, 'port-forward', name, ':8080']);
  t.after(() => forward.kill());
  const port = await portOf(forward);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'hello');
  assert.deepEqual(cluster.history().unrepeatable, ['a real endpoint was opened']);
});

function piped(config: string, args: string[], input: string): Promise<string> {
  const child = spawn('kubectl', ['--kubeconfig', config, ...args]);
  child.stdin.end(input);
  let out = '';
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  return new Promise((done) => child.once('close', () => done(out)));
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((found, failed) => {
    let text = '';
    const read = (chunk: unknown) => {
      text += String(chunk);
      const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port) found(Number(port));
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => failed(new Error(text)));
  });
}
