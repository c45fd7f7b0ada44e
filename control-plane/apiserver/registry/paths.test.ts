import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { builtinKinds } from '../../../api/kinds.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { RequestAttributes } from '../../../libs/kind/request.ts';
import { statusOf } from '../../../libs/machinery/errors.ts';
import { checkMethod, checkNameSegment } from './paths.ts';

const kindOf = (name: string): Kind => builtinKinds.find(({ kind }) => kind === name) ?? assert.fail(name);

function codeOf(act: () => void): number {
  try {
    act();
    return 200;
  } catch (error) {
    return statusOf(error).code ?? 0;
  }
}

suite('methods of paths', () => {
  const cases: [kind: string, verb: string, namespace: string, name: string, code: number][] = [
    ['ConfigMap', 'get', 'a', 'x', 200],
    ['ConfigMap', 'list', '', '', 200],
    ['ConfigMap', 'create', 'a', '', 200],
    ['ConfigMap', 'create', 'a', 'x', 405],
    ['ConfigMap', 'create', '', '', 405],
    ['ConfigMap', 'update', 'a', '', 405],
    ['ConfigMap', 'patch', '', '', 405],
    ['ConfigMap', 'deletecollection', '', '', 405],
    ['ConfigMap', 'get', '', 'x', 404],
    ['Node', 'get', '', 'x', 200],
    ['Node', 'create', '', 'x', 405],
    ['Binding', 'get', 'a', 'x', 404],
    ['Binding', 'list', '', '', 404],
  ];
  for (const [kind, verb, namespace, name, code] of cases) {
    test(`${verb} of ${kind} ${namespace}/${name} is ${code}`, () => {
      const attributes = { verb, namespace } as RequestAttributes;
      assert.equal(
        codeOf(() => checkMethod(kindOf(kind), attributes, name)),
        code,
      );
    });
  }
});

test('names that could not be a segment of a path', () => {
  for (const name of ['.', '..', 'a/b', 'a%b'])
    assert.equal(
      codeOf(() => checkNameSegment(name)),
      400,
      name,
    );
  for (const name of ['', 'a', 'a.b', '...', 'system:node']) checkNameSegment(name);
});
