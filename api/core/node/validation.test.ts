import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Node, NodeSpec, NodeStatus } from '../../types/core/v1.generated.ts';
import { validateNode, validateNodeStatusUpdate, validateNodeUpdate } from './validation.ts';

const node = (spec: Partial<NodeSpec>, status: Partial<NodeStatus> = {}): Node =>
  ({ metadata: { name: 'n' }, spec, status }) as Node;
const texts = (errors: ReturnType<typeof validateNode>) => errors.map(textOf);

describe('a node is refused', () => {
  const cases: [string, Node, string[]][] = [
    ['two families', node({ podCIDRs: ['10.0.0.0/24', 'fd00::/64'] }), []],
    [
      'one network twice',
      node({ podCIDRs: ['10.0.0.0/24', '10.0.0.0/24'] }),
      [
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP family',
        'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
      ],
    ],
    [
      'an effect that there is not',
      node({ taints: [{ key: 'k', effect: 'Never' }] as NodeSpec['taints'] & object }),
      [
        'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
  ];
  for (const [what, of, wanted] of cases) test(what, () => assert.deepEqual(texts(validateNode(of)), wanted));
});

describe('a change of a node is refused', () => {
  const podCidrs = 'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid';
  const cases: [string, Partial<NodeSpec>, Partial<NodeSpec>, string[]][] = [
    ['a first network', {}, { podCIDRs: ['10.0.0.0/24'] }, []],
    ['another network', { podCIDRs: ['10.0.0.0/24'] }, { podCIDRs: ['10.0.1.0/24'] }, [podCidrs]],
    ['no network', { podCIDRs: ['10.0.0.0/24', 'fd00::/64'] }, {}, [podCidrs]],
    [
      'two other networks',
      { podCIDRs: ['10.0.0.0/24', 'fd00::/64'] },
      { podCIDRs: ['10.0.1.0/24', 'fd00:1::/64'] },
      [podCidrs, podCidrs],
    ],
    [
      'another provider',
      { providerID: 'a' },
      { providerID: 'b' },
      ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ],
    ['an external name', {}, { externalID: 'x' }, ['spec.externalID: Forbidden: may not be updated']],
    ['cordoned', {}, { unschedulable: true }, []],
  ];
  for (const [what, from, to, wanted] of cases) {
    test(what, () => assert.deepEqual(texts(validateNodeUpdate(node(to), node(from))), wanted));
  }
});

describe('what a node says of itself is refused', () => {
  const form =
    "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";
  const at = 'status.declaredFeatures';
  const cases: [string, Partial<NodeStatus>, string[]][] = [
    ['features in order', { declaredFeatures: ['A', 'B/c', 'B/d'] }, []],
    [
      'features out of order, and twice',
      { declaredFeatures: ['B', 'A', 'A'] },
      [`${at}[1]: Invalid value: "A": list must be sorted alphabetically`, `${at}[2]: Duplicate value: "A"`],
    ],
    [
      'names that are none',
      { declaredFeatures: ['A-b', 'x'] },
      [
        `${at}[0]: Invalid value: "A-b": invalid feature name "A-b": ${form}`,
        `${at}[1]: Invalid value: "x": invalid feature name "x": ${form}`,
      ],
    ],
    [
      'an address twice',
      { addresses: [1, 2].map(() => ({ type: 'InternalIP', address: '10.0.0.1' })) },
      ['status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"10.0.0.1"}'],
    ],
  ];
  for (const [what, status, wanted] of cases) {
    test(what, () => assert.deepEqual(texts(validateNodeStatusUpdate(node({}, status))), wanted));
  }
});
