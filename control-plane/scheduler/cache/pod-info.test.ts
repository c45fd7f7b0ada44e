import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from './cluster-objects.ts';
import { PodReader } from './pod-info.ts';

const SPEC = { containers: [{ name: 'web', image: 'shop/web:1', resources: { requests: { cpu: '100m' } } }] };
const pod = (status: object): Pod =>
  ({ metadata: { name: 'web', namespace: 'default', uid: '1' }, spec: SPEC, status }) as unknown as Pod;
const given = (cpu: string, more: object = {}) => ({
  containerStatuses: [{ name: 'web', resources: { requests: { cpu } }, allocatedResources: { cpu }, ...more }],
});
const PENDING = { type: 'PodResizePending', status: 'True', reason: 'Infeasible' };

describe('the template of a pod that has changed', () => {
  const cases: readonly [what: string, before: object, now: object, same: boolean][] = [
    ['its phase', { phase: 'Pending' }, { phase: 'Running' }, true],
    ['a container that says nothing of resources', {}, { containerStatuses: [{ name: 'web', resources: {} }] }, true],
    ['a container that is ready, and has what it had', given('100m'), given('100m', { ready: true }), true],
    ['what a container has', given('100m'), given('200m'), false],
    ['what a container has been given first', {}, given('200m'), false],
    ['a resize that has no room', given('200m'), { ...given('200m'), conditions: [PENDING] }, false],
  ];
  for (const [what, before, now, same] of cases) {
    it(`${same ? 'stays' : 'is another'} after a change of ${what}`, () => {
      const reader = new PodReader();
      const known = reader.read(pod(before));
      assert.equal(reader.read(pod(now), known).template === known.template, same);
      assert.equal(reader.read(pod(now)).template === known.template, same);
    });
  }
});
