import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answer, type DnsRecord } from './answer.ts';
import { type DnsEndpointSlice, type DnsService, viewOfObjects } from './view.ts';

const zone = { domain: 'cluster.local', serverAddresses: ['10.96.0.10'], ttlSeconds: 5 };

function service(name: string, spec: DnsService['spec']): DnsService {
  return { metadata: { namespace: 'shop', name }, spec };
}

function slice(of: string, endpoints: DnsEndpointSlice['endpoints'], more: Partial<DnsEndpointSlice> = {}) {
  const labels = { 'kubernetes.io/service-name': of };
  return {
    metadata: { namespace: 'shop', name: `${of}-1`, labels },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints,
    ...more,
  } satisfies DnsEndpointSlice;
}

const http = { name: 'http', protocol: 'TCP', port: 80 };
const dual = ['10.96.0.1', 'fd00::1'];
const view = viewOfObjects({
  services: [
    service('web', {
      clusterIP: '10.96.0.1',
      clusterIPs: dual,
      ports: [http, { name: 'dns', protocol: 'UDP', port: 53 }],
    }),
    service('nameless', { clusterIP: '10.96.0.2', ports: [{ port: 80 }] }),
    service('db', { clusterIP: 'None', clusterIPs: ['None'], ports: [http] }),
    service('booting', { clusterIP: 'None', ports: [http] }),
    service('peers', { clusterIP: 'None', ports: [http], publishNotReadyAddresses: true }),
    service('away', { type: 'ExternalName', externalName: 'example.org.' }),
  ],
  slices: [
    slice('web', [{ addresses: ['10.1.0.1'] }]),
    slice('db', [
      { addresses: ['10.1.0.2'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.1.0.3'], conditions: {} },
      { addresses: ['10.1.0.4'], hostname: 'db-2', conditions: { ready: false } },
    ]),
    slice('db', [{ addresses: ['fd00:1::2'], hostname: 'db-0' }], { addressType: 'IPv6' }),
    slice('booting', [{ addresses: ['10.1.0.5'], conditions: { ready: false } }]),
    slice('peers', [{ addresses: ['10.1.0.6'], hostname: 'peers-0', conditions: { ready: false } }]),
  ],
});

const shown = ({ type, data }: DnsRecord): string =>
  type === 'SRV'
    ? `SRV ${data.priority} ${data.weight} ${data.port} ${data.target}`
    : `${type} ${type === 'SOA' ? data.mname : data}`;

const NODATA: string[] = [];
/** Question, then the answers; `NXDOMAIN`, or `ELSEWHERE` for names of others. */
const cases: readonly (readonly [string, string | readonly string[]])[] = [
  ['A web.shop.svc.cluster.local', ['A 10.96.0.1']],
  ['A WEB.shop.SVC.cluster.Local', ['A 10.96.0.1']],
  ['AAAA web.shop.svc.cluster.local', ['AAAA fd00::1']],
  ['AAAA nameless.shop.svc.cluster.local', NODATA],
  ['TXT web.shop.svc.cluster.local', NODATA],
  ['A nobody.shop.svc.cluster.local', 'NXDOMAIN'],
  ['A web.elsewhere.svc.cluster.local', 'NXDOMAIN'],
  ['A x.web.shop.svc.cluster.local', 'NXDOMAIN'],
  ['A a.b.c.web.shop.svc.cluster.local', 'NXDOMAIN'],
  ['SRV _http._tcp.web.shop.svc.cluster.local', ['SRV 0 100 80 web.shop.svc.cluster.local']],
  ['SRV _dns._udp.web.shop.svc.cluster.local', ['SRV 0 100 53 web.shop.svc.cluster.local']],
  ['SRV _dns._tcp.web.shop.svc.cluster.local', 'NXDOMAIN'],
  ['A _http._tcp.web.shop.svc.cluster.local', NODATA],
  ['SRV _tcp.web.shop.svc.cluster.local', NODATA],
  ['SRV nameless.shop.svc.cluster.local', NODATA],
  ['A db.shop.svc.cluster.local', ['A 10.1.0.2', 'A 10.1.0.3']],
  ['AAAA db.shop.svc.cluster.local', ['AAAA fd00:1::2']],
  ['A db-0.db.shop.svc.cluster.local', ['A 10.1.0.2']],
  ['AAAA db-0.db.shop.svc.cluster.local', ['AAAA fd00:1::2']],
  ['A db-2.db.shop.svc.cluster.local', 'NXDOMAIN'],
  ['A 10-1-0-3.db.shop.svc.cluster.local', ['A 10.1.0.3']],
  [
    'SRV _http._tcp.db.shop.svc.cluster.local',
    ['SRV 0 33 8080 db-0.db.shop.svc.cluster.local', 'SRV 0 33 8080 10-1-0-3.db.shop.svc.cluster.local'],
  ],
  ['A booting.shop.svc.cluster.local', 'NXDOMAIN'],
  ['A peers.shop.svc.cluster.local', ['A 10.1.0.6']],
  ['A peers-0.peers.shop.svc.cluster.local', ['A 10.1.0.6']],
  ['A away.shop.svc.cluster.local', ['CNAME example.org']],
  ['CNAME away.shop.svc.cluster.local', ['CNAME example.org']],
  ['A 10-1-2-3.shop.pod.cluster.local', ['A 10.1.2.3']],
  ['AAAA fd00--7.shop.pod.cluster.local', ['AAAA fd00::7']],
  ['AAAA 10-1-2-3.shop.pod.cluster.local', NODATA],
  ['A 10-1-2-3.elsewhere.pod.cluster.local', 'NXDOMAIN'],
  ['A 10-1-2.shop.pod.cluster.local', 'NXDOMAIN'],
  ['PTR 1.0.96.10.in-addr.arpa', ['PTR web.shop.svc.cluster.local']],
  [`PTR 1.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, ['PTR web.shop.svc.cluster.local']],
  ['PTR 2.0.1.10.in-addr.arpa', ['PTR db-0.db.shop.svc.cluster.local']],
  ['PTR 3.0.1.10.in-addr.arpa', ['PTR 10-1-0-3.db.shop.svc.cluster.local']],
  ['PTR 4.0.1.10.in-addr.arpa', 'ELSEWHERE'],
  ['PTR 1.0.1.10.in-addr.arpa', 'ELSEWHERE'],
  ['PTR 0.96.10.in-addr.arpa', 'ELSEWHERE'],
  ['A 1.0.96.10.in-addr.arpa', NODATA],
  ['TXT dns-version.cluster.local', ['TXT 1.1.0']],
  ['SOA cluster.local', ['SOA ns.dns.cluster.local']],
  ['NS cluster.local', ['NS ns.dns.cluster.local']],
  ['A ns.dns.cluster.local', ['A 10.96.0.10']],
  ['A cluster.local', NODATA],
  ['A svc.cluster.local', NODATA],
  ['A shop.svc.cluster.local', NODATA],
  ['A elsewhere.svc.cluster.local', 'NXDOMAIN'],
  ['A web.cluster.local', 'NXDOMAIN'],
  ['A example.org', 'ELSEWHERE'],
  ['A notcluster.local', 'ELSEWHERE'],
];

describe('the answer', () => {
  for (const [question, expected] of cases) {
    const [type = '', name = ''] = question.split(' ');
    it(`${question}: ${typeof expected === 'string' ? expected : expected.join(', ') || 'nothing'}`, () => {
      const given = answer({ name, type }, view, zone);
      if (given.rcode === 'ELSEWHERE') return assert.equal('ELSEWHERE', expected);
      if (typeof expected === 'string') assert.equal(given.rcode, expected);
      else {
        assert.equal(given.rcode, 'NOERROR');
        assert.deepEqual(given.answers.map(shown), expected);
      }
      const negative = given.answers.length === 0;
      assert.equal(
        given.authorities.some((record) => record.type === 'SOA'),
        negative,
      );
      for (const record of [...given.answers, ...given.authorities]) assert.equal(record.ttl, 5);
      for (const record of given.answers) assert.equal(record.name, name, 'the name as it was asked');
      return;
    });
  }

  it('brings the addresses of SRV targets along', () => {
    const given = answer({ name: '_http._tcp.db.shop.svc.cluster.local', type: 'SRV' }, view, zone);
    assert.ok(given.rcode === 'NOERROR');
    assert.deepEqual(
      given.additionals.map((record) => `${record.name} ${shown(record)}`),
      [
        'db-0.db.shop.svc.cluster.local A 10.1.0.2',
        '10-1-0-3.db.shop.svc.cluster.local A 10.1.0.3',
        'db-0.db.shop.svc.cluster.local AAAA fd00:1::2',
      ],
    );
  });

  it('says whom to ask on for an ExternalName', () => {
    const given = answer({ name: 'away.shop.svc.cluster.local', type: 'AAAA' }, view, zone);
    assert.equal(given.rcode === 'NOERROR' && given.chase, 'example.org');
  });
});
