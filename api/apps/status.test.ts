import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorList, path, textOf } from '../../libs/machinery/field-errors.ts';
import { validateDaemonSetStatus } from './daemonset/validation.ts';
import { validateDeploymentStatus } from './deployment/validation.ts';
import { validateReplicaCounts } from './replicaset/validation.ts';
import { validateStatefulSetStatus } from './statefulset/validation.ts';

type Validate = (now: never, old: never) => ErrorList;
const KINDS: Readonly<Record<string, Validate>> = {
  Deployment: validateDeploymentStatus,
  StatefulSet: validateStatefulSetStatus,
  DaemonSet: validateDaemonSetStatus,
};
const errorsOf = (validate: Validate, now: object, old: object = {}) =>
  validate({ status: now } as never, { status: old } as never).map(textOf);

for (const [kind, validate] of Object.entries(KINDS)) {
  test(`${kind}: collisions are counted upwards`, () => {
    const lost = (value: number) => `status.collisionCount: Invalid value: ${value}: cannot be decremented`;
    for (const [now, old, expected] of [
      [{}, {}, []],
      [{ collisionCount: 1 }, {}, []],
      [{ collisionCount: 2 }, { collisionCount: 1 }, []],
      [{ collisionCount: 1 }, { collisionCount: 2 }, [lost(1)]],
      [{}, { collisionCount: 2 }, [lost(0)]],
    ] as const) {
      assert.deepEqual(errorsOf(validate, now, old), expected, JSON.stringify([now, old]));
    }
  });
}

/** What is reported, and the fields that are wrong. */
const COUNTS: readonly (readonly [Validate, object, readonly string[]])[] = [
  [validateDeploymentStatus, { replicas: 1, updatedReplicas: 2 }, ['updatedReplicas']],
  [validateDeploymentStatus, { replicas: 3, readyReplicas: 1, availableReplicas: 2 }, ['availableReplicas']],
  [validateStatefulSetStatus, { replicas: 1, currentReplicas: 2 }, ['currentReplicas']],
  [validateStatefulSetStatus, { replicas: 3, readyReplicas: 1, availableReplicas: 2 }, ['availableReplicas']],
  [validateDaemonSetStatus, { numberReady: -1, observedGeneration: -1 }, ['numberReady', 'observedGeneration']],
  [
    ({ status }: { status: object }) => validateReplicaCounts(status, path('status')),
    { fullyLabeledReplicas: 1 },
    ['fullyLabeledReplicas'],
  ],
];

for (const [validate, status, wrong] of COUNTS) {
  test(JSON.stringify(status), () => {
    const fields = validate({ status } as never, {} as never).map(({ field }) => field);
    assert.deepEqual(
      fields,
      wrong.map((name) => `status.${name}`),
    );
  });
}
