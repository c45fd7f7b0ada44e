import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '../../../api/types/core/v1.generated.ts';
import { simulatedNode as node, one } from '../../../tests/fixtures/simulated-node.ts';

/** What a watcher of the pod saw, in a few words each, while `run` went on. */
async function seen(at: Awaited<ReturnType<typeof node>>, run: () => Promise<unknown>): Promise<string[]> {
  const told: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { type, object } of at.api.watch({ signal: stop.signal })) {
      if (type === 'BOOKMARK') continue;
      const { phase = '-', podIP, containerStatuses = [], conditions = [] } = object.status ?? {};
      const { running, terminated, waiting } = containerStatuses.at(-1)?.state ?? {};
      const state = running ? 'running' : (terminated?.reason ?? waiting?.reason ?? '-');
      const ready = conditions.find((one) => one.type === 'Ready')?.status === 'True' ? ' ready' : '';
      const leaving = object.metadata.deletionTimestamp ? ' leaving' : '';
      told.push(`${type} ${phase} ${state}${podIP ? ' ip' : ''}${ready}${leaving}`);
    }
  })().catch(() => undefined);
  await at.advance(1);
  await run();
  stop.abort();
  await at.advance(1);
  await watching;
  return told;
}

const LIVES: { name: string; spec: Partial<PodSpec>; images?: object; starts: string[]; ends: string[] }[] = [
  {
    name: 'a container that starts at once',
    spec: one('web:1'),
    starts: ['ADDED Pending -', 'MODIFIED Running running ip ready'],
    ends: [
      'MODIFIED Running running ip ready leaving',
      'MODIFIED Failed Error ip leaving',
      'DELETED Failed Error ip leaving',
    ],
  },
  {
    name: 'an image that takes its time: the address is told before',
    spec: one('slow:1'),
    images: { 'slow:1': { pullMs: 5_000 } },
    starts: ['ADDED Pending -', 'MODIFIED Pending ContainerCreating ip', 'MODIFIED Running running ip ready'],
    ends: [
      'MODIFIED Running running ip ready leaving',
      'MODIFIED Failed Error ip leaving',
      'DELETED Failed Error ip leaving',
    ],
  },
  {
    name: 'a process that takes its time to end: that it is seen to leave is told before',
    spec: { ...one('deaf:1'), terminationGracePeriodSeconds: 5 },
    images: { 'deaf:1': { stopMs: 3_000 } },
    starts: ['ADDED Pending -', 'MODIFIED Running running ip ready'],
    ends: [
      'MODIFIED Running running ip ready leaving',
      'MODIFIED Running running ip ready leaving',
      'MODIFIED Failed Error ip leaving',
      'DELETED Failed Error ip leaving',
    ],
  },
];

for (const { name, spec, images = {}, starts, ends } of LIVES) {
  test(`what is written of a pod: ${name}`, async () => {
    await using at = await node({ images: { 'web:1': {}, ...images } });
    const first = await seen(at, async () => {
      await at.create('web', spec);
      await at.advance('10s');
    });
    assert.deepEqual(first, starts);
    const then = await seen(at, async () => {
      await at.api.delete('web');
      await at.advance('10s');
    });
    assert.deepEqual(
      then.filter((line) => !line.startsWith('ADDED')),
      ends,
    );
  });
}

test('of a pod that is deleted, and that the runtime has forgotten, the end is not known, and is a failure', async () => {
  await using at = await node({ images: { 'web:1': {} } });
  await at.create('web', one('web:1'));
  await at.advance('2s');
  await at.kubelet[Symbol.asyncDispose]();
  await at.api.delete('web');
  for (const sandbox of [...at.runtime.sandboxes.values()]) void at.runtime.removeSandbox(sandbox);
  const ends = await seen(at, () => at.restart());
  assert.deepEqual(
    ends.filter((line) => !line.startsWith('ADDED')),
    ['MODIFIED Failed ContainerStatusUnknown ip leaving', 'DELETED Failed ContainerStatusUnknown ip leaving'],
  );
});
