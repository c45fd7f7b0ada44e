// The documents made from the schema and the resources say what upstream's published v2 document says, but for its prose.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openApiV2 } from '../../libs/machinery/openapi/document-v2.ts';
import type { OpenApiGroup } from '../../libs/machinery/openapi/operations.ts';
import { needs, REFERENCE } from '../../tests/needs.ts';
import { builtinSchema, builtinTypeOf } from './builtin.ts';
import { builtinGroupVersions } from './resources.ts';

const skip = needs('reference');
const set = builtinSchema();

/** All groups with all versions, alpha and beta ones too, as upstream publishes them. */
function everything(): OpenApiGroup[] {
  const groups = new Map<string, OpenApiGroup['versions'][number][]>();
  for (const { group, version, resources } of builtinGroupVersions()) {
    const versions = groups.get(group) ?? [];
    groups.set(group, versions);
    versions.push({ version, resources });
  }
  return [...groups].map(([name, versions]) => ({ name, versions }));
}

interface Swagger {
  definitions: Record<string, unknown>;
  paths: Record<string, Record<string, unknown>>;
  parameters: Record<string, unknown>;
}

/** Without descriptions: those are each project's own words. */
function withoutWords(value: unknown, parent = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => withoutWords(one));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(
    ([key, one]) => !(key === 'description' && typeof one === 'string' && parent !== 'properties'),
  );
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutWords(one, key)]));
}

describe('OpenAPI v2', { skip }, () => {
  const document = openApiV2(set, builtinTypeOf, everything(), { version: 'v1.36.2' }) as unknown as Swagger;
  const published = (
    skip
      ? { definitions: {}, paths: {}, parameters: {} }
      : withoutWords(JSON.parse(readFileSync(join(REFERENCE, 'swagger.json'), 'utf8')))
  ) as Swagger;
  const made = withoutWords(document) as Swagger;

  test('the same paths', () => {
    assert.deepEqual(Object.keys(made.paths).sort(), Object.keys(published.paths).sort());
  });
  for (const path of Object.keys(published.paths)) {
    test(`path ${path}`, () => assert.deepEqual(made.paths[path], published.paths[path]));
  }
  test('the same shared parameters', () => assert.deepEqual(made.parameters, published.parameters));
  test('the same definitions', () => {
    assert.deepEqual(Object.keys(made.definitions).sort(), Object.keys(published.definitions).sort());
  });
  for (const name of Object.keys(published.definitions)) {
    test(`definition ${name}`, () => assert.deepEqual(made.definitions[name], published.definitions[name]));
  }
});
