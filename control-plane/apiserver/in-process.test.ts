import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient } from '../../libs/client/client.ts';
import type { Kind } from '../../libs/kind/kind.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { ApiError, notFound } from '../../libs/machinery/errors.ts';
import { CacheFixture, podKind, select } from '../../tests/fixtures/watch-cache.ts';
import type { ApiRequest, ApiResponse, WatchHandle } from './api.ts';
import { objectKey } from './cache/keys.ts';
import { inProcessTransport } from './in-process.ts';

const pods: ResourceRef<ApiObject> = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };

/** As much of a server as shows what the transport does: get, list and watch of pods out of a cache. */
async function setUp() {
  const fixture = await CacheFixture.started([podKind as Kind]);
  const requests: ApiRequest[] = [];
  const handle = async (request: ApiRequest): Promise<ApiResponse> => {
    requests.push(request);
    const form = fixture.form();
    const answer = (code: number, value: unknown): ApiResponse => ({
      code,
      headers: {},
      warnings: ['careful'],
      body: { form: 'whole', contentType: 'application/json', bytes: () => [], value: () => value },
    });
    if (request.query.includes('watch=true')) {
      const open = (sink: Parameters<Extract<ApiResponse['body'], { form: 'watch' }>['open']>[0]): WatchHandle =>
        fixture.pods.watch(
          { form, selection: select(''), start: 'state', initialEventsEnd: true, bookmarks: true },
          sink,
        );
      return { code: 200, headers: {}, warnings: [], body: { form: 'watch', contentType: 'application/json', open } };
    }
    await fixture.caches.fresh();
    const name = request.path.split('/pods/')[1];
    if (name === undefined) {
      const page = await fixture.pods.list({ selection: select('') });
      return answer(200, page.value(form, { resourceVersion: String(page.revision) }));
    }
    if (name === 'stuck') await new Promise(() => {});
    const found = fixture.pods.get(objectKey(podKind, 'a', name));
    return found ? answer(200, found.value(form)) : answer(404, notFound(pods, name).status);
  };
  const transport = inProcessTransport({ handle, credentials: { token: 'secret' }, userAgent: 'tester' });
  return { fixture, requests, transport, client: createClient(transport) };
}

describe('the in-process transport', () => {
  it('gives the cache’s own objects', async () => {
    const { fixture, client } = await setUp();
    await fixture.putPod('a', 'one');
    const got = await client.resource(pods).namespace('a').get('one');
    assert.equal(got, fixture.pods.get(objectKey(podKind, 'a', 'one'))?.object());
    assert.equal((await client.resource(pods).list()).items[0], got);
    for await (const event of client.resource(pods).watch({ sendInitialEvents: true })) {
      assert.equal(event.object, got);
      break;
    }
    assert.equal(fixture.pods.watcherCount, 0);
  });

  it('says who it is, and hands over bodies as values', async () => {
    const { requests, transport } = await setUp();
    const body = { a: 1 };
    const response = await transport.request({
      method: 'POST',
      path: '/api/v1/pods',
      query: '',
      headers: { 'content-type': 'application/json' },
      body,
    });
    assert.deepEqual(response.headers.warning, ['careful']);
    assert.equal(requests[0]?.headers.authorization, 'Bearer secret');
    assert.equal(requests[0]?.headers['user-agent'], 'tester');
    assert.deepEqual(requests[0]?.body, { value: body });
  });

  it('throws refusals, also of watches', async () => {
    const { client } = await setUp();
    await assert.rejects(
      client.resource(pods).namespace('a').get('none'),
      (error) => error instanceof ApiError && error.code === 404,
    );
  });

  it('lets its caller give up', async () => {
    const { client } = await setUp();
    const stop = new AbortController();
    const stuck = client.resource(pods).namespace('a').get('stuck', { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(stuck, /enough/);
  });

  it('lets a slow loop make the cache wait instead of keeping events for it', async () => {
    const { fixture, client } = await setUp();
    await Promise.all(Array.from({ length: 2000 }, (_, i) => fixture.putPod('a', `p${i}`)));
    const names = new Set<string>();
    for await (const event of client.resource(pods).watch({ sendInitialEvents: true })) {
      if (event.type === 'BOOKMARK') break;
      names.add(event.object.metadata.name as string);
      if (names.size % 500 === 0) await fixture.clock.settle();
    }
    assert.equal(names.size, 2000);
  });

  it('ends its watches when it is closed', async () => {
    const { fixture, transport, client } = await setUp();
    const loop = (async () => {
      for await (const _ of client.resource(pods).watch({ sendInitialEvents: true }));
    })();
    await fixture.clock.settle();
    await transport.close();
    await loop;
    assert.equal(fixture.pods.watcherCount, 0);
    await assert.rejects(client.resource(pods).list(), /closed/);
  });
});
