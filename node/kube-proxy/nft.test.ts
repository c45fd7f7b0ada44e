import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ChildProcess, Host } from '../../libs/base/host.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { hostOf } from '../../tests/harness/host.ts';
import { createNetwork, type Network } from '../../tests/harness/namespace.ts';
import { requires } from '../../tests/harness/requirements.ts';
import { Nft, NftError } from './nft.ts';

describe('transactions in a kernel', requires('root', 'nft'), () => {
  const clock = new RealClock();
  const spawned: ChildProcess[] = [];
  let network: Network;
  let host: Host;
  let nft: Nft;

  before(async () => {
    network = await createNetwork({ hosts: 1 });
    const real = hostOf(network.hosts[0]!);
    const spawn: Host['processes']['spawn'] = (...of) => {
      const child = real.processes.spawn(...of);
      spawned.push(child);
      return child;
    };
    host = { ...real, processes: { ...real.processes, run: real.processes.run.bind(real.processes), spawn } };
    nft = new Nft(host, clock);
  });
  after(async () => {
    await nft?.[Symbol.asyncDispose]();
    await network?.dispose();
  });

  const elements = async () => {
    const { stdout } = await network.hosts[0]!.exec(['nft', 'list', 'set', 'inet', 'tutti', 'some']);
    return [...stdout.matchAll(/10\.0\.0\.(\d+)/g)].map(([, last]) => Number(last)).sort((a, b) => a - b);
  };

  test('one nft does many, in their order', async () => {
    await nft.run('add table inet tutti\nadd set inet tutti some { type ipv4_addr; }\n');
    const all = [1, 2, 3, 4, 5];
    await Promise.all(all.map((last) => nft.run(`add element inet tutti some { 10.0.0.${last} }\n`)));
    await nft.run('delete element inet tutti some { 10.0.0.2 }\nadd element inet tutti some { 10.0.0.9 }\n');
    assert.deepEqual(await elements(), [1, 3, 4, 5, 9]);
    assert.equal(spawned.length, 1);
  });

  test('what is refused is refused as a whole, and the next goes on', async () => {
    const wrong = 'add element inet tutti some { 10.0.0.7 }\nadd element inet tutti other { 10.0.0.8 }\n';
    await assert.rejects(
      nft.run(wrong),
      (error: Error) => error instanceof NftError && /No such file/.test(error.message),
    );
    await assert.rejects(nft.run('add nonsense'), NftError);
    await nft.run('add element inet tutti some { 10.0.0.6 }\n');
    assert.deepEqual(await elements(), [1, 3, 4, 5, 6, 9]);
  });

  test('when it is killed the transaction fails, and the next has another', async () => {
    spawned.at(-1)!.kill('SIGKILL');
    await spawned.at(-1)!.exited;
    await assert.rejects(nft.run('add element inet tutti some { 10.0.0.10 }\n'));
    await nft.run('add element inet tutti some { 10.0.0.11 }\n');
    assert.equal((await elements()).at(-1), 11);
  });

  test('large ones go another way, and others’ changes are seen', async () => {
    const many = Array.from({ length: 4_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`).join(', ');
    await nft.run(`add set inet tutti many { type ipv4_addr; }\nadd element inet tutti many { ${many} }\n`);
    await network.hosts[0]!.exec(['nft', 'flush table inet tutti; delete set inet tutti some']);
    await assert.rejects(nft.run('add element inet tutti some { 10.0.0.1 }\n'), NftError);
    await nft.run('add set inet tutti some { type ipv4_addr; }\nadd element inet tutti some { 10.0.0.1 }\n');
    assert.deepEqual(await elements(), [1]);
  });

  test('nothing of it is left when it stops', async () => {
    await nft[Symbol.asyncDispose]();
    for (const child of spawned) await child.exited;
  });
});
