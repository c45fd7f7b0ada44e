import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import { isZero } from '../../meta/numbers.ts';
import type { StatefulSet } from '../../types/apps/v1.generated.ts';
import { defaultStatefulSet } from './defaults.ts';
import { statefulSetWarnings, validateStatefulSet, validateStatefulSetUpdate } from './validation.ts';

function set(serviceName: string, replicas = 1): StatefulSet {
  const made = {
    metadata: { name: 'x' },
    spec: {
      serviceName,
      replicas,
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'app:1' }] } },
    },
  } as StatefulSet;
  defaultStatefulSet(made);
  return made;
}

test('the name of its service becomes a domain, which is looked at once', () => {
  assert.deepEqual(validateStatefulSet(set('web')), []);
  assert.deepEqual(validateStatefulSet(set('')), []);
  assert.deepEqual(validateStatefulSet(set('a.b')).map(textOf), [
    'spec.serviceName: Invalid value: "a.b": must not contain dots',
  ]);
  assert.deepEqual(validateStatefulSetUpdate(set('a.b', 2), set('a.b')), []);
});

test('warnings: how many revisions are kept, and parts of bytes in claims', () => {
  const made = set('web');
  assert.deepEqual(statefulSetWarnings(made), []);
  made.spec.revisionHistoryLimit = -1;
  made.spec.volumeClaimTemplates = [{ metadata: { name: 'c' }, spec: { resources: { requests: { storage: '1m' } } } }];
  assert.deepEqual(statefulSetWarnings(made), [
    'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    'spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "1m" is invalid, must be an integer',
  ]);
});

test('what comes to none', () => {
  for (const value of [undefined, 0, '0', '0%', 'x', '%']) assert.equal(isZero(value), true, String(value));
  for (const value of [1, '1', '1%', '+5']) assert.equal(isZero(value), false, String(value));
});
