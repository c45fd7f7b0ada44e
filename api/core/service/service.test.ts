import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Service, ServiceSpec } from '../../types/core/v1.generated.ts';
import { defaultService } from './defaults.ts';
import { dropFieldsOfOldType, keepAllocated, normalizeClusterIPs } from './transitions.ts';
import { validateService, validateServiceUpdate } from './validation.ts';

const service = (spec: Partial<ServiceSpec>): Service => {
  const made: Service = { metadata: { name: 'web', namespace: 'default' }, spec: structuredClone(spec) as ServiceSpec };
  defaultService(made);
  return made;
};
const ports = [{ port: 80, protocol: 'TCP', targetPort: 80 }];
const addressed = {
  clusterIP: '10.96.0.7',
  clusterIPs: ['10.96.0.7'],
  ipFamilies: ['IPv4'],
  ipFamilyPolicy: 'SingleStack',
};
const clusterIp = { type: 'ClusterIP', ports, ...addressed };
const nodePort = { ...clusterIp, type: 'NodePort', ports: [{ ...ports[0], port: 80, nodePort: 30080 }] };
const texts = (errors: ReturnType<typeof validateService>) => errors.map(textOf);

test('defaults: ports lead to themselves, affinity lasts three hours, policies are the cluster’s', () => {
  const made = service({
    type: 'LoadBalancer',
    sessionAffinity: 'ClientIP',
    ports: [{ port: 80 }] as ServiceSpec['ports'],
  });
  assert.deepEqual(made.spec, {
    type: 'LoadBalancer',
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    allocateLoadBalancerNodePorts: true,
  });
});

describe('what a change does to fields that the server fills', () => {
  const change = (from: object, to: object) => {
    const [old, draft] = [service(from), service(to)];
    keepAllocated(draft, old);
    normalizeClusterIPs(draft, old);
    dropFieldsOfOldType(draft, old);
    return draft.spec as ServiceSpec;
  };
  test('an address that is left out stays', () => {
    assert.equal(change(clusterIp, { type: 'ClusterIP', ports }).clusterIP, '10.96.0.7');
  });
  test('a node port that is left out stays with its port', () => {
    assert.equal(change(nodePort, { ...nodePort, ports }).ports?.[0]?.nodePort, 30080);
  });
  test('a ClusterIP service has no node ports', () => {
    assert.equal(change(nodePort, { ...nodePort, type: 'ClusterIP' }).ports?.[0]?.nodePort, undefined);
  });
  test('an ExternalName service has no address', () => {
    const spec = change(clusterIp, { ...clusterIp, type: 'ExternalName', externalName: 'a.b' });
    assert.deepEqual([spec.clusterIP, spec.clusterIPs, spec.ipFamilies], [undefined, undefined, undefined]);
  });
  test('a change of the one field is a change of the other', () => {
    assert.deepEqual(change(clusterIp, { ...clusterIp, clusterIP: '10.96.0.8' }).clusterIPs, ['10.96.0.8']);
  });
});

describe('refused', () => {
  const cases: [string, Partial<ServiceSpec>, string[]][] = [
    ['no ports', { ...addressed, type: 'ClusterIP' }, ['spec.ports: Required value']],
    [
      'two ports without names',
      { ...clusterIp, ports: [{ port: 80 }, { port: 81 }] as never },
      ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
    ],
    [
      'a node port on a ClusterIP service',
      { ...nodePort, type: 'ClusterIP' },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'a headless NodePort service',
      { ...nodePort, clusterIP: 'None', clusterIPs: ['None'] },
      [`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`],
    ],
    [
      'the second of the two address fields alone',
      { ...clusterIp, clusterIP: '' },
      ['spec.clusterIPs: Invalid value: ["10.96.0.7"]: must be empty when `clusterIP` is not specified'],
    ],
    [
      'an address of another family',
      { ...clusterIp, ipFamilies: ['IPv6'] },
      ['spec.clusterIPs[0]: Invalid value: "10.96.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`'],
    ],
    [
      'a health check port without need',
      { ...clusterIp, healthCheckNodePort: 31000 },
      [
        "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ],
    ],
  ];
  for (const [what, spec, wanted] of cases)
    test(what, () => assert.deepEqual(texts(validateService(service(spec))), wanted));

  test('another first address', () => {
    const changed = { ...clusterIp, clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'] };
    assert.deepEqual(texts(validateServiceUpdate(service(changed), service(clusterIp))), [
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set',
    ]);
  });

  const balanced = {
    ...nodePort,
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31000,
  } as const;
  const changes: [string, Partial<ServiceSpec>, Partial<ServiceSpec>, string[]][] = [
    [
      'another port for health checks',
      balanced,
      { ...balanced, healthCheckNodePort: 31001 },
      ['spec.healthCheckNodePort: Forbidden: field is immutable'],
    ],
    ['the same port for health checks', balanced, balanced, []],
    [
      'another class of load balancer',
      { ...balanced, loadBalancerClass: 'example.com/a' },
      { ...balanced, loadBalancerClass: 'example.com/b' },
      ['spec.loadBalancerClass: Invalid value: "example.com/b": may not change once set'],
    ],
    [
      'another second address',
      { ...clusterIp, clusterIPs: ['10.96.0.7', 'fd00::7'], ipFamilies: ['IPv4', 'IPv6'] },
      { ...clusterIp, clusterIPs: ['10.96.0.7', 'fd00::8'], ipFamilies: ['IPv4', 'IPv6'] },
      ['spec.clusterIPs[1]: Invalid value: ["10.96.0.7","fd00::8"]: may not change once set'],
    ],
    [
      'another first family',
      { ...clusterIp, clusterIPs: ['10.96.0.7'] },
      { ...clusterIp, ipFamilies: ['IPv6'] },
      [
        'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
        'spec.clusterIPs[0]: Invalid value: "10.96.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`',
      ],
    ],
    [
      'no address any more',
      clusterIp,
      { ...clusterIp, clusterIP: '', clusterIPs: [] },
      ['spec.clusterIPs: Invalid value: []: primary clusterIP can not be unset'],
    ],
  ];
  for (const [what, from, to, wanted] of changes) {
    test(what, () => assert.deepEqual(texts(validateServiceUpdate(service(to), service(from))), wanted));
  }
});
