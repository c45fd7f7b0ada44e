import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerResources } from './resources.ts';

const GIB = 2 ** 30;
const of = (container: object, spec: object = {}) => {
  const one = { name: 'main', ...container };
  return containerResources({ metadata: {}, spec: { containers: [one, { name: 'other' }], ...spec } }, one, 8 * GIB);
};

describe('what a container may use', () => {
  test('its own limits and requests', () => {
    const resources = { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '500m', memory: '2Gi' } };
    const { cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj } = of({ resources });
    assert.deepEqual([cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj], [50_000, 256, 2 * GIB, 875]);
  });

  test('nothing said: no limits, and killed first', () => {
    const { cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj } = of({});
    assert.deepEqual([cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj], [0, 2, 0, 1000]);
  });

  test('limits of the pod are each container’s, where it has none; requests are shared', () => {
    const spec = { resources: { requests: { cpu: '1', memory: '2Gi' }, limits: { cpu: '2', memory: '4Gi' } } };
    const { cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj } = of({}, spec);
    assert.deepEqual([cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj], [200_000, 2, 4 * GIB, 875]);
    const own = of({ resources: { limits: { memory: '1Gi' } } }, spec);
    assert.deepEqual([own.cpuQuota, own.memoryLimitInBytes], [200_000, GIB]);
  });
});
