// What clients read when a body does not fit: placed and worded as upstream does.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DecodeError, strictDecodingError } from '../../libs/machinery/codec/errors.ts';
import { decodeJson, readTypeMeta } from '../../libs/machinery/codec/json.ts';
import { needs, REFERENCE } from '../../tests/needs.ts';
import { builtinSchema, builtinTypeOf } from './builtin.ts';

const set = builtinSchema();

function outcome(type: string, text: string): string {
  try {
    const { errors } = decodeJson(set, type, text, { strict: true });
    return errors.length === 0 ? 'fine' : strictDecodingError(errors);
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    return error.message;
  }
}

const field = (struct: string, path: string, what: string, type: string): string =>
  `json: cannot unmarshal ${what} into Go struct field ${struct}.${path} of type ${type}`;

const pod = (spec: string): string => `{"kind":"Pod","apiVersion":"v1","spec":${spec}}`;

const cases: readonly (readonly [string, string, string, string])[] = [
  ['a struct', 'core.v1.Pod', pod('[]'), field('Pod', 'spec', 'array', 'v1.PodSpec')],
  ['a list', 'core.v1.Pod', pod('{"containers":{}}'), field('PodSpec', 'spec.containers', 'object', '[]v1.Container')],
  [
    'an item',
    'core.v1.Pod',
    pod('{"containers":["a"]}'),
    field('PodSpec', 'spec.containers', 'string', 'v1.Container'),
  ],
  [
    'a field of an item',
    'core.v1.Pod',
    pod('{"containers":[{"name":1}]}'),
    field('Container', 'spec.containers.name', 'number', 'string'),
  ],
  [
    'a named string',
    'core.v1.Pod',
    pod('{"restartPolicy":true}'),
    field('PodSpec', 'spec.restartPolicy', 'bool', 'v1.RestartPolicy'),
  ],
  ['a pointer', 'core.v1.Pod', pod('{"priority":"high"}'), field('PodSpec', 'spec.priority', 'string', 'int32')],
  [
    'a number out of range',
    'core.v1.Pod',
    pod('{"priority":2147483648}'),
    field('PodSpec', 'spec.priority', 'number 2147483648', 'int32'),
  ],
  ['a fraction', 'core.v1.Pod', pod('{"priority":1.0}'), field('PodSpec', 'spec.priority', 'number 1.0', 'int32')],
  [
    'beyond 64 bits',
    'core.v1.Pod',
    pod('{"activeDeadlineSeconds":9223372036854775808}'),
    field('PodSpec', 'spec.activeDeadlineSeconds', 'number 9223372036854775808', 'int64'),
  ],
  ['a map', 'core.v1.ConfigMap', '{"data":[]}', field('ConfigMap', 'data', 'array', 'map[string]string')],
  ['a value in a map', 'core.v1.ConfigMap', '{"data":{"k":1}}', field('ConfigMap', 'data', 'number', 'string')],
  [
    'through an embedded struct',
    'core.v1.Pod',
    pod('{"volumes":[{"emptyDir":{"medium":1}}]}'),
    field('EmptyDirVolumeSource', 'spec.volumes.VolumeSource.emptyDir.medium', 'number', 'v1.StorageMedium'),
  ],
  [
    'in metadata',
    'core.v1.Pod',
    '{"metadata":{"labels":"a=b"}}',
    field('ObjectMeta', 'metadata.labels', 'string', 'map[string]string'),
  ],
  [
    'an int or string',
    'core.v1.Service',
    '{"spec":{"ports":[{"targetPort":[]}]}}',
    field('ServicePort', 'spec.ports.targetPort', 'array', 'int32'),
  ],
  [
    'a time that is no string',
    'core.v1.Event',
    '{"firstTimestamp":1}',
    field('Event', 'firstTimestamp', 'number', 'string'),
  ],
  [
    'a schema where a bool stands',
    'apiextensions.v1.JSONSchemaProps',
    '{"additionalProperties":"yes"}',
    'boolean or JSON schema expected',
  ],
  [
    'the first of two',
    'core.v1.Pod',
    pod('{"priority":"a","nodeName":1}'),
    field('PodSpec', 'spec.priority', 'string', 'int32'),
  ],
  [
    'a quantity wins over a wrong type before it',
    'core.v1.Pod',
    pod('{"priority":"a","overhead":{"cpu":"x"}}'),
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  ['base64', 'core.v1.Secret', '{"data":{"k":"YQ="}}', 'illegal base64 data at input byte 3'],
  ['base64 that ends early', 'core.v1.Secret', '{"data":{"k":"YWJjYQ"}}', 'illegal base64 data at input byte 4'],
  ['no object at all', 'core.v1.Pod', '[]', 'json: cannot unmarshal array into Go value of type v1.Pod'],
  ['no JSON', 'core.v1.Pod', '{"kind":"Pod",}', "invalid character '}' looking for beginning of object key string"],
  ['half of it', 'core.v1.Pod', '{"kind":', 'unexpected end of JSON input'],
  [
    'unknown fields',
    'core.v1.Pod',
    pod('{"containers":[{"name":"a","foo":1}],"bar":{}}'),
    'strict decoding error: unknown field "spec.containers[0].foo", unknown field "spec.bar"',
  ],
  [
    'a duplicate field',
    'core.v1.Pod',
    pod('{"nodeName":"a","nodeName":"b"}'),
    'strict decoding error: duplicate field "spec.nodeName"',
  ],
  [
    'a duplicate key of a map',
    'core.v1.ConfigMap',
    '{"data":{"k":"a","k":"b","k":"c"}}',
    'strict decoding error: duplicate field "data.k"',
  ],
  ['names are case-sensitive', 'core.v1.ConfigMap', '{"Data":{}}', 'strict decoding error: unknown field "Data"'],
  [
    'names of Object are no fields',
    'core.v1.ConfigMap',
    '{"constructor":1,"__proto__":2}',
    'strict decoding error: unknown field "constructor", unknown field "__proto__"',
  ],
  ['null is nothing anywhere', 'core.v1.Pod', '{"metadata":null,"spec":{"containers":[null],"priority":null}}', 'fine'],
  ['free content may repeat itself', 'apps.v1.ControllerRevision', '{"data":{"a":1,"a":2}}', 'fine'],
];

describe('decode errors', () => {
  for (const [name, type, text, expected] of cases) test(name, () => assert.equal(outcome(type, text), expected));

  test('without strict, the last duplicate counts and structs are merged', () => {
    const text = '{"data":{"k":"a","k":"b"},"metadata":{"name":"x"},"metadata":{"uid":"u"}}';
    const { object, errors } = decodeJson(set, 'core.v1.ConfigMap', text);
    assert.deepEqual(errors, []);
    assert.deepEqual(object, { metadata: { name: 'x', uid: 'u' }, data: { k: 'b' } });
  });

  test('nesting is bounded', () => {
    const deep = '['.repeat(10_001) + ']'.repeat(10_001);
    assert.equal(outcome('core.v1.ConfigMap', `{"x":${deep}}`), "invalid character '[' exceeded max depth");
  });
});

interface Case {
  id: string;
  steps: { m: string; p: string; h?: Record<string, string>; b?: unknown; quiet?: boolean }[];
  answers?: { code: number; body?: { message?: string } }[];
}

/** What stood in place of these was different for every run that was recorded. */
const masked = /<time>|<uid|<rv|<ip/;

describe('upstream’s recorded answers', { skip: needs('reference') }, () => {
  const folder = join(REFERENCE, 'answers');
  const files = needs('reference') ? [] : readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  for (const file of files) {
    test(file, () => {
      const lines = readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean);
      for (const line of lines) {
        const { id, steps, answers = [] } = JSON.parse(line) as Case;
        answers.forEach((answer, i) => {
          // Quiet steps prepare and are not answered.
          const step = steps.filter(({ quiet }) => !quiet)[i];
          const message = typeof answer.body?.message === 'string' ? answer.body.message : '';
          const refusedBefore = [401, 403, 404, 405, 413, 415].includes(answer.code);
          if (step && !refusedBefore && /POST|PUT/.test(step.m)) compare(`${file} ${id}`, step, message);
        });
      }
    });
  }
});

function compare(id: string, step: Case['steps'][number], message: string): void {
  const media = Object.entries(step.h ?? {}).find(([name]) => name.toLowerCase() === 'content-type')?.[1];
  const text = typeof step.b === 'string' ? step.b : (JSON.stringify(step.b) ?? '');
  const isTemplate = text.includes('"caBundle":"{');
  if (step.b === undefined || isTemplate || (typeof media === 'string' && !media.includes('json'))) return;
  let meta: { apiVersion: string; kind: string };
  try {
    meta = readTypeMeta(text);
  } catch (error) {
    assert.ok(message.includes((error as Error).message), `${id}: ${(error as Error).message}`);
    return;
  }
  const [version = '', group = ''] = meta.apiVersion.split('/').reverse();
  const type = builtinTypeOf(group, version, meta.kind);
  // Custom kinds have no type here; a body of another kind than the path's is not a matter of decoding.
  if (type === undefined || message.includes('unknown conversion')) return;
  const found = outcome(type, text);
  const expected = / cannot be handled as a \w+: (.*)$/s.exec(message)?.[1];
  const strict = step.p.includes('fieldValidation=Strict');
  if (found.startsWith('strict decoding error') && expected === undefined && !strict) return;
  if (expected === undefined) assert.equal(found, 'fine', id);
  else if (masked.test(expected)) assert.match(found, /^parsing time/, id);
  else assert.equal(found, expected, id);
}
