import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { ImageStore, MANIFEST_TYPE } from './image-store.ts';
import { type Registry, startRegistry } from './registry.ts';

describe('the registry', () => {
  let folder: string;
  let registry: Registry;
  let digest: string;
  let layer: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tutti-registry-'));
    const store = new ImageStore(folder);
    const blob = store.putLayer(new Map([['data', { kind: 'file', content: Buffer.alloc(200_000, 1) }]]));
    layer = blob.digest;
    digest = store.image(['web', 'team/web:v1'], [blob]).digest;
    registry = await startRegistry(store);
  });
  after(async () => {
    await registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    (registry.requests as unknown[]).length = 0;
  });

  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${registry.url}/v2/${path}`, { ...init, signal: init.signal ?? AbortSignal.timeout(3_000) });

  test('serves manifests by tag and digest, and blobs whole or from the middle', async () => {
    assert.equal((await get('')).status, 200);
    for (const path of [
      'library/web/manifests/latest?ns=docker.io',
      'team/web/manifests/v1?ns=example.test',
      `web/manifests/${digest}`,
    ]) {
      const response = await get(path);
      assert.deepEqual(
        [response.status, response.headers.get('content-type'), response.headers.get('docker-content-digest')],
        [200, MANIFEST_TYPE, digest],
        path,
      );
      assert.equal(
        `sha256:${createHash('sha256')
          .update(await response.text())
          .digest('hex')}`,
        digest,
      );
    }
    const whole = Buffer.from(await (await get(`web/blobs/${layer}`)).arrayBuffer());
    assert.equal(`sha256:${createHash('sha256').update(whole).digest('hex')}`, layer);
    const rest = await get(`web/blobs/${layer}`, { headers: { range: 'bytes=100000-' } });
    assert.equal(rest.status, 206);
    assert.deepEqual(Buffer.from(await rest.arrayBuffer()), whole.subarray(100_000));
    const head = await get(`web/blobs/${layer}`, { method: 'HEAD' });
    assert.deepEqual([head.headers.get('content-length'), await head.text()], [String(whole.length), '']);
  });

  test('says what it does not have, and takes nothing', async () => {
    const cases: [string, string, number][] = [
      ['GET', 'web/manifests/v9', 404],
      ['GET', 'nothing/manifests/latest', 404],
      ['GET', `web/blobs/sha256:${'0'.repeat(64)}`, 404],
      ['GET', 'somewhere', 404],
      ['PUT', 'web/manifests/latest', 405],
    ];
    for (const [method, path, status] of cases) assert.equal((await get(path, { method })).status, status, path);
    assert.equal(((await (await get('web/manifests/v9')).json()) as any).errors[0].code, 'MANIFEST_UNKNOWN');
  });

  test('remembers who was asked for what', async () => {
    await get('library/web/manifests/latest?ns=docker.io');
    await get('web/manifests/v9');
    assert.deepEqual(registry.requests, [
      { method: 'GET', registry: 'docker.io', repository: 'web', kind: 'manifests', reference: 'latest', status: 200 },
      { method: 'GET', registry: '', repository: 'web', kind: 'manifests', reference: 'v9', status: 404 },
    ]);
  });

  test('with a fault of status answers that, for that repository, until it is lifted', async () => {
    {
      using _fault = registry.fault('web', { kind: 'status', status: 503 });
      assert.equal((await get('web/manifests/latest')).status, 503);
      assert.equal((await get('team/web/manifests/v1')).status, 200);
    }
    assert.equal((await get('web/manifests/latest')).status, 200);
  });

  test('that hangs answers nothing, and breaks the connection when it is lifted', async () => {
    const fault = registry.fault('*', { kind: 'hang' });
    await assert.rejects(get('web/manifests/latest', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
    const waiting = get('web/manifests/latest');
    setTimeout(() => fault[Symbol.dispose](), 50);
    await assert.rejects(waiting, /fetch failed/);
  });

  test('that cuts breaks off in the middle; one that is slow keeps its rate', async () => {
    {
      using _cut = registry.fault('web', { kind: 'cut', afterBytes: 50_000 });
      await assert.rejects((await get(`web/blobs/${layer}`)).arrayBuffer());
    }
    using _slow = registry.fault('web', { kind: 'slow', bytesPerSecond: 500_000 });
    const start = performance.now();
    assert.equal((await (await get(`web/blobs/${layer}`)).arrayBuffer()).byteLength, 201_728);
    const tookMs = performance.now() - start;
    assert.ok(tookMs > 250 && tookMs < 2_000, `${tookMs} ms`);
  });

  test('with a login lets in that user alone', async () => {
    using _login = registry.fault(/^we/, { kind: 'login', username: 'me', password: 'secret' });
    const as = (password: string) => ({ headers: { authorization: `Basic ${btoa(`me:${password}`)}` } });
    const refused = await get('web/manifests/latest');
    assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Basic realm="test registry"']);
    assert.equal((await get('web/manifests/latest', as('wrong'))).status, 401);
    assert.equal((await get('web/manifests/latest', as('secret'))).status, 200);
  });
});
