import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { IPAddress, ServiceCIDR } from '../../../types/networking/v1.generated.ts';
import { type Action, plan, SERVICE_CIDR_PROTECTION } from './plan.ts';

const DELETED = '2026-01-01T00:00:00Z';
const NOW = Date.parse('2026-01-01T00:00:30Z');

interface Shape {
  readonly bare?: boolean;
  readonly deleted?: boolean;
  readonly ready?: 'True' | 'False';
}

const range = (cidrs: readonly string[], { bare = false, deleted = false, ready }: Shape = {}): Live<ServiceCIDR> =>
  ({
    metadata: {
      name: cidrs.join(),
      finalizers: bare ? [] : [SERVICE_CIDR_PROTECTION],
      ...(deleted && { deletionTimestamp: DELETED }),
    },
    spec: { cidrs },
    status: ready && { conditions: [{ type: 'Ready', status: ready, reason: ready === 'False' ? 'Terminating' : '' }] },
  }) as unknown as Live<ServiceCIDR>;

const address = (name: string, managedBy = 'ipallocator.k8s.io'): Live<IPAddress> =>
  ({ metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': managedBy } } }) as unknown as Live<IPAddress>;

const told = (action: Action): string =>
  action.type === 'ready' ? `ready ${action.condition.status} ${action.condition.reason}`.trim() : action.type;

const going: Shape = { deleted: true, ready: 'True' };

interface Case {
  readonly name: string;
  readonly range: Live<ServiceCIDR>;
  readonly others?: readonly Live<ServiceCIDR>[];
  readonly addresses?: readonly Live<IPAddress>[];
  readonly does: readonly string[];
}

const cases: Case[] = [
  { name: 'a new one', range: range(['10.0.0.0/24'], { bare: true }), does: ['protect', 'ready True'] },
  { name: 'one that is ready', range: range(['10.0.0.0/24'], { ready: 'True' }), does: [] },
  { name: 'one that nobody uses', range: range(['10.0.0.0/24'], going), does: ['release'] },
  {
    name: 'one of which an address is in use',
    range: range(['10.0.0.0/24', 'fd00::/64'], going),
    addresses: [address('fd00::7')],
    does: ['ready False Terminating'],
  },
  {
    name: 'and which has said so',
    range: range(['10.0.0.0/24'], { deleted: true, ready: 'False' }),
    addresses: [address('10.0.0.7')],
    does: [],
  },
  {
    name: 'one within a larger one',
    range: range(['10.0.0.0/24'], going),
    others: [range(['10.0.0.0/16'])],
    addresses: [address('10.0.0.7')],
    does: ['release'],
  },
  {
    name: 'one whose addresses are all in another',
    range: range(['10.0.0.0/24'], going),
    others: [range(['10.0.0.0/28'])],
    addresses: [address('10.0.0.7')],
    does: ['release'],
  },
  {
    name: 'one with an address that is no Service’s',
    range: range(['10.0.0.0/24'], going),
    addresses: [address('10.0.0.7', 'somebody'), address('10.0.1.7')],
    does: ['release'],
  },
  { name: 'one that is not protected', range: range(['10.0.0.0/24'], { ...going, bare: true }), does: [] },
];

describe('what becomes of a ServiceCIDR', () => {
  for (const { name, range: one, others = [], addresses = [], does } of cases) {
    it(name, () => assert.deepEqual(plan({ range: one, others, addresses }, NOW).actions.map(told), does));
  }

  it('waits until all have heard that it goes', () => {
    const observed = { range: range(['10.0.0.0/24'], going), others: [], addresses: [] };
    assert.deepEqual(plan(observed, Date.parse(DELETED) + 4_000), { actions: [], againAfterMs: 6_000 });
  });
});
