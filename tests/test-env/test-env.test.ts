// `tutti test-env` as a program: its lines, its HTTP, and how it ends.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const program = join(import.meta.dirname, '../../bin/tutti.ts');

interface Line {
  readonly event: string;
  readonly [name: string]: unknown;
}

/** Starts it; `lines.next()` gives its events one by one. */
async function started(t: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, [program, 'test-env', '--frozen', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const next = linesOf(child);
  const ready = await next();
  assert.equal(ready.event, 'ready');
  const ask = async (line: string) => {
    child.stdin?.write(`${line}\n`);
    return next();
  };
  const post = (body: string, token = ready['token']) =>
    fetch(String(ready['http']), { method: 'POST', body, headers: { authorization: `Bearer ${token}` } });
  return { child, next, ready, ask, post };
}

function linesOf(child: ChildProcess): () => Promise<Line> {
  assert.ok(child.stdout);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => JSON.parse(String((await lines.next()).value ?? '{"event":"its lines ended"}')) as Line;
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(15_000) })) as [number | null];
  return code;
}

test('commands on stdin and over HTTP; it ends with its stdin and leaves nothing', async (t) => {
  const { child, next, ready, ask, post } = await started(t, '--nodes', '2', '--seed', 'a');
  assert.equal(ready['seed'], 'a');
  const kubeconfig = String(ready['kubeconfig']);
  assert.match(readFileSync(kubeconfig, 'utf8'), /server: https:\/\/127\.0\.0\.1:\d+/);
  assert.deepEqual(await ask('advance 90s'), { event: 'done', command: 'advance', time: '2026-01-01T00:01:30.000Z' });
  assert.deepEqual(await ask('{"command":"advance","by":500,"id":7}'), {
    event: 'done',
    command: 'advance',
    id: 7,
    time: '2026-01-01T00:01:30.500Z',
  });
  assert.match(String((await ask('fly'))['message']), /there is no command "fly"/);
  assert.match(String((await ask('crash moon'))['message']), /there is no node "moon"/);
  assert.deepEqual(await ask('pause node-1'), { event: 'done', command: 'pause', time: '2026-01-01T00:01:30.500Z' });

  assert.equal((await post('{}', 'wrong')).status, 401);
  assert.equal((await fetch(String(ready['http']))).status, 401);
  const answered = await post('{"command":"status","id":"b"}');
  assert.equal(answered.status, 200);
  const { id, nodes } = (await answered.json()) as { id: string; nodes: { state: string }[] };
  assert.deepEqual([id, nodes.map(({ state }) => state)], ['b', ['paused', 'running']]);
  assert.equal((await post('resume node-1')).status, 200);
  assert.equal((await post('fly')).status, 400);
  assert.equal((await post('{"command"')).status, 400);
  assert.equal((await post('until pod/x "" default 1s')).status, 422);

  child.stdin?.end('advance 1s\n');
  assert.equal((await next())['command'], 'advance');
  assert.deepEqual(await next(), { event: 'stopped', why: 'stdin has ended' });
  assert.equal(await exitCode(child), 0);
  assert.equal(existsSync(kubeconfig), false);
});

test('it ends when it is told to, and by a signal', async (t) => {
  for (const [end, why] of [
    [(child: ChildProcess) => child.stdin?.write('stop\n'), 'it was told to'],
    [(child: ChildProcess) => child.kill('SIGTERM'), 'SIGTERM'],
  ] as const) {
    const { child, next } = await started(t, '--nodes', '0');
    end(child);
    let line = await next();
    if (line.event === 'done') line = await next();
    assert.deepEqual(line, { event: 'stopped', why });
    assert.equal(await exitCode(child), 0);
  }
});

test('it ends with its parent', { skip: process.platform === 'win32' ? 'no shell here' : false }, async (t) => {
  // A shell that starts it in the background, without a pipe to it, tells its process and ends by force.
  const script = `"${process.execPath}" "${program}" test-env --nodes 0 </dev/null & echo "pid $!"; wait`;
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(shell.stdout);
  const lines = createInterface({ input: shell.stdout })[Symbol.asyncIterator]();
  const pid = Number(/pid (\d+)/.exec(String((await lines.next()).value))?.[1]);
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // As it should be: it has ended.
    }
  });
  const ready = JSON.parse(String((await lines.next()).value)) as Line;
  assert.equal(ready.event, 'ready');
  shell.kill('SIGKILL');
  const isThere = () => existsSync(String(ready['kubeconfig']));
  for (let tries = 0; isThere() && tries < 100; tries++) await sleep(100);
  assert.equal(isThere(), false, 'its folder is gone');
});

test('options that cannot be are told in a sentence', () => {
  for (const [args, message] of [
    [['--nodes', 'x'], /a cluster has 0 to 5000 nodes, not NaN/],
    [['--time', 'soon'], /--time soon is no time/],
    [['--controllers', 'x'], /there is no controller "x"; there are /],
    [['--fly'], /--fly/],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [program, 'test-env', ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
