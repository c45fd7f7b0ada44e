import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../../../libs/base/host.ts';
import type { KubeletConfig } from '../config.ts';
import { allocatableOf, capacityOf } from './facts.ts';

test('memory that the kernel keeps as huge pages is told by size, and is no memory for anything else', async () => {
  const counts: Record<string, string> = { 'hugepages-2048kB': '512\n', 'hugepages-1048576kB': '0\n' };
  const host = {
    facts: { cpus: 4, memoryBytes: 8 * 2 ** 30 },
    files: {
      space: async () => ({ totalBytes: 100 * 2 ** 30 }),
      statIfExists: async () => ({ kind: 'directory' }),
      list: async () => Object.keys(counts),
      readTextIfExists: async (path: string) => counts[path.split('/').at(-2)!],
    },
  } as unknown as Host;
  const config = {
    maxPods: 110,
    rootDirectory: '/r',
    extendedResources: {},
    systemReserved: {},
    evictionHard: { 'memory.available': '100Mi' },
  } as unknown as KubeletConfig;
  const capacity = await capacityOf(host, config);
  assert.deepEqual(capacity, {
    cpu: '4',
    memory: '8Gi',
    pods: '110',
    'ephemeral-storage': '100Gi',
    'hugepages-2Mi': '1Gi',
    'hugepages-1Gi': '0',
  });
  const { memory, ...others } = allocatableOf(capacity, config);
  assert.equal(memory, `${7 * 1024 - 100}Mi`);
  assert.deepEqual([others['hugepages-2Mi'], others['hugepages-1Gi']], ['1Gi', '0']);
});
