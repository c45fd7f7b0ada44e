import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Definition } from './custom-kind.ts';
import { parseJsonPath, printed } from './json-path.ts';
import { decideNames } from './names.ts';
import { fieldsOf, setAt, valueAt } from './paths.ts';

const OBJECT = {
  spec: {
    a: 1,
    'x.y': 'dotted',
    list: [
      { n: 'a', v: 1 },
      { n: 'b', v: 2 },
      { n: 'c', v: 3 },
    ],
    nothing: null,
  },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Other', status: 'False' },
    ],
  },
};

describe('paths of columns', () => {
  for (const [path, expected] of [
    ['.spec.a', [1]],
    ['.spec["x.y"]', ['dotted']],
    ['.spec.x\\.y', ['dotted']],
    ['.spec.nope.deeper', []],
    ['.spec.nothing', [null]],
    ['.spec.list[0].n', ['a']],
    ['.spec.list[-1].n', ['c']],
    ['.spec.list[1:].n', ['b', 'c']],
    ['.spec.list[:2].v', [1, 2]],
    ['.spec.list[0:3:2].v', [1, 3]],
    ['.spec.list[*].n', ['a', 'b', 'c']],
    ['.spec.list[9].n', []],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ['.status.conditions[?(@.type!="Ready")].status', ['False']],
    ['.spec.list[?(@.v>1)].n', ['b', 'c']],
    ['..status', [OBJECT.status, 'True', 'False']],
    ['.constructor', []],
    ['.__proto__', []],
  ] as const) {
    it(path, () => assert.deepEqual(parseJsonPath(path)?.(OBJECT), expected));
  }

  for (const path of ['.spec[', '.spec[?(@.a==]', '.a["']) {
    it(`${path} is none, or leads nowhere`, () => assert.deepEqual(parseJsonPath(path)?.({ a: [1, 2, 3] }) ?? [], []));
  }

  it('are shown as text', () => {
    assert.deepEqual([null, 'x', 1.5, true, { b: 1, a: [2] }].map(printed), [
      '<nil>',
      'x',
      '1.5',
      'true',
      '{"a":[2],"b":1}',
    ]);
  });
});

describe('paths of scales', () => {
  it('read and write, and make what is missing', () => {
    const object: Record<string, unknown> = { spec: { n: 1 } };
    assert.deepEqual(fieldsOf('.spec.replicas.n'), ['spec', 'replicas', 'n']);
    assert.equal(valueAt(object, ['spec', 'n']), 1);
    assert.equal(valueAt(object, ['spec', 'none', 'n']), undefined);
    setAt(object, ['spec', 'replicas', 'n'], 5);
    assert.deepEqual(object, { spec: { n: 1, replicas: { n: 5 } } });
    assert.equal(valueAt(object, ['constructor']), undefined);
  });
});

describe('the names of a definition', () => {
  const definition = (names: object, acceptedNames: object = {}) =>
    ({ spec: { group: 'g', names }, status: { acceptedNames } }) as unknown as Definition;
  const names = (plural: string, kind: string, more: object = {}) => ({
    plural,
    singular: kind.toLowerCase(),
    kind,
    listKind: `${kind}List`,
    ...more,
  });
  const verdict = (own: object, others: object[], accepted: object = {}): Record<string, string | undefined> => {
    const { acceptedNames, conditions } = decideNames(definition(own, accepted), others as never);
    return {
      plural: acceptedNames.plural,
      kind: acceptedNames.kind,
      ...Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`])),
    };
  };

  it('are taken where nobody has them', () => {
    const told = verdict(names('things', 'Thing'), []);
    assert.deepEqual([told['plural'], told['kind'], told['NamesAccepted']], ['things', 'Thing', 'True NoConflicts']);
  });

  for (const [why, own, other] of [
    ['another’s plural', names('things', 'Thing'), names('things', 'Other')],
    ['another’s kind', names('things', 'Thing'), names('others', 'Thing')],
    [
      'another’s short name',
      names('things', 'Thing', { shortNames: ['o'] }),
      names('others', 'Other', { shortNames: ['o'] }),
    ],
    ['another’s list kind', names('things', 'OtherList'), names('others', 'Other')],
  ] as const) {
    it(`are refused: ${why}`, () => assert.match(verdict(own, [other])['NamesAccepted'] ?? '', /^False /));
  }
});
