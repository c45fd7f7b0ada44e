import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Node, Service } from '../../../types/core/v1.generated.ts';
import type { EndpointSlice } from '../../../types/discovery/v1.generated.ts';
import { type Observed, plan as planAll } from './load-balancer.ts';

const plan = (observed: Omit<Observed, 'slices'> & Partial<Observed>) => planAll({ slices: [], ...observed });

const node = (ip: string, ready = true, labels: Record<string, string> = {}) =>
  ({
    metadata: { name: ip, labels },
    status: {
      addresses: [
        { type: 'InternalIP', address: ip },
        { type: 'Hostname', address: 'n' },
      ],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  }) as unknown as Live<Node>;

const service = (name: string, spec: Service['spec'], ...ips: string[]) =>
  ({
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) } },
  }) as unknown as Live<Service>;

const slice = (...endpoints: readonly (readonly [nodeName: string, ready?: boolean])[]) =>
  ({
    metadata: { name: 'a-1' },
    endpoints: endpoints.map(([nodeName, ready]) => ({ addresses: ['10.1.0.1'], nodeName, conditions: { ready } })),
  }) as unknown as Live<EndpointSlice>;

const local = { externalTrafficPolicy: 'Local' };
const two = [node('10.0.0.2'), node('10.0.0.1')];
const excluded = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

const CASES: readonly [name: string, plan: ReturnType<typeof plan>, expected: unknown][] = [
  ['gets the nodes’ addresses', plan({ service: service('a', {}), nodes: two, others: [] }), ['10.0.0.1', '10.0.0.2']],
  ['stays as it is', plan({ service: service('a', {}, '10.0.0.1', '10.0.0.2'), nodes: two, others: [] }), undefined],
  [
    'leaves nodes out that are not ready, and those that say so',
    plan({
      service: service('a', {}),
      nodes: [...two, node('10.0.0.3', false), node('10.0.0.4', true, excluded)],
      others: [],
    }),
    ['10.0.0.1', '10.0.0.2'],
  ],
  [
    'gives them back with its type',
    plan({ service: service('a', { type: 'ClusterIP' }, '10.0.0.1'), nodes: two, others: [] }),
    [],
  ],
  [
    'is somebody else’s',
    plan({ service: service('a', { loadBalancerClass: 'x/y' }), nodes: two, others: [] }),
    undefined,
  ],
  [
    'waits for a port that another has',
    plan({ service: service('a', {}), nodes: two, others: [service('b', {}, '10.0.0.1')] }),
    'Error syncing load balancer: its port is in use on the nodes by the Service default/b',
  ],
  [
    'shares addresses where ports differ',
    plan({ service: service('a', {}), nodes: two, others: [service('b', { ports: [{ port: 81 }] }, '10.0.0.1')] }),
    ['10.0.0.1', '10.0.0.2'],
  ],
  [
    'leaves nodes without a pod out where traffic stays on the node it reaches',
    plan({
      service: service('a', local),
      nodes: two,
      others: [],
      slices: [slice(['10.0.0.1', false]), slice(['10.0.0.2', true])],
    }),
    ['10.0.0.2'],
  ],
  [
    'takes an endpoint that says nothing for one that is ready',
    plan({ service: service('a', local), nodes: two, others: [], slices: [slice(['10.0.0.1'])] }),
    ['10.0.0.1'],
  ],
  [
    'keeps its addresses where no node has a pod',
    plan({ service: service('a', local), nodes: two, others: [], slices: [slice(['10.0.0.1', false])] }),
    ['10.0.0.1', '10.0.0.2'],
  ],
  [
    'does not mind where the pods are otherwise',
    plan({ service: service('a', {}), nodes: two, others: [], slices: [slice(['10.0.0.1'])] }),
    ['10.0.0.1', '10.0.0.2'],
  ],
];

describe('a Service of type LoadBalancer', () => {
  for (const [name, { actions }, expected] of CASES) {
    test(name, () => {
      const [action] = actions;
      const found = action?.type === 'assign' ? action.ingress.map(({ ip }) => ip) : action?.message;
      assert.deepEqual(found, expected);
    });
  }
});
