import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import { isZero } from '../../meta/numbers.ts';
import type { StatefulSet } from '../../types/apps/v1.generated.ts';
import { defaultStatefulSet } from './defaults.ts';
import { validateStatefulSet, validateStatefulSetUpdate } from './validation.ts';

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

test('what comes to none', () => {
  for (const value of [undefined, 0, '0', '0%', 'x', '%']) assert.equal(isZero(value), true, String(value));
  for (const value of [1, '1', '1%', '+5']) assert.equal(isZero(value), false, String(value));
});
