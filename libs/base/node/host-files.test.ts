import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testFiles } from '../../testing/conformance/files.ts';
import { createNodeFiles } from './files.ts';

const root = mkdtempSync(join(tmpdir(), 'host-files-'));
after(() => rmSync(root, { recursive: true, force: true }));
const files = createNodeFiles();
let made = 0;
/** A fresh folder for one test. */
const folder = async () => {
  const path = join(root, `node${made++}`);
  await files.makeDirectory(path);
  return path;
};
testFiles('NodeFiles', () => ({ files, root, nowMs: Date.now }));

test('sockets and devices are told apart', async () => {
  const path = join(await folder(), 'socket');
  const server = createServer().listen(path);
  await new Promise((done) => server.once('listening', done));
  assert.equal((await files.statIfExists(path))?.kind, 'socket');
  assert.equal((await files.statIfExists('/dev/null'))?.kind, 'device');
  server.close();
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
