import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { addResources, evaluatorOf, exceeded, growth, quotaCovers, subtractResources } from './evaluate.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const core = (resource: string) => evaluatorOf({ group: '', resource });
const container = (name: string, requests: object, limits?: object) => ({ name, resources: { requests, limits } });
const pod = (spec: object, more: object = {}): ApiObject => ({ metadata: { name: 'p' }, spec, ...more }) as ApiObject;

describe('what objects count for in quotas', () => {
  const cases: [string, string, ApiObject, Record<string, string>][] = [
    [
      'a pod by requests and limits of all containers',
      'pods',
      pod({ containers: [container('a', { cpu: '100m' }, { memory: '1Gi' }), container('b', { cpu: '1' })] }),
      { 'count/pods': '1', pods: '1', cpu: '1100m', 'requests.cpu': '1100m', 'limits.memory': '1Gi' },
    ],
    [
      'its overhead too, where a limit is',
      'pods',
      pod({ overhead: { cpu: '50m' }, containers: [container('a', { cpu: '100m' }, { memory: '1Gi' })] }),
      { 'count/pods': '1', pods: '1', cpu: '150m', 'requests.cpu': '150m', 'limits.memory': '1Gi' },
    ],
    [
      'extended resources by their requests',
      'pods',
      pod({ containers: [container('a', { 'example.com/gpu': '2', 'hugepages-2Mi': '4Mi' })] }),
      {
        'count/pods': '1',
        pods: '1',
        'requests.example.com/gpu': '2',
        'hugepages-2Mi': '4Mi',
        'requests.hugepages-2Mi': '4Mi',
      },
    ],
    [
      'a finished pod is an object and no more',
      'pods',
      pod({ containers: [container('a', { cpu: '1' })] }, { status: { phase: 'Succeeded' } }),
      { 'count/pods': '1' },
    ],
    [
      'so is one that should have gone',
      'pods',
      pod(
        { containers: [] },
        { metadata: { deletionTimestamp: '2025-12-31T23:59:00Z', deletionGracePeriodSeconds: 30 } },
      ),
      { 'count/pods': '1' },
    ],
    [
      'a pod that shrinks, by what it still has',
      'pods',
      pod(
        { containers: [container('a', { cpu: '1' })] },
        { status: { containerStatuses: [{ name: 'a', allocatedResources: { cpu: '2' } }] } },
      ),
      { 'count/pods': '1', pods: '1', cpu: '2', 'requests.cpu': '2' },
    ],
    [
      'a balanced Service with chosen node ports',
      'services',
      pod({
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        ports: [{ port: 1, nodePort: 30000 }, { port: 2 }],
      }),
      { 'count/services': '1', services: '1', 'services.loadbalancers': '1', 'services.nodeports': '1' },
    ],
    [
      'a claim by class',
      'persistentvolumeclaims',
      pod({ storageClassName: 'gold', resources: { requests: { storage: '1500m' } } }),
      {
        'count/persistentvolumeclaims': '1',
        persistentvolumeclaims: '1',
        'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
        'requests.storage': '2',
        'gold.storageclass.storage.k8s.io/requests.storage': '2',
      },
    ],
    ['what has a plain name, by both', 'secrets', pod({}), { 'count/secrets': '1', secrets: '1' }],
  ];
  for (const [name, resource, object, usage] of cases) {
    it(name, () => assert.deepEqual(core(resource)?.usage(object, NOW), usage));
  }

  it('devices by class, the worst of alternatives, all at most', () => {
    const claims = evaluatorOf({ group: 'resource.k8s.io', resource: 'resourceclaims' });
    const requests = [
      { name: 'a', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 2 } },
      { name: 'b', firstAvailable: [{ deviceClassName: 'gpu', count: 3 }, { deviceClassName: 'gpu' }] },
      { name: 'c', exactly: { deviceClassName: 'nic', allocationMode: 'All' } },
    ];
    assert.deepEqual(claims?.usage(pod({ devices: { requests } }), NOW), {
      'count/resourceclaims.resource.k8s.io': '1',
      'gpu.deviceclass.resource.k8s.io/devices': '5',
      'nic.deviceclass.resource.k8s.io/devices': '32',
    });
  });

  it('custom resources count, events do not', () => {
    assert.ok(
      evaluatorOf({ group: 'stable.example.com', resource: 'crontabs' })?.counts('count/crontabs.stable.example.com'),
    );
    assert.equal(core('events'), undefined);
  });
});

describe('the scopes of a quota', () => {
  const classed = (name?: string) => pod({ containers: [], ...(name ? { priorityClassName: name } : {}) });
  const by = (operator: string, values?: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, values }] },
  });
  const namespaces = { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z', namespaces: ['b'] }] };
  const cases: [string, object, ApiObject, boolean][] = [
    ['no scope', {}, classed(), true],
    [
      'Terminating, with a deadline',
      { scopes: ['Terminating'] },
      pod({ activeDeadlineSeconds: 5, containers: [] }),
      true,
    ],
    ['Terminating, without', { scopes: ['Terminating'] }, classed(), false],
    ['BestEffort', { scopes: ['BestEffort'] }, classed(), true],
    ['NotBestEffort', { scopes: ['NotBestEffort'] }, pod({ containers: [container('a', { cpu: '1' })] }), true],
    ['all scopes must hold', { scopes: ['BestEffort', 'Terminating'] }, classed(), false],
    [
      'affinity across namespaces',
      { scopes: ['CrossNamespacePodAffinity'] },
      pod({ affinity: { podAffinity: namespaces } }),
      true,
    ],
    ['class In', by('In', ['high']), classed('high'), true],
    ['class NotIn, without a class', by('NotIn', ['high']), classed(), true],
    ['class Exists, without a class', by('Exists'), classed(), false],
    ['class DoesNotExist', by('DoesNotExist'), classed(), true],
  ];
  for (const [name, spec, object, covered] of cases) {
    it(name, () => assert.equal(quotaCovers(core('pods')!, spec, { pods: '1' }, object), covered));
  }
  it('a quota on other things has no say', () =>
    assert.equal(quotaCovers(core('pods')!, {}, { secrets: '1' }, classed()), false));
  it('what has no scopes is in none', () =>
    assert.equal(quotaCovers(core('secrets')!, { scopes: ['BestEffort'] }, { secrets: '1' }, classed()), false));
});

describe('containers that must say what they want', () => {
  it('tells which do not', () => {
    const object = pod({ containers: [container('a', { cpu: '1' }), container('b', {}, { memory: '1Gi' })] });
    const unsaid = core('pods')?.unsaid(object, ['limits.memory', 'cpu', 'pods']);
    assert.deepEqual(
      [...(unsaid ?? [])],
      [
        ['cpu', ['b']],
        ['limits.memory', ['a']],
      ],
    );
  });
});

it('sums keep the form of the first', () => {
  assert.deepEqual(addResources({ cpu: '500m' }, { cpu: '1', memory: '1Gi' }), { cpu: '1500m', memory: '1Gi' });
  assert.deepEqual(subtractResources({ cpu: '500m' }, { cpu: '1', memory: '1Gi' }), { cpu: '-500m', memory: '-1Gi' });
  assert.deepEqual(growth({ cpu: '-1', pods: '0', memory: '1' }), { memory: '1' });
  assert.deepEqual(exceeded({ cpu: '2', memory: '1' }, { cpu: '1', memory: '1' }), ['cpu']);
});
