import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { plan } from './ipam.ts';
import { CidrPool } from './ipam-pool.ts';

const node = (spec: object, metadata: object = {}) => ({ metadata: { name: 'n', ...metadata }, spec }) as Live<Node>;

test('only a node without networks gets some', () => {
  const offer = ['10.244.3.0/24'];
  const cases: [string, Live<Node>, readonly string[] | undefined, string[]][] = [
    ['a new node', node({}), offer, ['assign 10.244.3.0/24']],
    ['one of two families', node({}), [...offer, 'fd00::/64'], ['assign 10.244.3.0/24,fd00::/64']],
    ['it has one', node({ podCIDRs: ['10.9.0.0/24'] }), offer, []],
    ['nothing is left', node({}), undefined, ['tell']],
    ['it goes away', node({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), offer, []],
  ];
  for (const [what, of, offered, wanted] of cases) {
    const { actions } = plan({ node: of, offer: offered });
    const told = actions.map((action) => (action.type === 'assign' ? `assign ${action.podCidrs.join()}` : action.type));
    assert.deepEqual(told, wanted, what);
  }
});

test('a pool hands out in turn, takes back, and knows what is taken', () => {
  const pool = new CidrPool('10.0.0.0/22');
  pool.occupy('10.0.1.128/25');
  assert.deepEqual([pool.take(), pool.take()], ['10.0.0.0/24', '10.0.2.0/24']);
  pool.release('10.0.0.0/24');
  assert.equal(pool.take(), '10.0.3.0/24', 'what came back waits for its turn');
  assert.equal(pool.take(), '10.0.0.0/24');
  assert.equal(pool.take(), undefined);
  pool.occupy('10.0.2.0/24');
  pool.release('10.0.2.0/24');
  assert.equal(pool.take(), undefined, 'two had it, one still does');
  const wide = new CidrPool('10.0.0.0/22');
  wide.occupy('10.0.0.0/8');
  assert.equal(wide.take(), undefined, 'all of it lies in what is occupied');
  assert.equal(new CidrPool('fd00:10::/56').take(), 'fd00:10::/64');
  assert.throws(() => new CidrPool('10.0.0.0/25'), /cannot be cut into networks of \/24/);
  assert.throws(() => new CidrPool('nonsense'), /no network for pods/);
});

test('every node of a cluster gets its own network, and a deleted one gives it back', async () => {
  await using cluster = await createCluster({ seed: 'ipam', clusterCidrs: ['10.244.0.0/23'] });
  const client = cluster.client.resource(nodes);
  const cidrOf = async (name: string) => (await client.get(name)).spec?.podCIDR;
  await client.create({ metadata: { name: 'kept' }, spec: { podCIDR: '10.244.0.0/24' } });
  await client.create({ metadata: { name: 'b' }, spec: {} });
  assert.equal(await cluster.until(() => cidrOf('b')), '10.244.1.0/24');
  assert.deepEqual((await client.get('b')).spec?.podCIDRs, ['10.244.1.0/24']);
  await client.create({ metadata: { name: 'late' }, spec: {} });
  await cluster.advance('1m');
  assert.equal(await cidrOf('late'), undefined);
  await client.delete('b');
  assert.equal(await cluster.until(() => cidrOf('late')), '10.244.1.0/24');
});
