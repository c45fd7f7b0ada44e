import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProxyService, ProxySlice } from './objects.ts';
import { healthCheckOf, plan } from './plan.ts';
import { TableState } from './table.ts';

const config = { nodeName: 'here', clusterCidrs: ['10.1.0.0/16'], serviceCidrs: ['10.96.0.0/16'] };

function service(spec: Partial<NonNullable<ProxyService['spec']>>, more: Partial<ProxyService> = {}): ProxyService {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  return { metadata: { namespace: 'shop', name: 'web' }, spec: { clusterIP: '10.96.0.1', ports, ...spec }, ...more };
}

type Condition = { ready?: boolean; serving?: boolean; terminating?: boolean };
/** `10.1.0.1` on another node, `10.1.0.1 here` on this one. */
function slice(endpoints: readonly (string | [string, Condition])[], protocol = 'TCP'): ProxySlice {
  return {
    metadata: { namespace: 'shop', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol, port: 8080 }],
    endpoints: endpoints.map((one) => {
      const [text, conditions = {}] = typeof one === 'string' ? [one] : one;
      const [address = '', nodeName = 'there'] = text.split(' ');
      return { addresses: [address], nodeName, conditions };
    }),
  };
}

const all = 'all/shop/web/tcp/80/4';
const external = 'external/shop/web/tcp/80/4';
const nodePort = [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30_080 }];
const two = [slice(['10.1.0.2', '10.1.0.1 here'])];
const leaving: Condition = { ready: false, serving: true, terminating: true };

/** What, the Service, its slices, and the elements and rules that must be there. */
const cases: readonly {
  what: string;
  service: ProxyService;
  slices: readonly ProxySlice[];
  elements?: Record<string, string>;
  rules?: Record<string, readonly (string | RegExp)[]>;
}[] = [
  {
    what: 'a cluster IP with one endpoint',
    service: service({}),
    slices: [slice(['10.1.0.2'])],
    elements: { 'services4 10.96.0.1 . tcp . 80': `goto ${all}` },
    rules: { [all]: ['meta l4proto tcp dnat ip to 10.1.0.2:8080'] },
  },
  {
    what: 'two endpoints, one of them here: chosen at random, and masqueraded towards itself',
    service: service({}),
    slices: two,
    elements: { 'services4 10.96.0.1 . tcp . 80': `goto ${all}`, 'hairpin4 10.1.0.1 . 10.1.0.1': '' },
    rules: { [all]: [/numgen random mod 2 map \{ 0 : 10\.1\.0\.1 \. 8080, 1 : 10\.1\.0\.2 \. 8080 \}/] },
  },
  {
    what: 'no endpoint: refused',
    service: service({ ports: nodePort, type: 'NodePort' }),
    slices: [slice([['10.1.0.2', { ready: false }]])],
    elements: {
      'no-endpoints4 10.96.0.1 . tcp . 80': 'goto reject-it',
      'no-endpoints-nodeports4 tcp . 30080': 'goto reject-it',
    },
  },
  {
    what: 'only endpoints that are about to end: they serve',
    service: service({}),
    slices: [slice([['10.1.0.2', leaving]])],
    elements: { 'services4 10.96.0.1 . tcp . 80': `goto ${all}` },
    rules: { [all]: [/10\.1\.0\.2:8080/] },
  },
  {
    what: 'a ready endpoint beside one about to end: the ready one',
    service: service({}),
    slices: [slice([['10.1.0.2', leaving], '10.1.0.3'])],
    elements: { 'services4 10.96.0.1 . tcp . 80': `goto ${all}` },
    rules: { [all]: ['meta l4proto tcp dnat ip to 10.1.0.3:8080'] },
  },
  {
    what: 'a node port, an external IP and a load balancer',
    service: service(
      { ports: nodePort, type: 'LoadBalancer', externalIPs: ['192.0.2.1'] },
      { status: { loadBalancer: { ingress: [{ ip: '192.0.2.2' }, { ip: '192.0.2.3', ipMode: 'Proxy' }] } } },
    ),
    slices: [slice(['10.1.0.2'])],
    elements: {
      'services4 10.96.0.1 . tcp . 80': `goto ${all}`,
      'services4 192.0.2.1 . tcp . 80': `goto ${external}`,
      'services4 192.0.2.2 . tcp . 80': `goto ${external}`,
      'nodeports4 tcp . 30080': `goto ${external}`,
    },
    rules: { [all]: [/dnat/], [external]: ['jump mark-for-masquerade', `goto ${all}`] },
  },
  {
    what: 'external policy Local: outsiders reach those here with their own address',
    service: service({ ports: nodePort, type: 'NodePort', externalTrafficPolicy: 'Local' }),
    slices: two,
    elements: {
      'services4 10.96.0.1 . tcp . 80': `goto ${all}`,
      'nodeports4 tcp . 30080': `goto ${external}`,
      'hairpin4 10.1.0.1 . 10.1.0.1': '',
    },
    rules: {
      [all]: [/mod 2/],
      'local/shop/web/tcp/80/4': ['meta l4proto tcp dnat ip to 10.1.0.1:8080'],
      [external]: [
        `ip saddr 10.1.0.0/16 goto ${all}`,
        'fib saddr type local jump mark-for-masquerade',
        `fib saddr type local goto ${all}`,
        'goto local/shop/web/tcp/80/4',
      ],
    },
  },
  {
    what: 'external policy Local and nobody here: dropped',
    service: service({ ports: nodePort, type: 'NodePort', externalTrafficPolicy: 'Local' }),
    slices: [slice(['10.1.0.2'])],
    rules: { [all]: [/dnat/], [external]: [/./, /./, /./, 'drop'] },
  },
  {
    what: 'internal policy Local: those here, or dropped',
    service: service({ internalTrafficPolicy: 'Local' }),
    slices: [slice(['10.1.0.2'])],
    elements: { 'services4 10.96.0.1 . tcp . 80': 'drop' },
    rules: {},
  },
  {
    what: 'source ranges of a load balancer',
    service: service(
      { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24'] },
      { status: { loadBalancer: { ingress: [{ ip: '192.0.2.2' }] } } },
    ),
    slices: [slice(['10.1.0.2'])],
    elements: {
      'services4 10.96.0.1 . tcp . 80': `goto ${all}`,
      'services4 192.0.2.2 . tcp . 80': 'goto firewall/shop/web/tcp/80/4',
    },
    rules: {
      [all]: [/dnat/],
      [external]: [/./, /./],
      'firewall/shop/web/tcp/80/4': ['ip saddr != { 198.51.100.0/24 } drop', `goto ${external}`],
    },
  },
  {
    what: 'affinity: a client that is known goes where it was',
    service: service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }),
    slices: [slice(['10.1.0.2', '10.1.0.3'])],
    rules: {
      [`${all}/10.1.0.2/8080`]: [
        `update @clients-${all}/10.1.0.2/8080 { ip saddr timeout 60s }`,
        /to 10\.1\.0\.2:8080/,
      ],
      [`${all}/10.1.0.3/8080`]: [/update/, /to 10\.1\.0\.3:8080/],
      [all]: [/^ip saddr @clients/, /^ip saddr @clients/, /numgen random mod 2 vmap/],
    },
  },
];

describe('the plan of a Service', () => {
  for (const { what, service, slices, elements, rules } of cases) {
    it(what, () => {
      const wanted = plan(service, slices, config)!;
      if (elements) assert.deepEqual(Object.fromEntries(wanted.elements), elements);
      if (!rules) return;
      assert.deepEqual([...wanted.chains.keys()].sort(), Object.keys(rules).sort());
      for (const [chain, expected] of Object.entries(rules)) {
        const given = wanted.chains.get(chain)!;
        assert.equal(given.length, expected.length, given.join('\n'));
        for (const [index, one] of expected.entries()) {
          if (typeof one === 'string') assert.equal(given[index], one);
          else assert.match(given[index]!, one);
        }
      }
    });
  }

  it('is nothing for headless, ExternalName, and Services of another proxy', () => {
    const labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
    for (const one of [
      service({ clusterIP: 'None', clusterIPs: ['None'] }),
      service({ type: 'ExternalName', externalName: 'a.org' }),
      service({}, { metadata: { namespace: 'shop', name: 'web', labels } }),
    ]) {
      assert.equal(plan(one, two, config), undefined);
    }
  });

  it('prefers endpoints that are meant for this node, then for its zone, unless one has no hint', () => {
    type Hints = { forZones?: { name: string }[]; forNodes?: { name: string }[] };
    const hinted = (...hints: (Hints | undefined)[]): ProxySlice => {
      const base = slice(hints.map((_, i) => `10.1.0.${i + 1}`));
      const endpoints = base.endpoints!.map((one, i) => ({ ...one, ...(hints[i] && { hints: hints[i] }) }));
      return { ...base, endpoints };
    };
    const zone = (name: string): Hints => ({ forZones: [{ name }] });
    const node = (name: string): Hints => ({ forNodes: [{ name }] });
    const chosen = (given: ProxySlice, more: object = { zone: 'a' }) =>
      [
        ...plan(service({}), [given], { ...config, ...more })!
          .chains.get(all)!
          .join()
          .matchAll(/10\.1\.0\.(\d)/g),
      ].map(([, last]) => last);
    assert.deepEqual(chosen(hinted(zone('a'), zone('b'))), ['1']);
    assert.deepEqual(chosen(hinted(zone('b'), zone('b'))), ['1', '2'], 'none is near');
    assert.deepEqual(chosen(hinted(zone('a'), undefined)), ['1', '2'], 'one has no hint');
    assert.deepEqual(chosen(hinted(zone('a'), zone('b')), {}), ['1', '2'], 'a node without a zone');
    assert.deepEqual(chosen(hinted({ ...zone('a'), ...node('there') }, { ...zone('a'), ...node('here') })), ['2']);
    assert.deepEqual(chosen(hinted({ ...zone('a'), ...node('there') }, { ...zone('b'), ...node('there') })), ['1']);
  });

  it('counts what a load balancer asks for', () => {
    const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };
    const slices = [slice(['10.1.0.1 here', ['10.1.0.3 here', { ready: false }], '10.1.0.2'])];
    assert.deepEqual(healthCheckOf(service(spec), slices, config), { port: 32_000, localEndpoints: 1 });
    assert.equal(healthCheckOf(service({ ...spec, externalTrafficPolicy: 'Cluster' }), slices, config), undefined);
  });

  it('keeps protocols of one port apart, and remembers where UDP goes', () => {
    const ports = [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'http', port: 80, protocol: 'UDP' },
    ];
    const wanted = plan(service({ ports }), [slice(['10.1.0.2']), slice(['10.1.0.3'], 'UDP')], config)!;
    assert.deepEqual([...wanted.chains.keys()], [all, 'all/shop/web/udp/80/4']);
    assert.deepEqual([...wanted.udpAddresses], ['10.1.0.3']);
  });
});

describe('a change of the table', () => {
  const wantedFor = (name: string, addresses: string[]) =>
    plan(service({}, { metadata: { namespace: 'shop', name } }), [slice(addresses)], config);

  it('touches the chain that changes and nothing else', () => {
    const state = new TableState();
    state.change(new Map([['shop/web', plan(service({}), two, config)]]));
    const text = state.change(
      new Map([['shop/web', plan(service({}), [slice(['10.1.0.1 here', '10.1.0.9'])], config)]]),
    );
    assert.deepEqual(text.trim().split('\n'), [
      `flush chain inet tutti ${all}`,
      `add rule inet tutti ${all} meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.1.0.1 . 8080, 1 : 10.1.0.9 . 8080 }`,
    ]);
    assert.equal(state.change(new Map([['shop/web', state.get('shop/web')]])), '');
  });

  it('keeps an element that two Services want until both have gone', () => {
    const state = new TableState();
    state.change(
      new Map([
        ['shop/a', wantedFor('a', ['10.1.0.1 here'])],
        ['shop/b', wantedFor('b', ['10.1.0.1 here'])],
      ]),
    );
    assert.doesNotMatch(state.change(new Map([['shop/a', undefined]])), /hairpin/);
    assert.match(state.change(new Map([['shop/b', undefined]])), /delete element inet tutti hairpin4/);
    assert.equal(state.size, 0);
  });
});
