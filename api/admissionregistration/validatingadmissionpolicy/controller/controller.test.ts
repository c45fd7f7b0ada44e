import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { validatingAdmissionPolicies } from '../../../resources.ts';
import type {
  RuleWithOperations,
  ValidatingAdmissionPolicy,
} from '../../../types/admissionregistration/v1.generated.ts';
import { kindsToCheck, resourcesOf } from './type-check.ts';

const rule = (groups: string[], resources: string[], versions = ['v1']): RuleWithOperations => ({
  apiGroups: groups,
  apiVersions: versions,
  operations: ['CREATE', 'UPDATE'],
  resources,
});

const policy = (name: string, rules: RuleWithOperations[], more: Partial<ValidatingAdmissionPolicy['spec']>) => ({
  metadata: { name },
  spec: { matchConstraints: { resourceRules: rules }, ...more },
});

const DEPLOYMENTS = [rule(['apps'], ['deployments'])];

test('which resources a rule names', () => {
  for (const [of, wanted] of [
    [rule(['apps'], ['deployments', 'deployments/scale']), ['apps/v1/deployments']],
    [rule(['apps', ''], ['pods']), ['/v1/pods', 'apps/v1/pods']],
    [rule(['*'], ['pods']), []],
    [rule([''], ['pods'], ['*']), []],
    [rule([''], ['*', 'pods/*']), []],
  ] as const) {
    assert.deepEqual(
      resourcesOf(of).map(({ group, version, resource }) => `${group}/${version}/${resource}`),
      wanted,
    );
  }
});

test('of a rule that names many, ten kinds are looked at', async () => {
  const many = rule(
    ['g'],
    Array.from({ length: 30 }, (_, i) => `r${i}`),
  );
  const kinds = await kindsToCheck(policy('p', [many, rule(['a'], ['x'])], {}), async ({ resource }) => resource);
  assert.deepEqual([kinds.length, kinds[0]?.group], [11, 'a']);
  assert.deepEqual(await kindsToCheck(policy('p', [many], {}), async () => undefined), []);
});

test('policies are checked against the types that they match, and again when they change', async () => {
  await using cluster = await createCluster({
    seed: 1,
    controllers: ['validatingadmissionpolicy-status-controller'],
  });
  const client = cluster.client.resource(validatingAdmissionPolicies);
  const warningsOf = async (name: string, generation = 1) => {
    const { status } = await cluster.until(async () => {
      const found = await client.get(name);
      return Number(found.status?.observedGeneration ?? 0) >= generation ? found : undefined;
    });
    assert.ok(status?.typeChecking, name);
    return status.typeChecking.expressionWarnings;
  };

  const wrong =
    "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n";
  for (const [name, rules, spec, wanted] of [
    ['right', DEPLOYMENTS, { validations: [{ expression: 'object.spec.replicas <= 5' }] }, undefined],
    [
      'wrong',
      DEPLOYMENTS,
      { validations: [{ expression: 'object.replicas > 1' }] },
      [{ fieldRef: 'spec.validations[0].expression', warning: wrong }],
    ],
    [
      'quantities',
      DEPLOYMENTS,
      {
        validations: [
          {
            expression:
              "quantity(object.spec.template.spec.containers[0].resources.limits['cpu']).isGreaterThan(quantity('1'))",
          },
        ],
      },
      undefined,
    ],
    [
      'ports',
      [rule([''], ['services'])],
      { validations: [{ expression: 'object.spec.ports.all(p, p.targetPort == 80 || p.targetPort == "http")' }] },
      undefined,
    ],
    ['anything', [rule(['*'], ['*'])], { validations: [{ expression: 'object.replicas > 1' }] }, undefined],
    [
      'old',
      DEPLOYMENTS,
      { validations: [{ expression: 'oldObject == null || oldObject.metadata.labels.size() > 0' }] },
      undefined,
    ],
  ] as const) {
    await client.create(policy(name, [...rules], spec as never) as never);
    assert.deepEqual(await warningsOf(name), wanted, name);
  }

  const spec = {
    validations: [{ expression: 'variables.n > 1', messageExpression: 'string(object.spec.nope)' }],
    variables: [{ name: 'n', expression: 'object.metadata.name' }],
  };
  await client.create(policy('parts', [rule(['apps'], ['deployments', 'daemonsets'])], spec) as never);
  const warnings = await warningsOf('parts');
  assert.deepEqual(
    warnings?.map(({ fieldRef, warning }) => [fieldRef, warning.match(/^apps.*$/gm)]),
    [
      [
        'spec.validations[0].expression',
        ['DaemonSet', 'Deployment'].map(
          (kind) =>
            `apps/v1, Kind=${kind}: ERROR: <input>:1:13: found no matching overload for '_>_' applied to '(string, int)'`,
        ),
      ],
      [
        'spec.validations[0].messageExpression',
        ['DaemonSet', 'Deployment'].map((kind) => `apps/v1, Kind=${kind}: ERROR: <input>:1:19: undefined field 'nope'`),
      ],
    ],
  );

  const right = { spec: { validations: [{ expression: 'object.spec.replicas > 1' }] } };
  await client.patch('wrong', right, { type: 'merge' });
  assert.equal(await warningsOf('wrong', 2), undefined);
});
