import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { RealClock } from '../../../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../../../libs/base/random.ts';
import { type Etcd, startEtcd } from '../../../../tests/harness/etcd.ts';
import { requires } from '../../../../tests/harness/requirements.ts';
import { storeConformance } from '../../conformance/conformance.ts';
import { dialEtcd } from './dial/dial.ts';
import { EtcdStore } from './etcd-store.ts';

const clock = new RealClock();
const needs = requires('etcd');

let etcd: Etcd;
let prefixes = 0;
before(async () => {
  if (needs.skip === undefined) etcd = await startEtcd({ fsync: false });
});
after(() => etcd?.dispose());

const open = (keyPrefix: string, endpoints = etcd.endpoints) =>
  EtcdStore.open({ channels: dialEtcd(endpoints, { clock }), clock, random: new SeededRandom(keyPrefix), keyPrefix });

storeConformance(
  'etcd',
  async () => {
    const keyPrefix = `/test-${prefixes++}`;
    let store = await open(keyPrefix);
    return {
      store,
      // Time is etcd's own: what is waited for here is what cases look at afterwards.
      pass: (ms) => setTimeout(Math.min(ms, 3_200)),
      reopen: async () => {
        await store.close();
        store = await open(keyPrefix);
        return store;
      },
      [Symbol.asyncDispose]: () => store.close(),
    };
  },
  needs,
);
