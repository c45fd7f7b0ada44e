import assert from 'node:assert/strict';
import { test } from 'node:test';
import { customSchema } from './custom-schemas.ts';

const words = {
  gvk: { group: 'example.com', version: 'v1', kind: 'Thing' },
  apiVersion: {},
  kind: {},
  metadata: { $ref: '#/ObjectMeta' },
};
const embedded = (more: object) => ({ type: 'object', 'x-kubernetes-embedded-resource': true, ...more });
const stated = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        template: embedded({
          required: ['kind'],
          properties: { spec: { type: 'object' }, metadata: { type: 'object', maxProperties: 1 } },
        }),
        list: { type: 'array', items: embedded({}) },
        open: embedded({ 'x-kubernetes-preserve-unknown-fields': true }),
      },
    },
  },
};
const known = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: words.metadata };

for (const dialect of ['v2', 'v3'] as const) {
  test(`resources within resources have the fields of resources: ${dialect}`, () => {
    const { properties } = customSchema(stated, dialect, words) as {
      properties: {
        spec: { properties: Record<string, { properties?: object; required?: string[]; items?: object }> };
      };
    };
    const { template, list, open } = properties.spec.properties;
    assert.deepEqual(template?.properties, { ...known, spec: { type: 'object' } });
    assert.deepEqual(template?.required, ['kind', 'apiVersion']);
    assert.deepEqual(list?.items, embedded({ properties: known, required: ['kind', 'apiVersion'] }));
    // What keeps anything is not described in v2.
    assert.deepEqual(open?.properties, dialect === 'v2' ? undefined : known);
    assert.deepEqual(Object.keys(properties), ['apiVersion', 'kind', 'metadata', 'spec']);
  });
}
