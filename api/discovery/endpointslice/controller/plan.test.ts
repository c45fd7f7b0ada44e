import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import type { Node, Pod, Service } from '../../../types/core/v1.generated.ts';
import type { Endpoint, EndpointSlice } from '../../../types/discovery/v1.generated.ts';
import { type EndpointGroup, plan } from './plan.ts';
import { groupsOf } from './service-endpoints.ts';

const PORTS = [{ name: '', port: 80, protocol: 'TCP' }];
const endpoints = (from: number, to: number): Endpoint[] =>
  Array.from({ length: to - from }, (_, i) => ({
    addresses: [`10.0.0.${from + i}`],
    targetRef: { uid: `u${from + i}` },
  }));
const group = (of: Endpoint[], ports = PORTS): EndpointGroup => ({ addressType: 'IPv4', ports, endpoints: of });
const slice = (name: string, of: Endpoint[], labels: object = {}, ports = PORTS) =>
  ({ metadata: { name, labels }, addressType: 'IPv4', ports, endpoints: of }) as unknown as Live<EndpointSlice>;

test('which slices are made, changed and removed', () => {
  const owner = { metadata: { name: 'web', namespace: 'n' } } as unknown as Live<ApiObject>;
  const told = (groups: EndpointGroup[], slices: Live<EndpointSlice>[], labels: Record<string, string> = {}) =>
    plan({ owner, labels, annotations: {}, groups, slices, changesMs: [] }).actions.map((action) =>
      action.type === 'delete'
        ? `delete ${action.name}`
        : `${action.type} ${action.slice.metadata.name ?? ''}(${action.slice.endpoints?.length})`,
    );
  const cases: [string, string[], string[]][] = [
    ['the first', told([group(endpoints(0, 2))], []), ['create (2)']],
    ['none yet: an empty one', told([group([])], []), ['create (0)']],
    ['as it is', told([group(endpoints(0, 2))], [slice('a', endpoints(0, 2))]), []],
    ['one more', told([group(endpoints(0, 3))], [slice('a', endpoints(0, 2))]), ['update a(3)']],
    ['other labels', told([group(endpoints(0, 1))], [slice('a', endpoints(0, 1))], { x: 'y' }), ['update a(1)']],
    ['a hundred a slice', told([group(endpoints(0, 150))], []), ['create (100)', 'create (50)']],
    ['the full one stays', told([group(endpoints(0, 101))], [slice('a', endpoints(0, 100))]), ['create (1)']],
    [
      'the emptied one goes',
      told([group(endpoints(0, 100))], [slice('a', endpoints(0, 100)), slice('b', endpoints(100, 101))]),
      ['delete b'],
    ],
    [
      'other ports, another slice',
      told([group(endpoints(0, 1), [{ name: '', port: 81, protocol: 'TCP' }])], [slice('a', endpoints(0, 1))]),
      ['create (1)', 'delete a'],
    ],
  ];
  for (const [what, is, wanted] of cases) assert.deepEqual(is, wanted, what);
});

test('which pods are behind a Service, and how', () => {
  const pod = (name: string, over: { ready?: boolean; spec?: object; metadata?: object; status?: object } = {}) =>
    ({
      metadata: { name, namespace: 'n', uid: `${name}u`, ...over.metadata },
      spec: {
        nodeName: 'a',
        containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080 }] }],
        ...over.spec,
      },
      status: {
        phase: 'Running',
        podIPs: [{ ip: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: over.ready === false ? 'False' : 'True' }],
        ...over.status,
      },
    }) as unknown as Live<Pod>;
  const service = (spec: object = {}) =>
    ({
      metadata: { name: 's' },
      spec: { ports: [{ port: 80, targetPort: 'http' }], ...spec },
    }) as unknown as Live<Service>;
  const nodeOf = () => ({ metadata: { labels: { 'topology.kubernetes.io/zone': 'z' } } }) as unknown as Live<Node>;
  const one = (of: Live<Pod>, spec: object = {}) => {
    const [found] = groupsOf(service(spec), [of], nodeOf);
    return { port: found?.ports[0]?.port, endpoint: found?.endpoints[0] };
  };
  const conditions = (of: Live<Pod>, spec: object = {}) => one(of, spec).endpoint?.conditions;
  assert.equal(one(pod('p')).port, 8080, 'a named port');
  assert.equal(one(pod('p')).endpoint?.zone, 'z');
  assert.deepEqual(conditions(pod('p')), { ready: true, serving: true, terminating: false });
  assert.deepEqual(conditions(pod('p', { ready: false })), { ready: false, serving: false, terminating: false });
  assert.equal(conditions(pod('p', { ready: false }), { publishNotReadyAddresses: true })?.ready, true);
  const going = pod('p', { metadata: { deletionTimestamp: 'now' } });
  assert.deepEqual(conditions(going), { ready: false, serving: true, terminating: true });
  assert.equal(one(pod('p', { status: { phase: 'Succeeded' } })).endpoint, undefined, 'it has ended');
  assert.equal(one(pod('p', { status: { podIPs: [] } })).endpoint, undefined, 'it has no address yet');
  assert.equal(one(pod('p'), { ipFamilies: ['IPv6'] }).endpoint, undefined, 'none of the family');
  assert.equal(one(pod('p', { spec: { hostname: 'h', subdomain: 's' } })).endpoint?.hostname, 'h');
  assert.equal(one(pod('p', { spec: { hostname: 'h', subdomain: 't' } })).endpoint?.hostname, undefined);
  assert.deepEqual(one(pod('p'), { trafficDistribution: 'PreferClose' }).endpoint?.hints, {
    forZones: [{ name: 'z' }],
  });
});
