import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyField, fieldEquals, parseFieldSelector } from './fields.ts';

test('reading and writing', () => {
  const table: [string, string][] = [
    ['', ''],
    [',', ''],
    ['a=b', 'a=b'],
    ['a==b', 'a=b'],
    ['a!=b,c=', 'a!=b,c='],
    ['a=b\\,c\\=d\\\\', 'a=b\\,c\\=d\\\\'],
    ['=a', '=a'],
  ];
  for (const [text, want] of table) assert.equal(String(parseFieldSelector(text)), want, text);
  assert.equal(parseFieldSelector(','), everyField);
  assert.equal(parseFieldSelector('a=b\\,c').requirements[0]?.value, 'b,c');
});

test('matching', () => {
  const fields = { 'metadata.name': 'a', 'status.phase': 'Running' };
  for (const text of [
    '',
    'metadata.name=a',
    'status.phase!=Pending',
    'none=',
    'metadata.name=a,status.phase=Running',
  ]) {
    assert.ok(parseFieldSelector(text).matches(fields), text);
  }
  for (const text of ['metadata.name=b', 'status.phase!=Running', 'none=x', 'none!=']) {
    assert.ok(!parseFieldSelector(text).matches(fields), text);
  }
  assert.equal(fieldEquals('metadata.name', 'x').exactMatch('metadata.name'), 'x');
  assert.equal(parseFieldSelector('metadata.name!=x').exactMatch('metadata.name'), undefined);
});

test('conversion', () => {
  const renamed = parseFieldSelector('name!=x').convert((field, value) => ({ field: `metadata.${field}`, value }));
  assert.equal(String(renamed), 'metadata.name!=x');
});

test('what cannot be read', () => {
  const table: [string, string][] = [
    ['a', "invalid selector: 'a'; can't understand 'a'"],
    ['a=b,c', "invalid selector: 'a=b,c'; can't understand 'c'"],
    ['a=\\', 'invalid field selector: invalid escape sequence: \\'],
    ['a=\\x', 'invalid field selector: invalid escape sequence: \\x'],
    ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
  ];
  for (const [text, message] of table)
    assert.throws(() => parseFieldSelector(text), { name: 'FieldSelectorError', message }, text);
});
