import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeV2, urlInIndex } from './remote-openapi.ts';

const ref = (name: string) => ({ $ref: `#/definitions/${name}` });
const answer = (name: string) => ({ get: { responses: { 200: { schema: ref(name) } } } });

describe('OpenAPI of extension API servers', () => {
  const own = {
    swagger: '2.0',
    paths: { '/api/v1/pods': answer('Pod') },
    definitions: { Pod: { type: 'object' }, Meta: { type: 'object' }, Time: { type: 'string' } },
  };
  const v2 = {
    paths: {
      '/apis/metrics.example.com/v1/pods': answer('PodMetrics'),
      '/apis/metrics.example.com/v10/pods': answer('Other'),
      '/api/v1/pods': answer('Other'),
    },
    definitions: {
      PodMetrics: { properties: { metadata: ref('Meta'), at: ref('Time') } },
      Meta: { type: 'object', properties: { self: ref('Meta') } },
      Time: { type: 'string' },
      Other: {},
    },
  };

  it('adds the paths of its own version and what they lead to, under names that are free', () => {
    const merged = mergeV2(own, [{ groupVersion: 'metrics.example.com/v1', v3Url: undefined, v2 }]);
    assert.deepEqual(merged, {
      swagger: '2.0',
      paths: { '/api/v1/pods': answer('Pod'), '/apis/metrics.example.com/v1/pods': answer('PodMetrics') },
      definitions: {
        ...own.definitions,
        PodMetrics: { properties: { metadata: ref('Meta_v2'), at: ref('Time') } },
        Meta_v2: { type: 'object', properties: { self: ref('Meta_v2') } },
      },
    });
  });

  for (const [why, document] of [
    ['nothing', undefined],
    ['paths that are none', { paths: 3, definitions: null }],
    ['items that are none', { paths: { '/apis/metrics.example.com/v1': 'x' } }],
    ['references that lead nowhere', { paths: { '/apis/other/v1': answer('Nobody') } }],
  ] as const) {
    it(`keeps its own where a remote tells ${why}`, () =>
      assert.deepEqual(
        mergeV2(own, [{ groupVersion: 'metrics.example.com/v1', v3Url: undefined, v2: document }]),
        own,
      ));
  }

  for (const [index, url] of [
    [{ paths: { 'apis/a/v1': { serverRelativeURL: '/openapi/v3/apis/a/v1?hash=X' } } }, '/openapi/v3/apis/a/v1?hash=X'],
    [{ paths: { 'apis/a/v1': { serverRelativeURL: 'https://elsewhere/' } } }, undefined],
    [{ paths: { 'apis/a/v2': {} } }, undefined],
    [[], undefined],
    [undefined, undefined],
  ] as const) {
    it(`finds ${url} in ${JSON.stringify(index)}`, () => assert.equal(urlInIndex(index, 'a/v1'), url));
  }
});
