import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { turn } from '../base/node/turn.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import type { ApiObject, ResourceRef } from '../kind/object.ts';
import { ApiError, expired, tooManyRequests } from '../machinery/errors.ts';
import { createClient } from './client.ts';
import { FakeApi } from './fakes.ts';

interface Pod extends ApiObject {
  spec?: { nodeName?: string };
}
const pods: ResourceRef<Pod> = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };
const roles: ResourceRef = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  resource: 'clusterroles',
  kind: 'ClusterRole',
  namespaced: false,
};

function setUp() {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  return { clock, api, client: createClient(api, { userAgent: 'tester/1', clock }) };
}

describe('a client', () => {
  // What is called, and the request that it makes.
  const calls: readonly {
    name: string;
    call: (client: ReturnType<typeof createClient>) => Promise<unknown>;
    sent: string;
    body?: unknown;
    type?: string;
  }[] = [
    {
      name: 'get',
      call: (c) => c.resource(pods).namespace('a').get('x', { resourceVersion: '0' }),
      sent: 'GET /api/v1/namespaces/a/pods/x?resourceVersion=0',
    },
    {
      name: 'get cluster-wide',
      call: (c) => c.resource(roles).get('system:x'),
      sent: 'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax?',
    },
    {
      name: 'list',
      call: (c) => c.resource(pods).list({ labelSelector: 'a in (b,c)', limit: 5 }),
      sent: 'GET /api/v1/pods?labelSelector=a%20in%20(b%2Cc)&limit=5',
    },
    {
      name: 'create',
      call: (c) =>
        c.resource(pods).create({ metadata: { name: 'x', namespace: 'b' } }, { dryRun: true, fieldManager: 'm' }),
      sent: 'POST /api/v1/namespaces/b/pods?dryRun=All&fieldManager=m',
      body: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'x', namespace: 'b' } },
      type: 'application/json',
    },
    {
      name: 'create upon an object',
      call: (c) =>
        c
          .resource(pods)
          .namespace('a')
          .subresource<ApiObject>('eviction')
          .create({ kind: 'Eviction', apiVersion: 'policy/v1' }, { name: 'x' }),
      sent: 'POST /api/v1/namespaces/a/pods/x/eviction?',
      body: { kind: 'Eviction', apiVersion: 'policy/v1' },
      type: 'application/json',
    },
    {
      name: 'update of status',
      call: (c) =>
        c
          .resource(pods)
          .namespace('a')
          .subresource('status')
          .update({ metadata: { name: 'x' } }),
      sent: 'PUT /api/v1/namespaces/a/pods/x/status?',
      body: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'x' } },
      type: 'application/json',
    },
    {
      name: 'patch',
      call: (c) => c.resource(pods).namespace('a').patch('x', [], { type: 'json', fieldValidation: 'Strict' }),
      sent: 'PATCH /api/v1/namespaces/a/pods/x?fieldValidation=Strict',
      body: [],
      type: 'application/json-patch+json',
    },
    {
      name: 'apply',
      call: (c) =>
        c
          .resource(pods)
          .namespace('a')
          .apply({ metadata: { name: 'x' } }, { fieldManager: 'm', force: true }),
      sent: 'PATCH /api/v1/namespaces/a/pods/x?fieldManager=m&force=true',
      body: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'x' } },
      type: 'application/apply-patch+yaml',
    },
    {
      name: 'delete',
      call: (c) =>
        c
          .resource(pods)
          .namespace('a')
          .delete('x', { gracePeriodSeconds: 0, propagationPolicy: 'Orphan', preconditions: { uid: 'u' } }),
      sent: 'DELETE /api/v1/namespaces/a/pods/x?',
      body: {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        gracePeriodSeconds: 0,
        preconditions: { uid: 'u' },
        propagationPolicy: 'Orphan',
      },
      type: 'application/json',
    },
    {
      name: 'deleteCollection',
      call: (c) => c.resource(pods).namespace('a').deleteCollection({ fieldSelector: 'x=y' }),
      sent: 'DELETE /api/v1/namespaces/a/pods?fieldSelector=x%3Dy',
      body: { kind: 'DeleteOptions', apiVersion: 'v1' },
      type: 'application/json',
    },
    { name: 'raw', call: (c) => c.raw('GET', '/api/v1/nodes?limit=1'), sent: 'GET /api/v1/nodes?limit=1' },
  ];
  for (const { name, call, sent, body, type } of calls) {
    it(`sends ${name} as ${sent}`, async () => {
      const { api, client } = setUp();
      await call(client.because({ component: 'tests', step: 'ask' })).catch((error) =>
        assert.ok(error instanceof ApiError, String(error)),
      );
      const [request] = api.requests;
      assert.equal(`${request?.method} ${request?.path}?${request?.query}`, sent);
      assert.deepEqual(request?.body, body);
      assert.equal(request?.headers['content-type'], type);
      assert.equal(request?.headers['user-agent'], 'tester/1');
      assert.equal(request?.headers.baggage, `tutti-cause=${encodeURIComponent('{"component":"tests","step":"ask"}')}`);
    });
  }

  it('throws what the server refuses', async () => {
    const { client } = setUp();
    await assert.rejects(
      client.resource(pods).namespace('a').get('x'),
      (error) => error instanceof ApiError && error.code === 404 && error.reason === 'NotFound',
    );
    await assert.rejects(client.resource(pods).get('x'), /in which namespace/);
  });

  it('comes back after the time that a busy server names', async () => {
    const { clock, api, client } = setUp();
    let busy = 2;
    api.fail(() => (busy-- > 0 ? tooManyRequests('busy', 3) : undefined));
    let answered = false;
    const listed = client
      .resource(pods)
      .list()
      .then(() => (answered = true));
    await clock.advance(5999);
    assert.equal(answered, false);
    await clock.advance(1);
    await listed;
    assert.equal(api.requests.length, 3);
  });

  it('watches until the loop ends, the server ends or the signal says so', async () => {
    const { clock, api, client } = setUp();
    const inA = client.resource(pods).namespace('a');
    await inA.create({ metadata: { name: 'one' } });
    for await (const event of inA.watch({ sendInitialEvents: true })) {
      assert.equal(event.type, 'ADDED');
      break;
    }
    assert.equal(api.watchCount, 0);
    const told: string[] = [];
    const stop = new AbortController();
    const loop = (async () => {
      for await (const event of inA.watch({ resourceVersion: '2', signal: stop.signal })) told.push(event.type);
    })();
    await clock.settle();
    await inA.delete('one');
    await clock.settle();
    assert.deepEqual(told, ['DELETED']);
    stop.abort();
    await loop;
    assert.equal(api.watchCount, 0);
    const ended = (async () => {
      for await (const _ of inA.watch({ resourceVersion: '3' }));
    })();
    await clock.settle();
    api.breakWatches();
    await ended;
  });

  it('throws the error that a watch is told', async () => {
    const { api, client } = setUp();
    await client
      .resource(pods)
      .namespace('a')
      .create({ metadata: { name: 'one' } });
    await client
      .resource(pods)
      .namespace('a')
      .create({ metadata: { name: 'two' } });
    api.compact();
    await assert.rejects(
      async () => {
        for await (const _ of client.resource(pods).watch({ resourceVersion: '2' }));
      },
      (error) => error instanceof ApiError && error.code === expired('').code,
    );
    assert.equal(api.watchCount, 0);
  });

  it('tells a loop everything, however slow it is', async () => {
    const { clock, api, client } = setUp();
    const inA = client.resource(pods).namespace('a');
    for (let i = 0; i < 1000; i++) await inA.create({ metadata: { name: `p${i}` } });
    const names: string[] = [];
    for await (const event of inA.watch({ sendInitialEvents: true })) {
      if (event.type === 'BOOKMARK') break;
      names.push(event.object.metadata.name as string);
      if (names.length % 100 === 0) await clock.settle();
    }
    assert.equal(new Set(names).size, 1000);
    assert.equal(api.watchCount, 0);
  });
});
