import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeBase64 } from '../../base/base64.ts';
import { deepFreeze } from '../freeze.ts';
import { type CompactType, expandType } from '../schema/compact.ts';
import type { StructType } from '../schema/ir.ts';
import { withTypes } from '../schema/set.ts';
import { base64ToBytes, normalizeBase64 } from './base64.ts';
import { DecodeError } from './errors.ts';
import { plain } from './exact.ts';
import {
  decodeAny,
  decodeJson,
  decodeValue,
  encodeJson,
  normalize,
  prettyJson,
  readTypeMeta,
  settle,
  stringify,
} from './json.ts';
import { parseJson } from './parse.ts';
import { precheck } from './precheck.ts';
import {
  decodeProtobuf,
  decodeProtobufBody,
  encodeProtobuf,
  encodeProtobufBody,
  encodeProtobufList,
  encodeWatchFrame,
  readEnvelope,
  readWatchFrame,
} from './protobuf/protobuf.ts';
import { compareKeys } from './values.ts';
import { decodeYaml, encodeYaml, yamlToJson } from './yaml.ts';

// A small schema with one of everything.
const compact: Record<string, CompactType> = {
  Meta: { fields: { name: { t: 'string', pb: 1 }, labels: { t: '{}string', pb: 2 }, at: { t: 'time', pb: 3 } } },
  Part: {
    fields: {
      name: { t: 'string', pb: 1, z: '' },
      big: { t: 'int64', pb: 2 },
      left: { t: 'string', pb: 1, in: [['Side', 3]] },
      right: { t: 'int32', pb: 2, in: [['Side', 3]], p: true },
    },
  },
  Thing: {
    kind: true,
    meta: true,
    fields: {
      metadata: { t: 'Meta', pb: 1, z: {} },
      parts: { t: '[]Part', pb: 2, z: null },
      size: { t: 'quantity', pb: 3, p: true },
      sizes: { t: '{}quantity', pb: 4 },
      flag: { t: 'bool', pb: 5, p: true },
      count: { t: 'int32', pb: 6, z: 0 },
      port: { t: 'intOrString', pb: 7, p: true },
      data: { t: 'bytes', pb: 8 },
      raw: { t: 'any', pb: 9, p: true },
      micro: { t: 'microTime', pb: 10, p: true },
      words: { t: '[w]string', pb: 11 },
      numbers: { t: '[]int32', pb: 12 },
      share: { t: 'double', pb: 13, p: true },
      lasts: { t: 'duration', pb: 14, p: true },
    },
  },
  ListMeta: { fields: { resourceVersion: { t: 'string', pb: 2 } } },
};
const expand = (pkg: string, name: string): StructType =>
  expandType(name, compact[name] as CompactType, {
    package: pkg,
    group: 'test.io',
    version: 'v1',
    openapi: 'io.test.v1',
    protobuf: 'test.v1',
  });
const set = withTypes(undefined, [
  ...['Meta', 'Part', 'Thing'].map((name) => expand('test.v1', name)),
  expand('meta.v1', 'ListMeta'),
]);
const thing = 'test.v1.Thing';
const typeOf = (_group: string, _version: string, kind: string): string | undefined =>
  kind === 'Thing' ? thing : undefined;

describe('canonical objects', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['zeros are written as the schema says', '{}', '{"metadata":{},"parts":null,"count":0}'],
    [
      'fields stand in wire order, maps sorted',
      '{"count":1,"sizes":{"b":"1","a":"2"},"kind":"Thing"}',
      '{"kind":"Thing","metadata":{},"parts":null,"sizes":{"a":"2","b":"1"},"count":1}',
    ],
    [
      'an explicit zero survives behind a pointer only',
      '{"flag":false,"port":0,"count":0,"metadata":{"name":""}}',
      '{"metadata":{},"parts":null,"flag":false,"count":0,"port":0}',
    ],
    ['an empty list or map is none', '{"parts":[],"sizes":{},"numbers":[]}', '{"metadata":{},"parts":null,"count":0}'],
    [
      'null is none; in a list it is a zero',
      '{"count":null,"parts":[null],"size":null,"raw":null}',
      '{"metadata":{},"parts":[{"name":""}],"count":0}',
    ],
    [
      'quantities and times have one spelling',
      '{"size":1000,"metadata":{"at":"2026-01-01T02:00:00.5+01:00"},"lasts":"90s"}',
      '{"metadata":{"at":"2026-01-01T01:00:00Z"},"parts":null,"size":"1k","count":0,"lasts":"1m30s"}',
    ],
    ['a quantity keeps its digits', '{"size":0.10}', '{"metadata":{},"parts":null,"size":"100m","count":0}'],
    [
      '64 bits are kept',
      '{"parts":[{"name":"a","big":9007199254740993}]}',
      '{"metadata":{},"parts":[{"name":"a","big":9007199254740993}],"count":0}',
    ],
    [
      'so are they in free content',
      '{"raw":{"n":9223372036854775807,"f":1.5e3}}',
      '{"metadata":{},"parts":null,"count":0,"raw":{"n":9223372036854775807,"f":1500}}',
    ],
    [
      'keys that Object knows are keys like others',
      '{"sizes":{"__proto__":"1","constructor":"2"},"raw":{"__proto__":{"a":1}}}',
      '{"metadata":{},"parts":null,"sizes":{"__proto__":"1","constructor":"2"},"count":0,"raw":{"__proto__":{"a":1}}}',
    ],
    [
      'text for browsers is escaped',
      '{"metadata":{"name":"<a>&\u2028"}}',
      '{"metadata":{"name":"\\u003ca\\u003e\\u0026\\u2028"},"parts":null,"count":0}',
    ],
    [
      'half a surrogate pair becomes a replacement',
      '{"metadata":{"name":"\\ud800"}}',
      '{"metadata":{"name":"\ufffd"},"parts":null,"count":0}',
    ],
    ['a list of numbers is bytes, too', '{"data":[104,105]}', '{"metadata":{},"parts":null,"count":0,"data":"aGk="}'],
  ];
  for (const [name, text, expected] of cases) {
    test(name, () => {
      const { object } = decodeJson(set, thing, text);
      assert.equal(encodeJson(set, thing, object, { canonical: true }), expected);
      assert.equal(encodeJson(set, thing, object), expected, 'normalized once more');
      assert.deepEqual(decodeYaml(set, thing, text).object, object, 'as YAML');
      assert.deepEqual(decodeJson(set, thing, new TextEncoder().encode(text)).object, object, 'from bytes');
    });
  }

  test('a value is decoded as its text would be, and is told what is wrong with it in the same words', () => {
    const values: object[] = [
      { count: 1, sizes: { b: '1', a: '2' }, kind: 'Thing' },
      { raw: { deep: [1, { a: null }] }, parts: [{ name: 'a' }, null], flag: false },
      { stranger: 1, metadata: { name: 'x', odd: {} } },
    ];
    for (const value of values) {
      const text = stringify(value);
      assert.deepEqual(decodeValue(set, thing, value), decodeJson(set, thing, text), text);
      const strict = decodeValue(set, thing, value, { strict: true });
      assert.deepEqual(strict, decodeJson(set, thing, text, { strict: true }), text);
    }
    assert.deepEqual(decodeValue(set, thing, { stranger: 1, other: undefined }, { strict: true }).errors, [
      'unknown field "stranger"',
    ]);
    assert.throws(() => decodeValue(set, thing, { count: 'x' }), DecodeError);
  });

  test('normalize keeps nothing of the caller’s and drops what is undefined or unknown', () => {
    const labels = Object.freeze({ b: '1', a: '2', gone: undefined });
    const given = Object.freeze({ metadata: { name: 'x', labels }, raw: { deep: [1] }, count: undefined, stranger: 1 });
    const copy = normalize<{ metadata: { labels: object }; raw: { deep: number[] } }>(set, thing, given);
    assert.equal(
      stringify(copy),
      '{"metadata":{"name":"x","labels":{"a":"2","b":"1"}},"parts":null,"count":0,"raw":{"deep":[1]}}',
    );
    copy.raw.deep.push(2);
    assert.deepEqual(given.raw.deep, [1]);
  });

  test('what replaces a canonical object shares the parts that it has from it, each at its place', () => {
    type Shown = { metadata: { name: string; labels: object }; parts: object[]; raw: object };
    const [one, two] = [{ name: 'one' }, { name: 'two' }];
    const before = normalize<Shown>(set, thing, {
      metadata: { name: 'x', labels: { a: '1' } },
      parts: [one, two],
      raw: { deep: [1] },
    });
    const changed = { metadata: { ...before.metadata, name: 'y' }, parts: [before.parts[0], { name: 2 }] };
    const after = normalize<Shown>(set, thing, { ...before, ...changed, parts: [before.parts[0], one] }, before);
    assert.equal(after.metadata.labels, before.metadata.labels);
    assert.equal(after.raw, before.raw);
    assert.equal(after.parts[0], before.parts[0]);
    assert.notEqual(after.parts[1], one, 'the caller’s own is copied');
    const moved = normalize<Shown>(set, thing, { parts: [before.parts[1]] }, before);
    assert.notEqual(moved.parts[0], before.parts[1]);
    assert.throws(() => normalize(set, thing, { ...before, ...changed }, before), DecodeError);
  });

  test('settle makes of a draft what normalize makes of it, and changes it where it may', () => {
    type Shown = { metadata: { name: string; labels: object }; parts: object[]; raw: object };
    const before = normalize<Shown>(set, thing, {
      metadata: { name: 'x', labels: { a: '1' } },
      parts: [{ name: 'one' }, { name: 'two' }],
      raw: { deep: [1] },
    });
    deepFreeze(before);
    const drafts: [name: string, draft: () => object][] = [
      ['nothing', () => ({})],
      ['out of order, with zeros to come', () => ({ count: 1, raw: [1], parts: [{ name: 'b' }, null], metadata: {} })],
      ['undefined and unknown members', () => ({ count: undefined, sizes: { b: '1', a: undefined }, stranger: 1 })],
      ['other spellings', () => ({ sizes: { z: '1000m', a: 1 }, parts: [undefined, { name: '' }] })],
      ['parts of the one before', () => ({ ...before, metadata: { ...before.metadata, name: 'y' }, count: 7 })],
      ['parts of it at other places', () => ({ parts: [before.parts[1], before.parts[0]], raw: before.raw })],
      [
        'frozen parts that are not canonical',
        () => deepFreeze({ metadata: { labels: { b: '1', a: '2' } }, sizes: { a: 1 } }),
      ],
    ];
    for (const [name, draft] of drafts) {
      const settled = settle<Shown>(set, thing, draft(), before);
      assert.equal(stringify(settled), stringify(normalize(set, thing, draft(), before)), name);
      deepFreeze(settled);
    }
    const parts = [{ name: 'a' }];
    const draft = { metadata: { name: 'x' }, parts, count: 0 };
    const settled = settle<Shown>(set, thing, draft, before);
    assert.equal(settled, draft, 'what is right is not made anew');
    assert.equal(settled.parts, parts);
    assert.throws(() => settle(set, thing, { count: '1' }), DecodeError);
  });

  test('normalize refuses what does not fit, in the words of decoding', () => {
    const message = 'json: cannot unmarshal string into Go struct field Thing.count of type int32';
    assert.throws(() => normalize(set, thing, { count: '1' }), new DecodeError(message));
    assert.throws(() => normalize(set, thing, { size: 'x' }), DecodeError);
  });
});

describe('custom types', () => {
  const any = { k: 'any' } as const;
  const spec: StructType = {
    name: 'Thing.spec',
    custom: true,
    fields: [
      { name: 'a', type: { k: 'string' } },
      {
        name: 'l',
        type: {
          k: 'list',
          of: { k: 'struct', type: { name: 'item', custom: true, fields: [{ name: 'x', type: any }] } },
        },
      },
      {
        name: 'open',
        type: { k: 'struct', type: { name: 'open', custom: true, fields: [], preserveUnknownFields: true } },
      },
      { name: 'constructor', type: { k: 'string' } },
    ],
  };
  const custom: StructType = {
    name: 'example.v1.Custom',
    custom: true,
    fields: [
      { name: 'apiVersion', type: { k: 'string' } },
      { name: 'kind', type: { k: 'string' } },
      { name: 'metadata', type: { k: 'ref', name: 'test.v1.Meta' } },
      { name: 'spec', type: { k: 'struct', type: spec } },
    ],
  };
  const all = withTypes(set, [custom]);
  const text =
    '{"spec":{"z":1,"l":[{"y":{},"x":null}],"a":5,"open":{"b":{},"a":[]},"constructor":"c"},"metadata":{"odd":1,"name":"x","labels":{}},"kind":"Custom","top":{}}';

  test('unknown fields go, all else is kept as it is, in the type’s order', () => {
    const { object, errors } = decodeJson(all, custom, text, { strict: true });
    assert.equal(
      stringify(object),
      '{"kind":"Custom","metadata":{"name":"x"},"spec":{"a":5,"l":[{"x":null}],"open":{"b":{},"a":[]},"constructor":"c"}}',
    );
    assert.deepEqual(errors, [
      'unknown field "metadata.odd"',
      'unknown field "spec.l[0].y"',
      'unknown field "spec.z"',
      'unknown field "top"',
    ]);
    assert.deepEqual(normalize(all, custom, JSON.parse(text)), object);
  });

  test('duplicates are seen everywhere', () => {
    const { errors } = decodeJson(all, custom, '{"spec":{"a":1,"a":2,"open":{"x":{"k":1,"k":2}}}}', { strict: true });
    assert.deepEqual(errors, ['duplicate field "spec.a"', 'duplicate field "spec.open.x.k"']);
  });

  test('an embedded resource has typed metadata, whatever its schema says', () => {
    const embedded: StructType = {
      name: 'example.v1.Holder',
      custom: true,
      fields: [
        { name: 'e', type: { k: 'struct', type: { name: 'e', custom: true, fields: [], embeddedResource: true } } },
      ],
    };
    const objectMeta: StructType = { ...expand('test.v1', 'Meta'), name: 'meta.v1.ObjectMeta' };
    const withMeta = withTypes(set, [embedded, objectMeta]);
    const text = '{"e":{"metadata":{"name":"p","z":1},"x":1,"kind":"Pod"}}';
    const { object, errors } = decodeJson(withMeta, embedded, text, { strict: true });
    assert.equal(stringify(object), '{"e":{"kind":"Pod","metadata":{"name":"p"}}}');
    assert.deepEqual(errors, ['unknown field "e.metadata.z"', 'unknown field "e.x"']);
    const message =
      'e.metadata: Invalid value: {"name":5}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string';
    assert.throws(() => decodeJson(withMeta, embedded, '{"e":{"metadata":{"name":5}}}'), new DecodeError(message));
  });

  test('metadata is typed', () => {
    const message = 'json: cannot unmarshal number into Go struct field Meta.name of type string';
    assert.throws(() => decodeJson(all, custom, '{"metadata":{"name":5}}'), new DecodeError(message));
  });
});

describe('protobuf', () => {
  const object = decodeJson<Record<string, unknown>>(
    set,
    thing,
    `{"kind":"Thing","apiVersion":"test.io/v1","metadata":{"name":"ü","at":"1969-12-31T23:59:59Z"},
      "parts":[{"name":"a","big":-9007199254740993,"left":"l"},{"name":"","right":0}],"size":"1Gi","sizes":{"b":"1","a":"2"},
      "port":"http","data":"AAEC","raw":{"x":[1]},"micro":"2026-01-02T03:04:05.000006Z","words":["w"],"numbers":[1,-1],"share":0.5,"lasts":"-1h0m0s"}`,
  ).object;

  test('there and back', () => {
    const bytes = encodeProtobuf(set, thing, object);
    assert.deepEqual(decodeProtobuf(set, typeOf, bytes), { object, apiVersion: 'test.io/v1', kind: 'Thing' });
  });

  test('what is no pointer is written though it is empty; embedded structs are messages', () => {
    const bytes = encodeProtobufBody(set, 'test.v1.Part', {});
    assert.deepEqual([...bytes], [0x0a, 0, 0x10, 0, 0x1a, 2, 0x0a, 0]);
  });

  test('unknown fields are passed over, packed numbers understood, later values win', () => {
    const unknown = [
      0xa2, 0x06, 1, 65, 0xa8, 0x06, 5, 0xad, 0x06, 0, 0, 0, 0, 0xa1, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0x06, 8, 1,
      0xac, 0x06,
    ];
    const bytes = new Uint8Array([...unknown, 0x62, 2, 3, 4, 0x30, 1, 0x30, 2]);
    assert.deepEqual(decodeProtobufBody(set, thing, bytes), { metadata: {}, parts: null, count: 2, numbers: [3, 4] });
  });

  const whole = encodeProtobuf(set, thing, object);
  test('cut off anywhere it is refused, never misread', () => {
    const { raw } = readEnvelope(whole);
    for (let length = 0; length < raw.length; length++) {
      try {
        decodeProtobufBody(set, thing, raw.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof DecodeError, `${length}: ${error}`);
      }
    }
  });

  const broken: readonly (readonly [string, number[], string])[] = [
    ['a wrong wire type', [0x08, 1], 'proto: wrong wireType = 0 for field Metadata'],
    ['cut off', [0x0a, 5, 1], 'unexpected EOF'],
    ['tag zero', [0x01], 'proto: Thing: illegal tag 0 (wire type 1)'],
    ['an end without a start', [0x0c], 'proto: Thing: wiretype end group for non-group'],
    ['a varint without end', [0x30, ...new Array<number>(11).fill(0xff)], 'proto: integer overflow'],
    [
      'a quantity that is none',
      [0x1a, 3, 0x0a, 1, 0x78],
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
  ];
  for (const [name, bytes, message] of broken) {
    test(`${name} is refused`, () => {
      assert.throws(() => decodeProtobufBody(set, thing, new Uint8Array(bytes)), new DecodeError(message));
    });
  }

  test('an object without its prefix is refused', () => {
    const message = 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]';
    assert.throws(() => readEnvelope(new Uint8Array([1, 2, 3])), new DecodeError(message));
  });

  test('a list is joined from bodies that are there', () => {
    const body = encodeProtobufBody(set, 'test.v1.Part', { name: 'a' });
    const bytes = encodeProtobufList(set, { apiVersion: 'v1', kind: 'PartList', metadata: { resourceVersion: '7' } }, [
      body,
      body,
    ]);
    const { apiVersion, kind, raw } = readEnvelope(bytes);
    assert.deepEqual([apiVersion, kind], ['v1', 'PartList']);
    assert.deepEqual([...raw], [0x0a, 3, 0x12, 1, 0x37, 0x12, body.length, ...body, 0x12, body.length, ...body]);
  });

  test('watch events are framed by their length', () => {
    const frame = encodeWatchFrame('ADDED', whole);
    const two = new Uint8Array([...frame, ...frame.subarray(0, 3)]);
    const event = readWatchFrame(two) ?? assert.fail('a whole event');
    assert.deepEqual([event.type, event.bytesRead], ['ADDED', frame.length]);
    assert.deepEqual(decodeProtobuf(set, typeOf, event.object).object, object);
    assert.equal(readWatchFrame(two.subarray(event.bytesRead)), undefined);
  });
});

describe('JSON texts', () => {
  test('the quick look counts keys and sees what JSON.parse would lose', () => {
    assert.deepEqual(precheck('{"a": {"b:c": ":", "\\":": 1}}'), { keys: 3, exact: false, tooDeepAt: -1 });
    for (const text of ['[1.0]', '[1e3]', '[1234567890123456]', '["\\uD800"]']) assert.ok(precheck(text).exact, text);
    for (const text of ['[123456789012345]', '["1.0"]', '[true, -7]']) assert.ok(!precheck(text).exact, text);
  });

  const broken: readonly (readonly [string, string])[] = [
    ['', 'unexpected end of JSON input'],
    ['not json', "invalid character 'o' in literal null (expecting 'u')"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['1ex', "invalid character 'x' in exponent of numeric literal"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ['é', "invalid character 'Ã' looking for beginning of value"],
  ];
  for (const [text, message] of broken) {
    test(`${JSON.stringify(text)}: ${message}`, () => assert.throws(() => parseJson(text), { message }));
  }

  test('what is JSON to one parser is JSON to the other', () => {
    for (const text of [
      'null',
      ' [] ',
      '{"a":[1,-0,2e-3,"\\u00e9\\n\\/"]}',
      '"\u007f\u2028"',
      '[[],{},[{}]]',
      '-0.0',
    ]) {
      assert.equal(stringify(plain(parseJson(text))), stringify(JSON.parse(text)), text);
    }
  });

  test('type meta is read before the type is known', () => {
    assert.deepEqual(readTypeMeta('{"spec":{"kind":"X"},"kind":"Y","apiVersion":"v1"}'), {
      apiVersion: 'v1',
      kind: 'Y',
    });
    const message = "couldn't get version/kind; json parse error: ";
    assert.throws(
      () => readTypeMeta('{"kind":5}'),
      new DecodeError(`${message}json: cannot unmarshal number into Go struct field .kind of type string`),
    );
    assert.throws(() => readTypeMeta('{'), new DecodeError(`${message}unexpected end of JSON input`));
  });

  test('indenting changes blanks alone', () => {
    const text = '{"a":[],"b":{},"c":[1,{"d":"{\\"[,:"}],"n":12345678901234567890}';
    assert.equal(
      prettyJson(text),
      JSON.stringify(JSON.parse(text), null, 2).replace('12345678901234567000', '12345678901234567890'),
    );
  });
});

describe('base64', () => {
  const cases: readonly (readonly [string, string | number])[] = [
    ['YQ==', 'YQ=='],
    ['YR==', 'YQ=='],
    ['Y\nQ=\r\n=', 'YQ=='],
    ['YWI=', 'YWI='],
    ['YQ', 0],
    ['YQ=', 3],
    ['YWJjYQ=x', 6],
    ['YQ==YQ==', 4],
    ['=', 0],
    ['YWJ*', 3],
  ];
  for (const [text, expected] of cases) {
    test(JSON.stringify(text), () => {
      const found = normalizeBase64(text);
      assert.deepEqual(found, typeof expected === 'string' ? expected : { wrongAt: expected });
    });
  }
  test('bytes there and back', () => {
    for (let length = 0; length < 70; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 37) & 255);
      assert.equal(encodeBase64(bytes), Buffer.from(bytes).toString('base64'));
      assert.deepEqual(base64ToBytes(encodeBase64(bytes)), bytes);
    }
  });
});

describe('YAML', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a: yes\nb: off\nc: ~\nd: "yes"', '{"a":true,"b":false,"c":null,"d":"yes"}'],
    [
      'a: 017\nb: 0x1F\nc: 1_000\nd: .5\ne: 1.0\nf: 9223372036854775807',
      '{"a":15,"b":31,"c":1000,"d":0.5,"e":1,"f":9223372036854775807}',
    ],
    ['a: 2026-01-02\nb: 1:30\nc: 1.2.3', '{"a":"2026-01-02","b":"1:30","c":"1.2.3"}'],
    ['base: &b {x: 1, z: 1}\nz: {<<: *b, x: 2}', '{"base":{"x":1,"z":1},"z":{"x":2,"z":1}}'],
    ['1: a\ntrue: b', '{"1":"a","true":"b"}'],
    ['a: |\n  x\n  y\nb: >-\n  x\n  y', '{"a":"x\\ny\\n","b":"x y"}'],
    ['a: !!str 5', '{"a":"5"}'],
    ['--- a\n--- b', '"a"'],
    ['', 'null'],
  ];
  for (const [yaml, json] of cases) test(JSON.stringify(yaml), () => assert.equal(yamlToJson(yaml).json, json));

  const broken: readonly (readonly [string, string])[] = [
    ['a: b: c', 'yaml: mapping values are not allowed in this context'],
    ['a:\n\tb: c', 'yaml: line 2: found character that cannot start any token'],
    ['a: *b', "yaml: unknown anchor 'b' referenced"],
  ];
  for (const [yaml, message] of broken) {
    test(`${JSON.stringify(yaml)}: ${message}`, () => assert.throws(() => yamlToJson(yaml), new DecodeError(message)));
  }

  test('a few lines cannot stand for billions of values', () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 9; i++) text += `a${i}: &a${i} [${new Array(10).fill(`*a${i - 1}`).join(', ')}]\n`;
    assert.throws(() => yamlToJson(text), new DecodeError('yaml: document contains excessive aliasing'));
  });

  test('duplicate keys are counted out by line; the later value is taken', () => {
    const text = 'kind: Thing\nmetadata: {name: a}\ncount: 1\ncount: 2\nodd: 1\n';
    const { object, errors } = decodeYaml<{ count: number }>(set, thing, text, { strict: true });
    assert.equal(object.count, 2);
    assert.deepEqual(errors, [
      'yaml: unmarshal errors:\n  line 4: key "count" already set in map',
      'unknown field "odd"',
    ]);
  });

  test('what is written is read again as it was, in upstream’s quotes', () => {
    const object = {
      z: 2n ** 62n,
      text: 'a\nb\n',
      yes: 'yes',
      n: '0777',
      at: '2026-01-02T03:04:05Z',
      list: ['- x', { k: '' }],
      e: {},
      star: '*x',
    };
    const text = encodeYaml(object);
    assert.equal(
      text,
      'at: "2026-01-02T03:04:05Z"\ne: {}\nlist:\n- \'- x\'\n- k: ""\n"n": "0777"\nstar: \'*x\'\ntext: |\n  a\n  b\n"yes": "yes"\nz: 4611686018427387904\n',
    );
    assert.deepEqual(decodeAny(yamlToJson(text).json), object);
  });
});

test('keys are sorted by code points, as UTF-8 is', () => {
  const keys = ['\u{1f600}', '\uffff', 'b', 'B', '', 'ba', '\ud7ff', '\ue000'];
  const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual([...keys].sort(compareKeys), byBytes);
});
