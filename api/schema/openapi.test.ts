// The documents made from the schema and the resources say what upstream's published v2 document says, but for its prose.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openApiV2 } from '../../libs/machinery/openapi/document-v2.ts';
import { openApiV3, openApiV3Index } from '../../libs/machinery/openapi/document-v3.ts';
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

interface V3 {
  paths: Swagger['paths'];
  components: { schemas: Record<string, { properties?: Record<string, unknown> }> };
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

describe('OpenAPI v3', () => {
  const groups = everything();
  const parts = openApiV3(set, builtinTypeOf, groups, { version: 'v1.36.2' });
  const documents = new Map(parts.map((part) => [part.place, part.document() as unknown as V3]));
  const v2 = openApiV2(set, builtinTypeOf, groups, { version: 'v1.36.2' }) as unknown as Swagger;

  test('the documents together have the paths and operations of v2', () => {
    const operations = (paths: Swagger['paths']): string[] =>
      Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((key) => `${key} ${path}`));
    const all = [...documents.values()].flatMap(({ paths }) => operations(paths));
    assert.deepEqual(all.sort(), operations(v2.paths).sort());
  });

  test('every reference leads to a schema of the same document, and no schema is there in vain', () => {
    for (const [place, document] of documents) {
      const wanted = new Set(JSON.stringify(document).match(/(?<="#\/components\/schemas\/)[^"]+/g));
      const there = Object.keys(document.components.schemas);
      const roots = there.filter((name) => !wanted.has(name));
      assert.deepEqual([[...wanted].filter((name) => !there.includes(name)), roots], [[], []], place);
    }
  });

  test('nothing stands beside a reference, and defaults are said', () => {
    const schemas = documents.get('apis/apps/v1')?.components.schemas ?? assert.fail('no document');
    const strategy = schemas['io.k8s.api.apps.v1.DeploymentSpec']?.properties?.['strategy'];
    assert.deepEqual(strategy, {
      allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy' }],
      'x-kubernetes-patch-strategy': 'retainKeys',
      default: {},
    });
    assert.deepEqual(schemas['io.k8s.api.core.v1.ContainerPort']?.properties?.['protocol'], {
      type: 'string',
      default: 'TCP',
    });
    assert.deepEqual(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString'], {
      oneOf: [{ type: 'integer' }, { type: 'string' }],
      format: 'int-or-string',
    });
  });

  test('the index names every document with its hash', () => {
    const { paths } = openApiV3Index(parts, ({ place }) => `hash of ${place}`) as { paths: Record<string, unknown> };
    assert.deepEqual(Object.keys(paths), [...documents.keys()].sort());
    assert.deepEqual(paths['apis/apps/v1'], {
      serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=hash of apis/apps/v1',
    });
  });
});
