import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { turn } from '../base/node/turn.ts';
import { SeededRandom } from '../base/random.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { TransportError } from '../kind/client.ts';
import { type ApiObject, keyOf, type ResourceRef } from '../kind/object.ts';
import { invalid } from '../machinery/errors.ts';
import { createClient } from './client.ts';
import { FakeApi } from './fakes.ts';
import { createInformers } from './informers.ts';

interface Pod extends ApiObject {
  spec?: { nodeName?: string };
}
const pods: ResourceRef<Pod> = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };

function setUp() {
  const clock = new VirtualClock({ turn });
  const api = new FakeApi(clock);
  const client = createClient(api);
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLogger, pageLimit: 2 });
  const create = (namespace: string, name: string, nodeName = '') =>
    client.resource(pods).namespace(namespace).create({ metadata: { name }, spec: { nodeName } });
  const asked = () => api.requests.filter(({ method }) => method === 'GET').map(({ query }) => query);
  return { clock, api, client, informers, create, asked };
}

describe('an informer', () => {
  it('shows the state and follows it', async () => {
    const { clock, client, informers, create } = setUp();
    await create('b', 'two');
    await create('a', 'one');
    const informer = informers.informer(pods);
    assert.equal(informers.informer(pods), informer);
    assert.equal(informer.synced, false);
    await informers.synced();
    assert.deepEqual(informer.list().map(keyOf), ['a/one', 'b/two']);
    await create('a', 'three');
    await client.resource(pods).namespace('a').delete('one');
    await clock.settle();
    assert.deepEqual(informer.list().map(keyOf), ['a/three', 'b/two']);
    assert.deepEqual(informer.list('b').map(keyOf), ['b/two']);
    assert.equal(informer.get('a/one'), undefined);
    assert.equal(informer.resourceVersion, '5');
    await informers.stop();
    assert.equal(clock.pending, 0);
  });

  it('tells handlers of what is there, then of every change with what was before', async () => {
    const { clock, client, informers, create } = setUp();
    await create('a', 'one');
    const informer = informers.informer(pods);
    await informers.synced();
    const told: string[] = [];
    const name = (object: { metadata: { name: string; resourceVersion: string } } | undefined) =>
      object ? `${object.metadata.name}@${object.metadata.resourceVersion}` : '-';
    const handler = informer.on((object, previous) => told.push(`${name(previous)} → ${name(object)}`));
    await create('a', 'two');
    await client
      .resource(pods)
      .namespace('a')
      .patch('two', { spec: { nodeName: 'n' } }, { type: 'merge' });
    await client.resource(pods).namespace('a').delete('one');
    await clock.settle();
    assert.deepEqual(told, ['- → one@2', '- → two@3', 'two@3 → two@4', 'one@2 → -']);
    handler[Symbol.dispose]();
    await create('a', 'three');
    await clock.settle();
    assert.equal(told.length, 4);
    await informers.stop();
  });

  it('keeps indexes, whether they were there first or not', async () => {
    const { clock, client, informers, create } = setUp();
    const informer = informers.informer(pods);
    const node = (pod: { spec?: { readonly nodeName?: string } }) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []);
    informer.index('early', node);
    await create('a', 'two', 'n1');
    await create('a', 'one', 'n1');
    await informers.synced();
    await clock.settle();
    informer.index('late', node);
    for (const index of ['early', 'late']) {
      assert.deepEqual(informer.by(index, 'n1').map(keyOf), ['a/one', 'a/two']);
    }
    await client
      .resource(pods)
      .namespace('a')
      .patch('one', { spec: { nodeName: 'n2' } }, { type: 'merge' });
    await clock.settle();
    for (const index of ['early', 'late']) {
      assert.deepEqual(informer.by(index, 'n1').map(keyOf), ['a/two']);
      assert.deepEqual(informer.by(index, 'n2').map(keyOf), ['a/one']);
      assert.deepEqual(informer.by(index, 'none'), []);
    }
    await informers.stop();
  });

  it('says when it has seen a write', async () => {
    const { informers, create } = setUp();
    const informer = informers.informer(pods);
    await informers.synced();
    const written = await create('a', 'one');
    await informer.caughtUp(written.metadata.resourceVersion);
    assert.ok(informer.get('a/one'));
    const gone = AbortSignal.abort(new Error('no more time'));
    await assert.rejects(informer.caughtUp('99', gone), /no more time/);
    await informers.stop();
  });

  it('goes on from where a watch broke', async () => {
    const { clock, api, informers, create, asked } = setUp();
    const informer = informers.informer(pods);
    await create('a', 'one');
    await informers.synced();
    api.breakWatches(new TransportError('connection reset', { sent: true }));
    await create('a', 'two');
    await clock.advance(5000);
    assert.deepEqual(informer.list().map(keyOf), ['a/one', 'a/two']);
    assert.match(asked().at(-1) ?? '', /resourceVersion=2&/);
    await informers.stop();
  });

  it('takes the state anew when the server has forgotten what came between, and tells the difference', async () => {
    const { clock, api, client, informers, create } = setUp();
    await create('a', 'stays');
    await create('a', 'goes');
    await create('a', 'changes');
    const informer = informers.informer(pods);
    await informers.synced();
    const told: string[] = [];
    informer.on((object, previous) =>
      told.push(`${previous ? 'had' : 'new'} ${(object ?? previous)?.metadata.name} ${object ? 'is' : 'gone'}`),
    );
    told.length = 0;
    api.breakWatches();
    const inA = client.resource(pods).namespace('a');
    await inA.delete('goes');
    await inA.patch('changes', { spec: { nodeName: 'n' } }, { type: 'merge' });
    await create('a', 'comes');
    api.compact();
    await clock.advance(10_000);
    assert.deepEqual(told.sort(), ['had changes is', 'had goes gone', 'new comes is']);
    await informers.stop();
  });

  it('takes an object of the same name for another when its uid is another', async () => {
    const { clock, api, client, informers, create } = setUp();
    const first = await create('a', 'one');
    const informer = informers.informer(pods);
    await informers.synced();
    const told: string[] = [];
    informer.on((object, previous) => told.push(`${previous?.metadata.uid} → ${object?.metadata.uid}`));
    api.breakWatches();
    await client.resource(pods).namespace('a').delete('one');
    const second = await create('a', 'one');
    api.compact();
    await clock.advance(10_000);
    assert.deepEqual(told.slice(1), [`${first.metadata.uid} → undefined`, `undefined → ${second.metadata.uid}`]);
    await informers.stop();
  });

  it('lists page by page where the server does not begin a watch with the state', async () => {
    const { clock, api, informers, create, asked } = setUp();
    api.fail(({ query }) =>
      query.includes('sendInitialEvents') ? invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', []) : undefined,
    );
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create('ns', name);
    const informer = informers.informer(pods);
    await informers.synced();
    assert.equal(informer.list().length, 5);
    assert.equal(asked().filter((query) => query.startsWith('limit=2')).length, 3);
    assert.equal(informer.list()[0]?.kind, 'Pod');
    await create('ns', 'f');
    await clock.settle();
    assert.equal(informer.list().length, 6);
    await informers.stop();
  });

  it('tries again with growing delays while the server cannot be reached', async () => {
    const { clock, api, informers, asked } = setUp();
    let down = true;
    api.fail(() => (down ? new TransportError('connection refused', { sent: false }) : undefined));
    const informer = informers.informer(pods);
    await clock.advance(120_000);
    const tries = asked().length;
    assert.ok(tries >= 5 && tries <= 10, `${tries} tries in two minutes`);
    assert.equal(informer.synced, false);
    down = false;
    await clock.advance(60_000);
    assert.ok(informer.synced);
    await informers.stop();
    assert.equal(clock.pending, 0);
  });

  it('of a resource that is no longer there is forgotten, and another begins when it is asked for again', async () => {
    const { clock, informers, create, asked } = setUp();
    await create('a', 'one');
    const informer = informers.informer(pods);
    await informers.synced();
    const handler = informer.on(() => {});
    informers.forget(pods);
    assert.equal(informers.informer(pods), informer, 'somebody still wants to hear of it');
    handler[Symbol.dispose]();
    informers.forget(pods);
    await clock.settle();
    assert.equal(clock.pending, 0, 'it is not asked for any more');
    const before = asked().length;
    const another = informers.informer(pods);
    assert.notEqual(another, informer);
    await informers.synced();
    assert.deepEqual(another.list().map(keyOf), ['a/one']);
    assert.ok(asked().length > before);
    await informers.stop();
    assert.equal(clock.pending, 0);
  });

  it('stops while it waits', async () => {
    const { clock, api, informers } = setUp();
    api.fail(() => new TransportError('connection refused', { sent: false }));
    informers.informer(pods);
    await clock.settle();
    await informers.stop();
    assert.equal(clock.pending, 0);
  });
});
