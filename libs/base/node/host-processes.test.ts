import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNodeProcesses } from './processes.ts';

const root = mkdtempSync(join(tmpdir(), 'host-processes-'));
after(() => rmSync(root, { recursive: true, force: true }));
const processes = createNodeProcesses();
const until = async (holds: () => boolean) => {
  for (let i = 0; i < 4000 && !holds(); i++) await new Promise((done) => setTimeout(done, 5));
  assert.ok(holds(), 'waited for twenty seconds');
};

test('run tells code, signal and both outputs', async () => {
  const sh = (script: string, options = {}) => processes.run('sh', ['-c', script], options);
  assert.deepEqual(await sh('echo out; echo err >&2; exit 3'), { code: 3, stdout: 'out\n', stderr: 'err\n' });
  assert.deepEqual(await sh('kill -9 $$'), { code: 137, signal: 'SIGKILL', stdout: '', stderr: '' });
  assert.equal((await sh('cat', { input: 'grüße' })).stdout, 'grüße');
  assert.equal((await sh('cat')).stdout, '', 'without input there is none, and no waiting for it');
  assert.equal((await sh('true', { input: 'x'.repeat(1_000_000) })).code, 0);
  assert.equal((await sh('echo "$A $HOME"', { env: { A: '1' } })).stdout, `1 ${process.env.HOME ?? ''}\n`);
  assert.equal((await sh('pwd -P', { cwd: '/' })).stdout, '/\n');
});

test('run cuts output at its bound and still lets the program end', async () => {
  const result = await processes.run('sh', ['-c', 'head -c 300000 /dev/zero | tr "\\0" x; echo done >&2'], {
    outputBytesMax: 1000,
  });
  assert.equal(result.stdout, 'x'.repeat(1000));
  assert.equal(result.stderr, 'done\n');
});

test('run ends with the reason of its signal, and the program with it', async () => {
  const stop = new AbortController();
  const pidFile = join(root, 'pid');
  const run = processes.run('sh', ['-c', `echo $$ > ${pidFile}; exec sleep 60`], { signal: stop.signal });
  const pid = () => {
    try {
      return Number(readFileSync(pidFile, 'utf8'));
    } catch {
      return 0;
    }
  };
  await until(() => pid() > 0);
  assert.equal(processes.signal(pid(), 0), true);
  stop.abort(new Error('enough'));
  await assert.rejects(run, /enough/);
  await until(() => !processes.signal(pid(), 0));
  await assert.rejects(processes.run('true', [], { signal: AbortSignal.abort('early') }), (e) => e === 'early');
});

test('a terminal’s Ctrl-C is not for programs that were started', {
  skip: !existsSync('/proc/self/stat'),
}, async () => {
  const groupOf = (stat: string) => stat.split(' ')[4];
  const own = groupOf(readFileSync('/proc/self/stat', 'utf8'));
  const ran = await processes.run('cat', ['/proc/self/stat']);
  assert.notEqual(groupOf(ran.stdout), own);
  await using started = processes.spawn('cat', []);
  assert.notEqual(groupOf(readFileSync(`/proc/${started.pid}/stat`, 'utf8')), own);
});

test('programs that cannot be started', async () => {
  const file = join(root, 'not-a-program');
  writeFileSync(file, '', { mode: 0o644 });
  await assert.rejects(processes.run('no-such-program', []), { code: 'ENOENT' });
  await assert.rejects(processes.run(file, []), { code: 'EACCES' });
  assert.throws(() => processes.spawn('no-such-program', []), { code: 'ENOENT' });
  assert.throws(() => processes.spawn('/no/such/program', []), { code: 'ENOENT' });
  assert.throws(() => processes.spawn(file, []), { code: 'EACCES' });
  assert.throws(() => processes.spawn('true', [], { cwd: '/no/such/folder' }), /no folder \/no\/such\/folder/);
});

test('spawn: a conversation with a running process', async () => {
  await using child = processes.spawn('cat', []);
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    seen += text;
  });
  child.stdin.write('one\n');
  await until(() => seen === 'one\n');
  child.stdin.end('two\n');
  assert.deepEqual(await child.exited, { code: 0, signal: null });
  await until(() => seen === 'one\ntwo\n');
  child.kill();
});

test('spawn: kill, abort and disposal end the process', async () => {
  const killed = processes.spawn('sleep', ['60']);
  killed.kill();
  assert.deepEqual(await killed.exited, { code: null, signal: 'SIGTERM' });
  assert.equal(processes.signal(killed.pid, 0), false);

  const stop = new AbortController();
  const aborted = processes.spawn('sleep', ['60'], { signal: stop.signal });
  stop.abort();
  assert.deepEqual(await aborted.exited, { code: null, signal: 'SIGKILL' });
  assert.throws(() => processes.spawn('sleep', ['60'], { signal: stop.signal }), { name: 'AbortError' });

  const disposed = processes.spawn('sleep', ['60']);
  await disposed[Symbol.asyncDispose]();
  assert.equal(processes.signal(disposed.pid, 0), false);
});

test('a detached process has its own session, writes to its file, and is left running by disposal', async () => {
  const outputFile = join(root, 'output');
  const child = processes.spawn('sh', ['-c', 'echo started; echo error >&2; exec sleep 60'], {
    detached: true,
    outputFile,
  });
  await until(() => readFileSync(outputFile, 'utf8') === 'started\nerror\n');
  await child[Symbol.asyncDispose]();
  assert.equal(processes.signal(child.pid, 0), true);
  const session = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
  assert.equal(Number(session), child.pid);
  assert.equal(child.stdout.readableEnded || child.stdout.read() === null, true);
  child.kill('SIGKILL');
  assert.equal((await child.exited).signal, 'SIGKILL');
});

test('signal: a process that is gone, and ids that would mean a group', () => {
  assert.equal(processes.signal(process.pid, 0), true);
  assert.equal(processes.signal(2 ** 22 + 12345, 'SIGTERM'), false);
  for (const pid of [0, -1, -process.pid, 1.5]) assert.throws(() => processes.signal(pid, 0), { code: 'EINVAL' });
});
