import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventRecorder } from '../../../libs/kind/reconciler.ts';
import { NodeEvents, newStates } from './events.ts';

const state = (words: string) =>
  words
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ type: word.replace(/=.*/, ''), status: word.replace(/.*=/, '') }));

const CASES: readonly { before: string; after: string; expect: string[] }[] = [
  { before: '', after: 'MemoryPressure=False Ready=False', expect: ['NodeHasSufficientMemory'] },
  { before: 'Ready=False', after: 'Ready=True', expect: ['NodeReady'] },
  { before: 'Ready=Unknown', after: 'Ready=True', expect: ['NodeReady'] },
  { before: 'Ready=True', after: 'Ready=True', expect: [] },
  { before: 'Ready=True', after: 'Ready=False', expect: ['NodeNotReady'] },
  { before: 'DiskPressure=False', after: 'DiskPressure=True', expect: ['NodeHasDiskPressure'] },
  { before: '', after: 'OfSomebodyElse=True', expect: [] },
];

describe('events of a node', () => {
  for (const { before, after, expect } of CASES) {
    it(`from [${before}] to [${after}]: ${expect.join(', ') || 'nothing'}`, () => {
      assert.deepEqual(newStates(state(before), state(after)), expect);
    });
  }

  it('tell of a cordon, and not of what was so from the beginning', () => {
    const told: string[] = [];
    const recorder: EventRecorder = {
      event: (about, type, reason, message) => void told.push(`${about.metadata?.uid} ${type} ${reason}: ${message}`),
    };
    const events = new NodeEvents(recorder, 'n');
    for (const unschedulable of [true, true, false, true]) events.schedulable(unschedulable);
    assert.deepEqual(told, [
      'n Normal NodeSchedulable: Node n status is now: NodeSchedulable',
      'n Normal NodeNotSchedulable: Node n status is now: NodeNotSchedulable',
    ]);
  });
});
