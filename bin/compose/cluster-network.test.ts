import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts } from '../../libs/base/host.ts';
import { clusterNetworks, keptNetworks, nodeAddress, ownAddress } from './cluster-network.ts';

type Address = ReturnType<Facts['addresses']>[number];
const on = (name: string, address: string): Address => ({
  name,
  address,
  prefixLength: 24,
  family: address.includes(':') ? 6 : 4,
  mac: '',
  internal: name === 'lo',
});

const CASES: readonly [name: string, all: readonly Address[], expected: string | undefined][] = [
  ['a plain machine', [on('lo', '127.0.0.1'), on('eth0', '10.0.0.2')], '10.0.0.2'],
  ['bridges of container tools come last', [on('docker0', '172.17.0.1'), on('wlan0', '192.168.1.5')], '192.168.1.5'],
  ['where there is nothing else, they do', [on('lo', '127.0.0.1'), on('docker0', '172.17.0.1')], '172.17.0.1'],
  ['addresses of a link alone lead nowhere', [on('eth0', '169.254.3.4'), on('eth0', 'fe80::1')], undefined],
  ['loopback alone', [on('lo', '127.0.0.1')], undefined],
];

for (const [name, all, expected] of CASES) {
  test(`the address by which others reach this machine: ${name}`, () => {
    assert.equal(ownAddress({ addresses: () => [...all] }), expected);
  });
}

test('a node’s address is one of this machine', () => {
  const facts = { addresses: () => [on('lo', '127.0.0.1'), on('eth0', '10.0.0.2'), on('eth1', '10.1.0.2')] };
  assert.equal(nodeAddress(facts, '10.1.0.2'), '10.1.0.2');
  assert.equal(nodeAddress(facts, undefined), '10.0.0.2');
  assert.throws(() => nodeAddress(facts, '10.2.0.2'), /^CommandError: 10\.2\.0\.2 is no address of this machine; /);
  assert.throws(() => nodeAddress({ addresses: () => [] }, undefined), /^CommandError: .* besides loopback/);
});

test('a cluster keeps its networks, and says so when others are named', () => {
  const before = clusterNetworks('10.20.0.0/16', '10.30.0.0/16');
  const usual = clusterNetworks('10.244.0.0/16', '10.96.0.0/12');
  assert.equal(keptNetworks(usual, [], before, '/data'), before);
  assert.equal(keptNetworks(before, ['pod-cidr', 'service-cidr'], before, '/data'), before);
  for (const option of ['pod-cidr', 'service-cidr'] as const) {
    assert.throws(
      () => keptNetworks(usual, [option], before, '/data'),
      new RegExp(`^CommandError: The cluster in /data has --${option} 10\\.[23]0\\.0\\.0/16, and its objects keep`),
    );
  }
});
