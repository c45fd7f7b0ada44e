import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  storageVersionHash,
} from '../../libs/machinery/discovery/discovery.ts';
import { needs, REFERENCE } from '../../tests/needs.ts';
import { builtinSchema, builtinTypeOf } from './builtin.ts';
import { builtinGroups, builtinGroupVersions } from './resources.ts';

const skip = needs('reference');
const groups = builtinGroups();
const core = groups.find(({ name }) => name === '') ?? assert.fail('no core group');
const others = groups.filter(({ name }) => name !== '');

describe('discovery of a fresh server is upstream’s', { skip }, () => {
  const expected = skip
    ? {}
    : (JSON.parse(readFileSync(join(REFERENCE, 'discovery.json'), 'utf8')) as Record<string, unknown>);
  const documents: Record<string, unknown> = {
    'GET /api': apiVersions(core, [{ clientCIDR: '0.0.0.0/0', serverAddress: '<address>' }]),
    'GET /apis': apiGroupList(groups),
    'GET /api (aggregated v2)': aggregatedDiscovery([core]),
    'GET /apis (aggregated v2)': aggregatedDiscovery(others),
    'GET /api/v1': apiResourceList('', core.versions[0] ?? assert.fail()),
  };
  for (const { name, versions } of others) {
    for (const version of versions) documents[`GET /apis/${name}/${version.version}`] = apiResourceList(name, version);
  }
  for (const path of Object.keys(expected).filter((one) => one !== 'GET /')) {
    // As text: the order of fields and of entries counts.
    test(path, () => assert.equal(JSON.stringify(documents[path], null, 1), JSON.stringify(expected[path], null, 1)));
  }
});

test('a group by itself names its versions, the preferred one first', () => {
  const autoscaling = groups.find(({ name }) => name === 'autoscaling') ?? assert.fail();
  assert.deepEqual(apiGroup(autoscaling), {
    kind: 'APIGroup',
    apiVersion: 'v1',
    name: 'autoscaling',
    versions: [
      { groupVersion: 'autoscaling/v2', version: 'v2' },
      { groupVersion: 'autoscaling/v1', version: 'v1' },
    ],
    preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
  });
});

test('the older aggregated form differs in its version alone', () => {
  const text = JSON.stringify(aggregatedDiscovery(others, 'v2beta1'));
  assert.equal(
    text.replace('apidiscovery.k8s.io/v2beta1', 'apidiscovery.k8s.io/v2'),
    JSON.stringify(aggregatedDiscovery(others)),
  );
});

test('storage version hashes can be computed', () => {
  const digest = (text: string): Uint8Array => createHash('sha256').update(text).digest();
  const hashes = groups.flatMap(({ name, versions }) =>
    versions.flatMap(({ version, resources }) => resources.map((resource) => ({ name, version, resource }))),
  );
  const wrong = hashes.filter(({ name, version, resource: { kind, storageVersionHash: hash } }) => {
    return hash !== undefined && hash !== storageVersionHash(digest, { group: name, version, kind });
  });
  // Stored in the version of another group, or in an older one.
  assert.deepEqual(
    wrong.map(({ name, version, resource }) => `${name}/${version} ${resource.kind}`),
    [
      'events.k8s.io/v1 Event',
      'autoscaling/v1 HorizontalPodAutoscaler',
      'admissionregistration.k8s.io/v1 MutatingAdmissionPolicy',
      'admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding',
      'apiextensions.k8s.io/v1 CustomResourceDefinition',
    ],
  );
});

test('every kind that is served has a type', () => {
  const set = builtinSchema();
  for (const { group, version, resources } of builtinGroupVersions()) {
    for (const resource of resources) {
      for (const one of [resource, ...(resource.subresources ?? [])]) {
        const type = builtinTypeOf(one.group ?? group, one.version ?? version, one.kind);
        assert.ok(type !== undefined && set.has(type), `${group}/${version} ${resource.name}: ${one.kind}`);
      }
    }
  }
});
