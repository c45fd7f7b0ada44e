import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasLongNumber, memberSpan, resourceVersionSpan, withResourceVersion } from './json-scan.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const cut = (text: string, span: { start: number; end: number } | undefined) =>
  span && Buffer.from(bytes(text).subarray(span.start, span.end)).toString();

describe('scanning JSON', () => {
  const members: readonly { json: string; name: string; value: string | undefined }[] = [
    { json: '{"a":1,"b":{"c":[1,{"d":"}"}]},"e":"x"}', name: 'b', value: '{"c":[1,{"d":"}"}]}' },
    { json: '{"a":1,"b":{"e":0},"e":"x"}', name: 'e', value: '"x"' },
    { json: '{"a":"\\"e\\":1","e":true}', name: 'e', value: 'true' },
    { json: '{"a":"\\\\","e":null}', name: 'e', value: 'null' },
    { json: ' { "a" : [ ] , "e" : -1.5e3 } ', name: 'e', value: '-1.5e3 ' },
    { json: '{"ä":"ö","e":"ü"}', name: 'e', value: '"ü"' },
    { json: '{"ee":1}', name: 'e', value: undefined },
    { json: '{}', name: 'e', value: undefined },
    { json: '[{"e":1}]', name: 'e', value: undefined },
  ];
  for (const { json, name, value } of members) {
    it(`finds ${value} in ${json}`, () => assert.equal(cut(json, memberSpan(bytes(json), 0, name)), value));
  }

  it('finds the object’s own revision, not one of the same name elsewhere', () => {
    const json =
      '{"data":{"resourceVersion":"1"},"metadata":{"annotations":{"resourceVersion":"2"},"labels":{"x":"\\"resourceVersion\\":\\"3\\""},"resourceVersion":"4"}}';
    assert.equal(cut(json, resourceVersionSpan(bytes(json))), '4');
    const next = Buffer.from(withResourceVersion(bytes(json), 1234)).toString();
    assert.deepEqual(JSON.parse(next), {
      ...JSON.parse(json),
      metadata: { ...JSON.parse(json).metadata, resourceVersion: '1234' },
    });
  });

  it('leaves what has no revision as it is', () => {
    const json = bytes('{"metadata":{"name":"x"}}');
    assert.equal(withResourceVersion(json, 5), json);
  });

  it('sees numbers that a double may not hold', () => {
    assert.ok(hasLongNumber('{"a":9007199254740993}'));
    assert.ok(hasLongNumber('{"a":[1, -9223372036854775808]}'));
    assert.ok(!hasLongNumber('{"a":900719925474099,"b":"9007199254740993","c":0.1234}'));
  });
});
