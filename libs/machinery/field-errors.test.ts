import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as field from './field-errors.ts';

const at = field.path('spec', 'ports').index(0).child('port');

test('paths', () => {
  assert.equal(String(at), 'spec.ports[0].port');
  assert.equal(String(field.path('data').key('a/b~c')), 'data[a/b~c]');
  assert.equal(String(at.parent), 'spec.ports[0]');
  assert.equal(field.required(undefined).field, '<nil>');
});

test('every type of error in upstream’s words', () => {
  const table: [field.FieldError, string][] = [
    [field.required(at), 'Required value'],
    [field.required(at, 'say one'), 'Required value: say one'],
    [field.invalid(at, 'a"b', 'bad'), 'Invalid value: "a\\"b": bad'],
    [field.invalid(at, 0, 'bad'), 'Invalid value: 0: bad'],
    [field.invalid(at, 1.5, 'bad'), 'Invalid value: 1.5: bad'],
    [field.invalid(at, 2n ** 60n, 'bad'), 'Invalid value: 1152921504606846976: bad'],
    [field.invalid(at, true, 'bad'), 'Invalid value: true: bad'],
    [field.invalid(at, null, 'bad'), 'Invalid value: null: bad'],
    [field.invalid(at, ['Some'], 'bad'), 'Invalid value: ["Some"]: bad'],
    [field.invalid(at, { a: '<' }, 'bad'), 'Invalid value: {"a":"\\u003c"}: bad'],
    [field.invalid(at, field.verbatim('{"Type":"Odd"}'), 'bad'), 'Invalid value: {"Type":"Odd"}: bad'],
    [field.invalid(at, field.omitted, 'bad'), 'Invalid value: bad'],
    [field.typeInvalid(at, 'null', 'bad'), 'Invalid value: "null": bad'],
    [field.notSupported(at, 'x', ['a', 'b']), 'Unsupported value: "x": supported values: "a", "b"'],
    [field.notSupported(at, 'x', []), 'Unsupported value: "x"'],
    [field.forbidden(at, 'no'), 'Forbidden: no'],
    [field.duplicate(at, 80), 'Duplicate value: 80'],
    [field.duplicate(at, field.omitted), 'Duplicate value'],
    [field.notFound(at, ''), 'Not found: ""'],
    [field.tooLong(at, 3), 'Too long: may not be more than 3 bytes'],
    [field.tooLong(at, 1), 'Too long: may not be more than 1 byte'],
    [field.tooLongCharacters(at, 3), 'Too long: may not be more than 3 characters'],
    [field.tooShort(at, 3), 'Too short: must be at least 3 characters'],
    [field.tooMany(at, 3, 2), 'Too many: 3: must have at most 2 items'],
    [field.tooMany(at, -1, 1), 'Too many: must have at most 1 item'],
    [field.tooFew(at, 0, 1), 'Too few: 0: must have at least 1 item'],
    [field.internalError(at, 'broken'), 'Internal error: broken'],
  ];
  for (const [error, want] of table) {
    assert.equal(field.bodyOf(error), want);
    assert.equal(field.textOf(error), `spec.ports[0].port: ${want}`);
  }
});

test('several at once', () => {
  const one = field.forbidden('a', 'x');
  const two = field.forbidden('b', 'y');
  assert.equal(field.aggregate([one]), 'a: Forbidden: x');
  assert.equal(field.aggregate([one, two, one]), '[a: Forbidden: x, b: Forbidden: y]');
  assert.equal(field.below('spec', [one])[0]?.field, 'spec.a');
  assert.equal(field.below('spec', [field.forbidden('[0]', 'x')])[0]?.field, 'spec[0]');
});
