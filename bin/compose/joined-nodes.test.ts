import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '../../api/types/core/v1.generated.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { TransportError } from '../../libs/kind/client.ts';
import type { Live } from '../../libs/kind/object.ts';
import { clusterNetworks } from './cluster-network.ts';
import { movesAway } from './drain.ts';
import { explain } from './join.ts';
import { DNS_PORT_ANNOTATION, dnsEndpointOf, networksOfConfig, nodeConfigOf } from './joined-nodes.ts';

const node = (port: string | undefined, ready = 'True') =>
  ({
    metadata: { name: 'n', ...(port !== undefined && { annotations: { [DNS_PORT_ANNOTATION]: port } }) },
    status: {
      addresses: [{ type: 'InternalIP', address: '10.0.0.2' }],
      conditions: [{ type: 'Ready', status: ready }],
    },
  }) as unknown as Live<Node>;

test('a node’s DNS is where it says, and ready as the node is', () => {
  const at = { nodeName: 'n', nodeIp: '10.0.0.2', port: 53 };
  assert.deepEqual(dnsEndpointOf(node('53')), { ...at, ready: true });
  assert.deepEqual(dnsEndpointOf(node('53', 'Unknown')), { ...at, ready: false });
  for (const none of [undefined, '', 'x', '0', '70000', '1.5']) assert.equal(dnsEndpointOf(node(none)), undefined);
});

test('networks are told as they are', () => {
  const networks = clusterNetworks('10.1.0.0/16,fd00::/48', '10.2.0.0/16');
  assert.deepEqual(networksOfConfig(nodeConfigOf(networks)), networks);
  assert.equal(networksOfConfig({ podCidrs: '10.1.0.0/16' }), undefined);
});

test('a drain leaves what belongs to the node, and what is over', () => {
  const pod = (more: object, phase = 'Running') =>
    movesAway({ metadata: { name: 'p', ...more }, status: { phase } } as unknown as Live<Pod>);
  const owner = (kind: string) => ({ ownerReferences: [{ kind, controller: true }] });
  assert.deepEqual(
    [pod({}), pod(owner('ReplicaSet')), pod(owner('DaemonSet')), pod({}, 'Succeeded')],
    [true, true, false, false],
  );
  assert.equal(pod({ annotations: { 'kubernetes.io/config.mirror': 'x' } }), false);
});

const TROUBLE: readonly [code: string, message: RegExp][] = [
  ['ECONNREFUSED', /^No API server answers at https:\/\/s:6443 \(ECONNREFUSED\)/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /does not name that address; .*--tls-san s\.$/],
  ['CERT_NOT_YET_VALID', /this machine's clock says \d{4}-.*; set the clocks/],
  ['SELF_SIGNED_CERT_IN_CHAIN', /is of another authority/],
  ['ENOTFOUND', /^s cannot be resolved/],
];
for (const [code, message] of TROUBLE) {
  test(`what keeps two machines apart is one sentence: ${code}`, () => {
    const cause = Object.assign(new Error('low words'), { code });
    const error = new TransportError('low words', { sent: false, cause });
    const said = (explain({ clock: new RealClock() }, 'https://s:6443', error) as Error).message;
    assert.match(said, message);
    assert.match(said, /^[^\n]+[.?]$/);
  });
}
