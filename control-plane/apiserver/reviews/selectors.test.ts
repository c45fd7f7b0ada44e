import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { path } from '../../../libs/machinery/field-errors.ts';
import { selectorErrors, selectorsOf } from './selectors.ts';

type Attributes = Parameters<typeof selectorsOf>[0];
const requirement = (key: string, operator: string, ...values: string[]) => ({ key, operator, values });

suite('selectors of access reviews', () => {
  const cases: [title: string, attributes: Attributes, said: object, problems: number][] = [
    ['nothing', {}, {}, 0],
    ['raw', { fieldSelector: { rawSelector: 'a=b' } }, { fieldSelector: 'a=b' }, 0],
    ['one value', { fieldSelector: { requirements: [requirement('a', 'In', 'b')] } }, { fieldSelector: 'a=b' }, 0],
    ['not one', { fieldSelector: { requirements: [requirement('a', 'NotIn', 'b')] } }, { fieldSelector: 'a!=b' }, 0],
    ['two values', { fieldSelector: { requirements: [requirement('a', 'In', 'b', 'c')] } }, {}, 1],
    ['an unknown operator', { fieldSelector: { requirements: [requirement('a', 'Like', 'b')] } }, {}, 1],
    ['garbage', { labelSelector: { rawSelector: 'a in (' } }, {}, 1],
  ];
  for (const [title, attributes, said, problems] of cases) {
    test(title, () => {
      const found = selectorsOf(attributes);
      assert.deepEqual(found.said, said);
      assert.equal(found.problems.length, problems);
    });
  }

  test('what a review may not say', () => {
    const at = path('spec', 'resourceAttributes');
    const fields = (attributes: Attributes) => selectorErrors(attributes, at).map(({ field }) => String(field));
    assert.deepEqual(fields({ fieldSelector: {} }), ['spec.resourceAttributes.fieldSelector.requirements']);
    assert.deepEqual(fields({ labelSelector: { rawSelector: 'a', requirements: [requirement('a', 'Exists')] } }), [
      'spec.resourceAttributes.labelSelector.rawSelector',
    ]);
    assert.deepEqual(fields({ fieldSelector: { requirements: [requirement('', 'In')] } }), [
      'spec.resourceAttributes.fieldSelector.requirements[0].key',
      'spec.resourceAttributes.fieldSelector.requirements[0].values',
    ]);
  });
});
