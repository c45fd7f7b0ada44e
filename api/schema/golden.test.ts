// One maximal object per kind of four groups, as upstream writes it in JSON, YAML and protobuf. Each form decodes to the
// same object and is written again to the byte.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeJson, encodeJson, normalize, prettyJson, readTypeMeta } from '../../libs/machinery/codec/json.ts';
import {
  decodeProtobuf,
  decodeProtobufBody,
  encodeProtobuf,
  readEnvelope,
} from '../../libs/machinery/codec/protobuf/protobuf.ts';
import { decodeYaml, encodeYaml } from '../../libs/machinery/codec/yaml.ts';
import { needs, REFERENCE } from '../../tests/needs.ts';
import { builtinSchema, builtinTypeOf } from './builtin.ts';

const folder = join(REFERENCE, 'golden');
const skip = needs('reference');
const set = builtinSchema();

/** `rbac.authorization.k8s.io.v1.Role.json` → its type; WatchEvent alone says nothing about itself. */
function typeNamed(file: string): string {
  const [kind = '', version = '', ...group] = file.replace('.json', '').split('.').reverse();
  const groupName = group.reverse().join('.');
  return builtinTypeOf(groupName === 'core' ? '' : groupName, version, kind) ?? assert.fail(`no type for ${file}`);
}

describe('golden objects', { skip }, () => {
  for (const file of skip ? [] : readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const type = typeNamed(file);
    const json = readFileSync(join(folder, file), 'utf8');
    const protobuf = readFileSync(join(folder, file.replace('.json', '.pb')));
    const yaml = readFileSync(join(folder, file.replace('.json', '.yaml')), 'utf8');

    test(`${type}: JSON comes back equal to the byte`, () => {
      const { object, errors } = decodeJson(set, type, json, { strict: true });
      assert.deepEqual(errors, []);
      assert.equal(prettyJson(encodeJson(set, type, object, { canonical: true })), json);
      assert.deepEqual(normalize(set, type, object), object);
    });

    test(`${type}: protobuf comes back equal to the byte`, () => {
      const { object } = decodeJson(set, type, json);
      assert.deepEqual(Buffer.from(encodeProtobuf(set, type, object)), protobuf);
      const named = readTypeMeta(json).kind !== '';
      const back = named
        ? decodeProtobuf(set, builtinTypeOf, protobuf).object
        : decodeProtobufBody(set, type, readEnvelope(protobuf).raw);
      assert.equal(prettyJson(encodeJson(set, type, back, { canonical: true })), json);
    });

    test(`${type}: YAML comes back equal to the byte`, () => {
      const { object, errors } = decodeYaml(set, type, yaml, { strict: true });
      assert.deepEqual(errors, []);
      assert.equal(prettyJson(encodeJson(set, type, object, { canonical: true })), json);
      assert.equal(encodeYaml(object), yaml);
    });
  }
});
