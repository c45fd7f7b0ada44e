import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pauseProgram } from '../../bin/compose/pause.ts';
import { ImageStore } from './image-store.ts';
import { buildImage, buildImages } from './images.ts';
import { RunningProgram, run, until } from './process.ts';
import { requires } from './requirements.ts';
import { type TarEntry, tar } from './tar.ts';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutti-images-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('a tar archive', () => {
  const entries = (): Map<string, TarEntry> =>
    new Map<string, TarEntry>([
      ['z/last', { kind: 'file', content: 'z' }],
      ['a/link', { kind: 'link', target: '../z/last' }],
      ['a/program', { kind: 'file', content: '#!/bin/sh\n', mode: 0o755 }],
      ['tmp', { kind: 'folder', mode: 0o1777 }],
      [`${'deep/'.repeat(25)}file`, { kind: 'file', content: Buffer.alloc(1000, 7) }],
      ['a/copied', { kind: 'file', content: { path: import.meta.filename } }],
    ]);
  const bytes = (of: Map<string, TarEntry>): Buffer => Buffer.concat([...tar(of)]);

  test('is the same whatever the order of its entries, and tar unpacks it', async () => {
    const archive = bytes(entries());
    assert.deepEqual(bytes(new Map([...entries()].reverse())), archive);
    const target = mkdtempSync(join(folder, 'tar-'));
    await run(['tar', '-xp', '-C', target], { input: archive });
    assert.equal(readFileSync(join(target, 'a/link'), 'utf8'), 'z');
    assert.deepEqual(readFileSync(join(target, `${'deep/'.repeat(25)}file`)), Buffer.alloc(1000, 7));
    assert.deepEqual(readFileSync(join(target, 'a/copied')), readFileSync(import.meta.filename));
    const listed = (await run(['tar', '-tv', '--numeric-owner'], { input: archive })).stdout;
    assert.match(listed, /^-rwxr-xr-x 0\/0 +10 2020-09-13 \d\d:\d\d a\/program$/m);
    assert.match(listed, /^drwxrwxrwt 0\/0 .* tmp\/$/m);
  });

  test('refuses what cannot be in one', () => {
    const cases: [string, Map<string, TarEntry>, RegExp][] = [
      ['a name of 101 bytes', new Map([['x'.repeat(101), { kind: 'file', content: '' }]]), /too long for a tar entry/],
      ['a target of 101 bytes', new Map([['x', { kind: 'link', target: 'x'.repeat(101) }]]), /too long for a link/],
      [
        'a file below a file',
        new Map<string, TarEntry>([
          ['x', { kind: 'file', content: '' }],
          ['x/y', { kind: 'file', content: '' }],
        ]),
        /x is no folder/,
      ],
    ];
    for (const [what, of, message] of cases) assert.throws(() => bytes(of), message, what);
  });
});

describe('an image store', () => {
  test('finds an image by name, with latest and library left out, and has its blobs under their digests', () => {
    const store = new ImageStore(join(folder, 'store'));
    const layer = store.putLayer(new Map([['hello', { kind: 'file', content: 'hello' }]]), 'key');
    assert.deepEqual(store.findLayer('key'), layer);
    assert.equal(store.findLayer('other key'), undefined);
    const { digest } = store.image(['web', 'team/web:v2'], [layer], { Cmd: ['web'] });
    for (const name of ['web', 'web:latest', 'library/web', 'team/web:v2'])
      assert.equal(store.resolve(name), digest, name);
    for (const name of ['team/web', 'other', 'web:v2']) assert.equal(store.resolve(name), undefined, name);
    assert.deepEqual(store.names(), ['team/web:v2', 'web:latest']);
    const manifest = store.manifest(digest);
    for (const blob of [manifest.config, ...manifest.layers]) {
      const content = readFileSync(store.blobPath(blob.digest));
      assert.equal(`sha256:${createHash('sha256').update(content).digest('hex')}`, blob.digest);
      assert.equal(content.length, blob.size);
    }
    store.untag('web');
    assert.equal(store.resolve('web'), undefined);
  });

  test('gives equal images of two names two digests, as registries do', () => {
    const store = new ImageStore(join(folder, 'store'));
    const layer = store.putLayer(new Map([['hello', { kind: 'file', content: 'hello' }]]));
    assert.notEqual(store.image(['one'], [layer]).digest, store.image(['two'], [layer]).digest);
  });
});

describe('the pause program', requires('root'), () => {
  test('as process 1 reaps orphans and ends at once on SIGTERM', async () => {
    const path = join(folder, 'pause');
    writeFileSync(path, pauseProgram(), { mode: 0o755 });
    const outer = new RunningProgram(['unshare', '--pid', '--fork', '--kill-child', path]);
    try {
      const [pause] = await until('it runs', async () => {
        const { stdout } = await run(['pgrep', '--parent', String(outer.pid)], { check: false });
        return stdout === '' ? undefined : stdout.trim().split('\n').map(Number);
      });
      // Two orphans in its pid namespace; they are its children once their parent is gone.
      await run(['nsenter', '--target', String(pause), '--pid', 'sh', '-c', 'sleep 0.1 & sleep 0.2 &']);
      const children = async (): Promise<string> =>
        (await run(['pgrep', '--parent', String(pause)], { check: false })).stdout;
      await until('the orphans are gone, not zombies', async () => (await children()) === '');
      process.kill(pause!, 'SIGTERM');
      assert.deepEqual(await outer.wait(2_000), { code: 0, signal: null });
    } finally {
      await outer.stop();
    }
  });

  test('is a different program for each architecture, and none for an unknown one', () => {
    assert.notDeepEqual(pauseProgram('x64'), pauseProgram('arm64'));
    assert.throws(() => pauseProgram('s390x'), /no pause program for s390x/);
  });
});

describe('the test images', requires('linux', 'images'), () => {
  test('are made once: the second time nothing is written and little time goes by', { timeout: 120_000 }, async () => {
    const store = await buildImages();
    const digests = store.names().map((name) => store.resolve(name));
    const start = performance.now();
    const again = await buildImages();
    const tookMs = performance.now() - start;
    assert.deepEqual(
      again.names().map((name) => again.resolve(name)),
      digests,
    );
    assert.ok(tookMs < 500, `${tookMs} ms`);
  });

  test('are the same bytes when made anew', { timeout: 120_000 }, async () => {
    const store = await buildImages(['pause', 'busybox', 'behave', 'nginx']);
    const anew = await buildImages(['pause', 'busybox', 'behave', 'nginx'], join(folder, 'anew'));
    for (const name of anew.names()) assert.equal(anew.resolve(name), store.resolve(name), name);
  });

  test('a test can make its own', async () => {
    const store = await buildImages(['busybox'], join(folder, 'anew'));
    const digest = await buildImage(store, 'own:v1', { Cmd: ['cat', '/data'], User: '1000' }, { '/data': 'mine\n' });
    assert.equal(store.resolve('own:v1'), digest);
    assert.equal(store.manifest(digest).layers.length, 2);
  });
});

describe('behave', () => {
  const script = join(import.meta.dirname, 'programs/behave.sh');
  test('ends with the code it is told, and refuses what it does not know', async () => {
    assert.equal((await run(['sh', script, 'exit', '7'], { check: false })).code, 7);
    const unknown = await run(['sh', script, 'fly'], { check: false });
    assert.deepEqual([unknown.code, unknown.stderr], [64, 'behave: no such behaviour: fly\n']);
  });

  for (const [words, heard, code] of [
    [['graceful', '0'], 'stopping', 0],
    [['deaf'], 'heard TERM', null],
  ] as const) {
    test(`${words.join(' ')}: SIGTERM gives "${heard}"`, async () => {
      const program = spawn('sh', [script, ...words], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
      let output = '';
      program.stdout.on('data', (chunk) => {
        output += chunk;
      });
      const exited = new Promise<number | null>((resolve) => program.once('exit', resolve));
      await until('it is ready', () => output.includes('ready'));
      process.kill(program.pid!, 'SIGTERM');
      await until('it heard', () => output.includes(heard));
      // Its session: the shell's sleep outlives the shell.
      if (code === null) process.kill(-program.pid!, 'SIGKILL');
      assert.equal(await exited, code);
      try {
        process.kill(-program.pid!, 'SIGKILL');
      } catch {
        // nobody is left
      }
    });
  }
});
