import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletionConditions, type Remains } from './namespace-plan.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const remains = (over: Partial<Remains> = {}): Remains => ({ counts: new Map(), finalizers: new Map(), ...over });
const told = (of: Remains) =>
  deletionConditions([], of, NOW_MS)
    .filter(({ status }) => status === 'True')
    .map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

test('what a namespace that goes still waits for', () => {
  const counts = new Map([
    ['pods.', 2],
    ['deployments.apps', 1],
    ['secrets.', 0],
  ]);
  const cases: [string, Remains, string[]][] = [
    ['nothing', remains(), []],
    [
      'objects',
      remains({ counts }),
      [
        'NamespaceContentRemaining SomeResourcesRemain: Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource instances',
      ],
    ],
    [
      'a finalizer',
      remains({ finalizers: new Map([['example.com/x', 3]]) }),
      [
        'NamespaceFinalizersRemaining SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/x in 3 resource instances',
      ],
    ],
    [
      'an extension API server',
      remains({ discoveryFailure: 'it is down' }),
      ['NamespaceDeletionDiscoveryFailure DiscoveryFailed: it is down'],
    ],
    [
      'who refuses',
      remains({ deletionFailure: 'not now' }),
      ['NamespaceDeletionContentFailure ContentDeletionFailed: not now'],
    ],
  ];
  for (const [what, of, wanted] of cases) assert.deepEqual(told(of), wanted, what);
});

test('conditions keep their time while they say the same, and others are left alone', () => {
  const other = { type: 'Mine', status: 'True' };
  const first = deletionConditions([other], remains({ counts: new Map([['pods.', 2]]) }), NOW_MS);
  assert.equal(first[0], other);
  assert.equal(deletionConditions(first, remains({ counts: new Map([['pods.', 2]]) }), NOW_MS + 5000), first);
  const fewer = deletionConditions(first, remains({ counts: new Map([['pods.', 1]]) }), NOW_MS + 5000);
  const remaining = (all: typeof first) => all.find(({ type }) => type === 'NamespaceContentRemaining');
  assert.equal(remaining(fewer)?.lastTransitionTime, '2026-01-01T00:00:00Z', 'it is still true');
  assert.match(remaining(fewer)?.message ?? '', /pods\. has 1/);
  assert.equal(
    remaining(deletionConditions(fewer, remains(), NOW_MS + 5000))?.lastTransitionTime,
    '2026-01-01T00:00:05Z',
  );
});
