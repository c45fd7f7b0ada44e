import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { mattersToServices } from '../../../discovery/endpointslice/controller/controller.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { countsOtherwise } from './pod-state.ts';

const READY = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:05Z' };
const BASE = {
  metadata: { namespace: 'default', name: 'web', uid: '1', resourceVersion: '1', labels: { app: 'web' } },
  spec: { nodeName: 'node-1', containers: [] },
  status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions: [READY] },
};

/** The base with some members changed, by part. */
const pod = (change: { metadata?: object; spec?: object; status?: object }) =>
  ({
    metadata: { ...BASE.metadata, ...change.metadata },
    spec: { ...BASE.spec, ...change.spec },
    status: { ...BASE.status, ...change.status },
  }) as unknown as Live<Pod>;

describe('a change of a pod that is not ready', () => {
  const UNREADY = { ...READY, status: 'False' };
  const unready = (conditions: readonly object[], status: object = {}) => pod({ status: { conditions, ...status } });
  it('counts nowhere, where it is not ready for another reason', () => {
    const [now, before] = [unready([{ ...UNREADY, lastTransitionTime: '2026-01-01T00:00:07Z' }]), unready([])];
    assert.equal(countsOtherwise(now, before), false);
    assert.equal(mattersToServices(now, before), false);
  });
});

describe('a change of a pod', () => {
  const cases: readonly [what: string, change: Parameters<typeof pod>[0], counts: boolean, toServices: boolean][] = [
    ['another revision', { metadata: { resourceVersion: '2' } }, false, false],
    ['a condition that is not Ready', { status: { conditions: [READY, { type: 'Initialized' }] } }, false, false],
    ['its start, while it waits', { status: { phase: 'Pending' } }, false, false],
    ['a deletion', { metadata: { deletionTimestamp: '2026-01-01T00:00:09Z' } }, true, true],
    ['its end', { status: { phase: 'Failed' } }, true, true],
    ['no longer ready', { status: { conditions: [{ ...READY, status: 'False' }] } }, true, true],
    ['ready anew', { status: { conditions: [{ ...READY, lastTransitionTime: '2026-01-01T00:00:07Z' }] } }, true, true],
    ['never ready', { status: { conditions: [] } }, true, true],
    ['ready, its time untold', { status: { conditions: [{ type: 'Ready', status: 'True' }] } }, true, true],
    ['its node', { spec: { nodeName: 'node-2' } }, false, true],
    ['its addresses', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }, false, true],
    ['its labels', { metadata: { labels: { app: 'other' } } }, false, true],
  ];
  for (const [what, change, counts, toServices] of cases) {
    it(what, () => {
      for (const [now, before] of [
        [pod(change), pod({})],
        [pod({}), pod(change)],
      ] as const) {
        assert.equal(countsOtherwise(now, before), counts);
        assert.equal(mattersToServices(now, before), toServices);
      }
    });
  }
});
