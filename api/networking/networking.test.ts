import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestContext } from '../../libs/kind/request.ts';
import type { Strategy } from '../../libs/kind/strategy.ts';
import { textOf } from '../../libs/machinery/field-errors.ts';
import { strategy as slices } from '../discovery/endpointslice/strategy.ts';
import type { Ingress, NetworkPolicy, ServiceCIDR } from '../types/networking/v1.generated.ts';
import { strategy as ingresses } from './ingress/strategy.ts';
import { strategy as addresses } from './ipaddress/strategy.ts';
import { strategy as policies } from './networkpolicy/strategy.ts';
import { strategy as ranges } from './servicecidr/strategy.ts';

const ctx = {} as RequestContext;

function errorsOf<T extends object>(strategy: Strategy<T>, object: T): string[] {
  const draft = structuredClone(object);
  strategy.defaults?.(draft);
  return (strategy.validate?.(draft as never, ctx) ?? []).map(textOf);
}

describe('ingresses', () => {
  const backend = { service: { name: 's', port: { number: 80 } } };
  const ingress = (path: object, rule: object = {}): Ingress =>
    ({
      metadata: { name: 'i' },
      spec: { rules: [{ http: { paths: [{ pathType: 'Prefix', path: '/', backend, ...path }] }, ...rule }] },
    }) as Ingress;
  const at = 'spec.rules[0].http.paths[0]';
  const cases: [string, Ingress, string[]][] = [
    ['a plain one', ingress({}), []],
    [
      'nowhere to go',
      { metadata: { name: 'i' }, spec: {} },
      ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ],
    ['a relative path', ingress({ path: 'x' }), [`${at}.path: Invalid value: "x": must be an absolute path`]],
    [
      'a path that climbs',
      ingress({ path: '/a/../b' }),
      [`${at}.path: Invalid value: "/a/../b": must not contain '/../'`],
    ],
    [
      'a port without name and number',
      ingress({ backend: { service: { name: 's' } } }),
      [`${at}.backend: Required value: port name or number is required`],
    ],
    [
      'an address as host',
      ingress({}, { host: '192.0.2.1' }),
      ['spec.rules[0].host: Invalid value: "192.0.2.1": must be a DNS name, not an IP address'],
    ],
  ];
  for (const [what, object, wanted] of cases) test(what, () => assert.deepEqual(errorsOf(ingresses, object), wanted));

  test('the old annotation warns where the field is not set', () => {
    const old = ingress({});
    old.metadata.annotations = { 'kubernetes.io/ingress.class': 'x' };
    assert.equal(ingresses.warnings?.(old as never, undefined, ctx).length, 1);
    old.spec.ingressClassName = 'x';
    assert.deepEqual(ingresses.warnings?.(old as never, undefined, ctx), []);
  });
});

describe('network policies', () => {
  const policy = (from: object, ports?: object[]): NetworkPolicy =>
    ({ metadata: { name: 'p' }, spec: { podSelector: {}, ingress: [{ from: [from], ports }] } }) as NetworkPolicy;
  test('look at what comes in, and at what goes out if there are rules for it', () => {
    const made = policy({ podSelector: {} }, [{ port: 80 }]);
    policies.defaults?.(made);
    assert.deepEqual([made.spec.policyTypes, made.spec.ingress?.[0]?.ports?.[0]?.protocol], [['Ingress'], 'TCP']);
    const both: NetworkPolicy = { metadata: { name: 'p' }, spec: { podSelector: {}, egress: [{}] } };
    policies.defaults?.(both);
    assert.deepEqual(both.spec.policyTypes, ['Ingress', 'Egress']);
  });
  const block = 'spec.ingress[0].from[0].ipBlock';
  const cases: [string, NetworkPolicy, string[]][] = [
    ['nobody', policy({}), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
    [
      'two kinds of peers',
      policy({ podSelector: {}, ipBlock: { cidr: '192.0.2.0/24' } }),
      ['spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer'],
    ],
    [
      'an exception as large as the block',
      policy({ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.0/24'] } }),
      [`${block}.except[0]: Invalid value: "192.0.2.0/24": must be a strict subset of \`cidr\``],
    ],
    [
      'a range of names',
      policy({ podSelector: {} }, [{ port: 'http', endPort: 90 }]),
      ['spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric'],
    ],
  ];
  for (const [what, object, wanted] of cases) test(what, () => assert.deepEqual(errorsOf(policies, object), wanted));
});

test('an IPAddress is named by its address, in the canonical spelling', () => {
  assert.deepEqual(addresses.validateName?.('2001:db8::1', false), []);
  assert.match(addresses.validateName?.('2001:db8:0::1', false)[0] ?? '', /canonical form/);
  assert.match(addresses.validateName?.('x', false)[0] ?? '', /must be a valid IP address/);
});

test('a range stays, another family may join it', () => {
  const range = (...cidrs: string[]): ServiceCIDR => ({ metadata: { name: 'r' }, spec: { cidrs } });
  const update = (to: ServiceCIDR, from: ServiceCIDR) =>
    (ranges.validateUpdate?.(to as never, from as never, ctx) ?? []).map(textOf);
  assert.deepEqual(errorsOf(ranges, range()), ['spec.cidrs: Required value: at least one CIDR required']);
  assert.deepEqual(update(range('10.0.0.0/24', 'fd00::/112'), range('10.0.0.0/24')), []);
  assert.deepEqual(update(range('10.1.0.0/24'), range('10.0.0.0/24')), [
    'spec.cidrs[0]: Invalid value: "10.1.0.0/24": field is immutable',
  ]);
  assert.match(
    update(range('10.0.0.0/24', '10.1.0.0/24'), range('10.0.0.0/24'))[0] ?? '',
    /no more than one IP for each/,
  );
});

test('slices: kept addresses stay acceptable, labels count as a change', () => {
  const slice = (address: string, labels: Record<string, string> = {}) =>
    ({
      metadata: { name: 's', labels },
      addressType: 'IPv4',
      endpoints: [{ addresses: [address] }],
      ports: [{}],
    }) as never;
  assert.match(errorsOf(slices, slice('192.0.2.01'))[0] ?? '', /must not have leading 0s/);
  const kept = slices.validateUpdate?.(slice('192.0.2.01'), slice('192.0.2.01'), ctx) ?? [];
  assert.deepEqual(
    kept.map(textOf).filter((text) => text.includes('addresses')),
    [],
  );
  assert.equal(slices.generationChanged?.(slice('192.0.2.1', { a: 'b' }), slice('192.0.2.1')), true);
  assert.equal(slices.generationChanged?.(slice('192.0.2.1'), slice('192.0.2.1')), false);
});
