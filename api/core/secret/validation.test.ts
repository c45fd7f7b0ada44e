import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import { validateSecret } from './validation.ts';

/** What stands where a configuration of Docker should, and what is wrong with it. */
const CONFIGS: readonly (readonly [string, string | undefined])[] = [
  ['{"auths":{}}', undefined],
  ['null', undefined],
  ['{a}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a":1', 'unexpected end of JSON input'],
  ['{} x', "invalid character 'x' after top-level value"],
  ['[]', 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
  ['7', 'json: cannot unmarshal number into Go value of type map[string]interface {}'],
];

for (const [text, problem] of CONFIGS) {
  test(`a configuration ${text}`, () => {
    const data = { '.dockerconfigjson': btoa(text) };
    const errors = validateSecret({ metadata: { name: 's' }, type: 'kubernetes.io/dockerconfigjson', data });
    const shown = `data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": ${problem}`;
    assert.deepEqual(errors.map(textOf), problem === undefined ? [] : [shown]);
  });
}

test('what secrets of a type must have', () => {
  const fields = (type: string) => validateSecret({ metadata: {}, type }).map(({ field }) => String(field));
  assert.deepEqual(fields('kubernetes.io/tls'), ['data[tls.crt]', 'data[tls.key]']);
  assert.deepEqual(fields('kubernetes.io/ssh-auth'), ['data[ssh-privatekey]']);
  assert.deepEqual(fields('kubernetes.io/basic-auth'), ['data[username]', 'data[password]']);
  assert.deepEqual(fields('Opaque'), []);
});

test('a key of SSH holds something, other keys may be empty', () => {
  const fields = (type: string, key: string) =>
    validateSecret({ metadata: {}, type, data: { [key]: '' } }).map(({ field }) => String(field));
  assert.deepEqual(fields('kubernetes.io/ssh-auth', 'ssh-privatekey'), ['data[ssh-privatekey]']);
  assert.deepEqual(fields('kubernetes.io/basic-auth', 'password'), []);
});
