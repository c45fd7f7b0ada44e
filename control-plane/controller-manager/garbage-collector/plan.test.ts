import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiObject, Live } from '../../../libs/kind/object.ts';
import { type Dependent, type Observed, type OwnerState, plan } from './plan.ts';

const object = (deleting: boolean, ...finalizers: string[]) =>
  ({
    metadata: { name: 'o', ...(deleting ? { deletionTimestamp: 'now' } : {}), finalizers },
  }) as unknown as Live<ApiObject>;
const owners = (...states: OwnerState[]) =>
  states.map((state, i) => ({ reference: { uid: `${state}${i}` }, state })) as unknown as Observed['owners'];
const dependent = (uid: string, blocks: boolean, waits = false): Dependent => ({ uid, blocks, waits });

test('what becomes of an object, by its owners and dependents', () => {
  const cases: [string, Observed, object][] = [
    ['nobody owns it', { object: object(false), owners: [], dependents: [] }, { type: 'nothing' }],
    ['its owner lives', { object: object(false), owners: owners('solid'), dependents: [] }, { type: 'nothing' }],
    [
      'one owner lives',
      { object: object(false), owners: owners('solid', 'absent', 'waiting'), dependents: [] },
      { type: 'drop owners', uids: ['absent1', 'waiting2'] },
    ],
    [
      'all owners are gone',
      { object: object(false), owners: owners('absent'), dependents: [] },
      { type: 'delete', policy: 'Background', unblock: false },
    ],
    [
      'it says that its dependents stay',
      { object: object(false, 'orphan'), owners: owners('absent'), dependents: [] },
      { type: 'delete', policy: 'Orphan', unblock: false },
    ],
    [
      'its owner waits for it',
      { object: object(false), owners: owners('waiting'), dependents: [] },
      { type: 'delete', policy: 'Background', unblock: false },
    ],
    [
      'its owner waits, it has dependents',
      { object: object(false), owners: owners('waiting'), dependents: [dependent('d', false)] },
      { type: 'delete', policy: 'Foreground', unblock: false },
    ],
    [
      'a ring',
      { object: object(false), owners: owners('waiting'), dependents: [dependent('d', true, true)] },
      { type: 'delete', policy: 'Foreground', unblock: true },
    ],
    [
      'it goes already',
      { object: object(true, 'example.com/x'), owners: owners('absent'), dependents: [] },
      { type: 'nothing' },
    ],
    [
      'it goes and lets its dependents go',
      { object: object(true, 'orphan'), owners: [], dependents: [dependent('d', true)] },
      { type: 'orphan dependents' },
    ],
    [
      'it waits for dependents',
      {
        object: object(true, 'foregroundDeletion'),
        owners: [],
        dependents: [dependent('a', true), dependent('b', true, true), dependent('c', false)],
      },
      { type: 'wait for dependents', look: ['a'] },
    ],
    [
      'those that are left do not hold it',
      { object: object(true, 'foregroundDeletion'), owners: [], dependents: [dependent('c', false)] },
      { type: 'remove finalizer', finalizer: 'foregroundDeletion' },
    ],
  ];
  for (const [what, observed, wanted] of cases) assert.deepEqual(plan(observed), wanted, what);
});
