import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { builtinKinds } from '../../api/kinds.ts';
import { validationOf, WHOLE, withKinds } from './kinds.ts';

test('docs/fidelity.md tells of every kind what is checked', () => {
  const document = readFileSync(new URL('../../docs/fidelity.md', import.meta.url), 'utf8');
  assert.equal(withKinds(document, builtinKinds), document, 'run "npm run fidelity -- defaults --write"');
});

test('what is promised whole has rules for create and for update', () => {
  for (const name of WHOLE) {
    const kind = builtinKinds.find((one) => one.kind === name);
    assert.ok(kind, name);
    assert.equal(validationOf(kind), 'whole');
    assert.ok(kind.strategy.validate, `${name} is checked on create`);
    // A namespace's own fields may change as they like.
    if (name !== 'Namespace') assert.ok(kind.strategy.validateUpdate, `${name} is checked on update`);
  }
});

test('a document without marks is refused', () => {
  assert.throws(() => withKinds('# Fidelity', builtinKinds), /no place for the table/);
});
