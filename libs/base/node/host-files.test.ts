import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNodeFiles } from './files.ts';

const root = mkdtempSync(join(tmpdir(), 'host-files-'));
after(() => rmSync(root, { recursive: true, force: true }));
const files = createNodeFiles();
let made = 0;
/** A fresh folder for one test. */
const folder = async () => {
  const path = join(root, `t${made++}`);
  await files.makeDirectory(path);
  return path;
};
const until = async (holds: () => boolean) => {
  for (let i = 0; i < 200 && !holds(); i++) await new Promise((done) => setTimeout(done, 5));
  assert.ok(holds(), 'waited for a second');
};

test('what is written is read, whole and in part', async () => {
  const path = join(await folder(), 'a');
  await files.write(path, 'grüße');
  assert.equal(await files.readText(path), 'grüße');
  assert.deepEqual(Buffer.from(await files.read(path)), Buffer.from('grüße'));
  await files.write(path, Uint8Array.of(1, 2, 3, 4, 5));
  assert.deepEqual([...(await files.readAt(path, 1, 3))], [2, 3, 4]);
  assert.deepEqual([...(await files.readAt(path, 4, 10))], [5]);
  assert.equal((await files.readAt(path, 9, 1)).length, 0);
  await files.append(path, Uint8Array.of(6));
  await files.append(`${path}2`, 'new');
  assert.equal((await files.read(path)).length, 6);
  assert.equal((await files.stat(`${path}2`)).mode, 0o600);
});

test('modes are exact, whatever the umask', async () => {
  const path = await folder();
  const before = process.umask(0o077);
  try {
    await files.write(join(path, 'default'), '');
    await files.write(join(path, 'open'), '', { mode: 0o666 });
    await files.makeDirectory(join(path, 'shared'), { mode: 0o777 });
    await files.makeDirectory(join(path, 'own'));
    await files.makeDirectory(join(path, 'shared'), { mode: 0o700 });
  } finally {
    process.umask(before);
  }
  const mode = async (name: string) => (await files.stat(join(path, name))).mode;
  assert.equal(await mode('default'), 0o600);
  assert.equal(await mode('open'), 0o666);
  assert.equal(await mode('shared'), 0o777);
  assert.equal(await mode('own'), 0o700);
  await files.changeMode(join(path, 'open'), 0o640);
  assert.equal(await mode('open'), 0o640);
});

test('an atomic write replaces the file, an ordinary one changes it', async () => {
  const path = await folder();
  const file = join(path, 'a');
  await files.write(file, 'one', { mode: 0o644 });
  const first = (await files.stat(file)).inode;
  await files.write(file, 'two', { atomic: false });
  assert.equal((await files.stat(file)).inode, first);
  assert.equal((await files.stat(file)).mode, 0o644);
  await files.symlink('a', join(path, 'link'));
  await files.write(join(path, 'link'), 'through', { atomic: false });
  assert.equal(await files.readText(file), 'through');
  await files.write(file, 'three');
  assert.notEqual((await files.stat(file)).inode, first);
  await files.write(join(path, 'link'), 'instead');
  assert.equal(await files.readText(file), 'three');
  assert.equal((await files.statIfExists(join(path, 'link')))?.kind, 'file');
  assert.deepEqual(await files.list(path), ['a', 'link'], 'no temporary file stays');
});

test('readers of a file that is written over and over see whole versions only', async () => {
  const path = join(await folder(), 'a');
  const version = (i: number) => String(i % 10).repeat(20_000);
  await files.write(path, version(0));
  let writing = true;
  const reader = (async () => {
    for (let reads = 0; writing; reads++) {
      const text = await files.readText(path);
      assert.equal(text.length, 20_000);
      assert.equal(text, text[0]!.repeat(20_000), `read ${reads}`);
    }
  })();
  for (let i = 0; i < 50; i++) await files.write(path, version(i));
  writing = false;
  await reader;
});

test('a failed write leaves the old content and nothing else', async () => {
  const path = await folder();
  await files.makeDirectory(join(path, 'a', 'inside'));
  await assert.rejects(files.write(join(path, 'a'), 'x'), { code: 'EISDIR' });
  await assert.rejects(files.write(join(path, 'none', 'a'), 'x'), { code: 'ENOENT' });
  assert.deepEqual(await files.list(path), ['a']);
});

test('what is there, and what is not', async () => {
  const path = await folder();
  const none = join(path, 'none');
  await assert.rejects(files.read(none), { code: 'ENOENT' });
  await assert.rejects(files.stat(none), { code: 'ENOENT' });
  await assert.rejects(files.list(none), { code: 'ENOENT' });
  assert.equal(await files.readTextIfExists(none), undefined);
  assert.equal(await files.statIfExists(none), undefined);
  await files.write(join(path, 'file'), 'abc');
  assert.equal(await files.readTextIfExists(join(path, 'file', 'below')), undefined);
  await files.symlink('nowhere', join(path, 'link'));
  const server = createServer().listen(join(path, 'socket'));
  await new Promise((done) => server.once('listening', done));
  const kinds: [string, string][] = [
    ['.', 'directory'],
    ['file', 'file'],
    ['link', 'symlink'],
    ['socket', 'socket'],
  ];
  for (const [name, kind] of kinds) assert.equal((await files.statIfExists(join(path, name)))?.kind, kind);
  server.close();
  assert.equal(await files.readLink(join(path, 'link')), 'nowhere');
  assert.equal((await files.statIfExists('/dev/null'))?.kind, 'device');
  const stat = await files.stat(join(path, 'file'));
  assert.equal(stat.sizeBytes, 3);
  assert.ok(Math.abs(stat.modifiedMs - Date.now()) < 60_000);
  await files.rename(join(path, 'file'), join(path, 'moved'));
  assert.equal(await files.readText(join(path, 'moved')), 'abc');
  const space = await files.space(path);
  assert.ok(space.totalBytes >= space.freeBytes && space.freeBytes > 0);
});

test('remove takes a whole tree, and follows no link out of it', async () => {
  const path = await folder();
  const tree = join(path, 'tree');
  await files.makeDirectory(join(tree, 'a/b/c'));
  for (let i = 0; i < 100; i++) await files.write(join(tree, 'a', `f${i}`), '', { atomic: false });
  await files.makeDirectory(join(path, 'outside'));
  await files.write(join(path, 'outside', 'kept'), 'x');
  await files.symlink('../outside', join(tree, 'folder-link'));
  await files.symlink('../outside/kept', join(tree, 'file-link'));
  await files.remove(tree);
  await files.remove(tree);
  assert.deepEqual(await files.list(path), ['outside']);
  await files.symlink('outside', join(path, 'link'));
  await files.remove(join(path, 'link'));
  await files.remove(join(path, 'link', 'below'));
  assert.equal(await files.readText(join(path, 'outside', 'kept')), 'x');
});

const canMount = spawnSync('unshare', ['-m', '--propagation', 'private', 'true']).status === 0;

test('remove stops before a bind mount', { skip: !canMount && 'cannot make a mount namespace' }, async () => {
  const path = await folder();
  await files.makeDirectory(join(path, 'tree', 'with space'));
  await files.write(join(path, 'tree', 'file'), '');
  await files.makeDirectory(join(path, 'volume'));
  await files.write(join(path, 'volume', 'kept'), 'x');
  const script = `
    const { createNodeFiles } = await import(${JSON.stringify(new URL('./files.ts', import.meta.url).href)});
    for (const path of ['tree/with space', 'tree', 'alias']) {
      await createNodeFiles().remove(${JSON.stringify(path)} + "/" + path).catch((e) => console.log(e.code));
    }`;
  await files.symlink('tree', join(path, 'alias'));
  const mounted = `mount --bind '${path}/volume' '${path}/tree/with space' && exec "$0" --input-type=module -e "$1"`;
  const run = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', mounted, process.execPath, script], {
    encoding: 'utf8',
  });
  assert.equal(run.stdout, 'EBUSY\nEBUSY\n', run.stderr);
  assert.deepEqual(readdirSync(join(path, 'volume')), ['kept']);
  assert.deepEqual(readdirSync(join(path, 'tree')), ['file', 'with space']);
});

test('a watch tells of what is made, changed and removed, until it is disposed', async () => {
  const path = await folder();
  let seen = new Set<string | undefined>();
  const watch = files.watch(path, (name) => seen.add(name));
  await files.write(join(path, 'a'), '1');
  await until(() => seen.has('a'));
  seen = new Set();
  await files.append(join(path, 'a'), '2');
  await until(() => seen.has('a'));
  seen = new Set();
  await files.remove(join(path, 'a'));
  await until(() => seen.has('a'));
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  seen = new Set();
  await files.write(join(path, 'b'), '1');
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(seen.size, 0);
  assert.throws(() => files.watch(join(path, 'none'), () => {}), { code: 'ENOENT' });
});
