import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Files } from '../../base/host.ts';

/**
 * What every `Files` promises, as tests. `make` gives the files, an existing folder of them to work in, and their clock's
 * time.
 */
export function testFiles(name: string, make: () => { files: Files; root: string; nowMs: () => number }): void {
  const { files, root, nowMs } = make();
  let made = 0;
  /** A fresh folder for one test. */
  const folder = async () => {
    const path = join(root, `t${made++}`);
    await files.makeDirectory(path);
    return path;
  };
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 4000 && !holds(); i++) await new Promise((done) => setTimeout(done, 5));
    assert.ok(holds(), 'waited for twenty seconds');
  };

  test(`${name}: what is written is read, whole and in part`, async () => {
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

  test(`${name}: an atomic write replaces the file, an ordinary one changes it`, async () => {
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
    await files.symlink('../', join(path, 'up'));
    await files.symlink('a', join(path, 'second'));
    assert.equal(await files.readText(`${path}/up/${path.split('/').at(-1)}/second`), 'three');
    await files.symlink('loop', join(path, 'loop'));
    await assert.rejects(files.read(join(path, 'loop')), { code: 'ELOOP' });
    for (const name of ['loop', 'up', 'second']) await files.remove(join(path, name));
    await files.write(join(path, 'link'), 'instead');
    assert.equal(await files.readText(file), 'three');
    assert.equal((await files.statIfExists(join(path, 'link')))?.kind, 'file');
    assert.deepEqual(await files.list(path), ['a', 'link'], 'no temporary file stays');
  });

  test(`${name}: an open file stays the same file whatever happens to its name`, async () => {
    const path = join(await folder(), 'log');
    await files.write(path, 'one\n');
    await using file = await files.open(path);
    await files.rename(path, `${path}.1`);
    await files.append(`${path}.1`, 'two\n');
    await files.write(path, 'new\n');
    assert.equal(Buffer.from(await file.readAt(0, 100)).toString(), 'one\ntwo\n');
    assert.equal(Buffer.from(await file.readAt(4, 2)).toString(), 'tw');
    assert.equal((await file.stat()).sizeBytes, 8);
    assert.equal((await file.stat()).inode, (await files.stat(`${path}.1`)).inode);
    await files.remove(`${path}.1`);
    assert.equal(Buffer.from(await file.readAt(0, 3)).toString(), 'one');
    await assert.rejects(files.open(`${path}.2`), { code: 'ENOENT' });
  });

  test(`${name}: readers of a file that is written over and over see whole versions only`, async () => {
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

  test(`${name}: a failed write leaves the old content and nothing else`, async () => {
    const path = await folder();
    await files.makeDirectory(join(path, 'a', 'inside'));
    await assert.rejects(files.write(join(path, 'a'), 'x'), { code: 'EISDIR' });
    await assert.rejects(files.write(join(path, 'none', 'a'), 'x'), { code: 'ENOENT' });
    assert.deepEqual(await files.list(path), ['a']);
  });

  test(`${name}: what is there, and what is not`, async () => {
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
    const kinds: [string, string][] = [
      ['.', 'directory'],
      ['file', 'file'],
      ['link', 'symlink'],
    ];
    for (const [name, kind] of kinds) assert.equal((await files.statIfExists(join(path, name)))?.kind, kind);
    assert.equal(await files.readLink(join(path, 'link')), 'nowhere');
    const stat = await files.stat(join(path, 'file'));
    assert.equal(stat.sizeBytes, 3);
    assert.ok(Math.abs(stat.modifiedMs - nowMs()) < 60_000);
    await files.rename(join(path, 'file'), join(path, 'moved'));
    assert.equal(await files.readText(join(path, 'moved')), 'abc');
    assert.equal(await files.statIfExists(join(path, 'file')), undefined);
    await files.makeDirectory(join(path, 'folder', 'inside'));
    await files.rename(join(path, 'folder'), join(path, 'other'));
    assert.deepEqual(await files.list(join(path, 'other')), ['inside']);
    await assert.rejects(files.rename(join(path, 'none'), join(path, 'x')), { code: 'ENOENT' });
    await assert.rejects(files.rename(join(path, 'moved'), join(path, 'other')), { code: 'EISDIR' });
    await assert.rejects(files.rename(join(path, 'other'), join(path, 'other', 'inside', 'x')), { code: 'EINVAL' });
    await assert.rejects(files.symlink('x', join(path, 'moved')), { code: 'EEXIST' });
    await assert.rejects(files.read(path), { code: 'EISDIR' });
    const space = await files.space(path);
    assert.ok(space.totalBytes >= space.freeBytes && space.freeBytes > 0);
  });

  test(`${name}: remove takes a whole tree, and follows no link out of it`, async () => {
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

  test(`${name}: removeDirectory takes one empty folder`, async () => {
    const path = await folder();
    await files.makeDirectory(join(path, 'a/b'));
    await assert.rejects(files.removeDirectory(join(path, 'a')), { code: 'ENOTEMPTY' });
    await files.removeDirectory(join(path, 'a/b'));
    await files.removeDirectory(join(path, 'a/b'));
    await files.removeDirectory(join(path, 'a'));
    assert.deepEqual(await files.list(path), []);
  });

  test(`${name}: a watch tells of what is made, changed and removed, until it is disposed`, async () => {
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
}

/** Paths of files are POSIX paths here. */
const join = (...parts: string[]) => parts.join('/');
