import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts } from '../../libs/base/host.ts';
import { ownAddress } from './cluster-network.ts';

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
