import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { Endpoints, Pod, Service } from '../../../types/core/v1.generated.ts';
import { plan } from './plan.ts';

const pod = (
  name: string,
  ip: string | undefined,
  over: { ready?: boolean; spec?: object; metadata?: object; phase?: string } = {},
) =>
  ({
    metadata: { name, namespace: 'n', uid: `${name}u`, ...over.metadata },
    spec: { containers: [{ name: 'c' }], ...over.spec },
    status: {
      phase: over.phase ?? 'Running',
      podIPs: ip ? [{ ip }] : [],
      conditions: [{ type: 'Ready', status: over.ready === false ? 'False' : 'True' }],
    },
  }) as unknown as Live<Pod>;
const service = (spec: object = {}, labels: object = {}) =>
  ({
    metadata: { name: 's', namespace: 'n', labels },
    spec: { ports: [{ port: 80 }], ...spec },
  }) as unknown as Live<Service>;
const look = (pods: Live<Pod>[], of = service(), endpoints?: Endpoints, changesMs: number[] = []) =>
  plan({ service: of, pods, endpoints: endpoints as Live<Endpoints> | undefined, changesMs }).actions[0];
const told = (pods: Live<Pod>[], of = service()) =>
  (look(pods, of)?.endpoints.subsets ?? []).map(({ addresses = [], notReadyAddresses = [], ports = [] }) =>
    [addresses, notReadyAddresses]
      .map((all) => all.map(({ ip }) => ip).join())
      .concat(ports.map(({ port }) => String(port)))
      .join(' | '),
  );

test('which addresses a Service has', () => {
  const goes = { metadata: { deletionTimestamp: 'now' } };
  const cases: [string, string[], string[]][] = [
    [
      'ready and not, in order',
      told([pod('b', '10.0.0.2'), pod('a', '10.0.0.1'), pod('c', '10.0.0.3', { ready: false })]),
      ['10.0.0.1,10.0.0.2 | 10.0.0.3 | 80'],
    ],
    [
      'published all the same',
      told([pod('c', '10.0.0.3', { ready: false })], service({ publishNotReadyAddresses: true })),
      ['10.0.0.3 |  | 80'],
    ],
    ['none without an address', told([pod('a', undefined)]), []],
    ['none that goes', told([pod('a', '10.0.0.1', goes)]), []],
    [
      'none that ended for good',
      told([pod('a', '10.0.0.1', { phase: 'Failed', spec: { restartPolicy: 'Never' }, ready: false })]),
      [],
    ],
    [
      'one that comes again',
      told([pod('a', '10.0.0.1', { phase: 'Failed', spec: { restartPolicy: 'OnFailure' }, ready: false })]),
      [' | 10.0.0.1 | 80'],
    ],
    [
      'headless, without ports',
      told([pod('a', '10.0.0.1')], service({ clusterIP: 'None', ports: [] })),
      ['10.0.0.1 | '],
    ],
    [
      'of its family',
      told([pod('a', 'fd00::1'), pod('b', '10.0.0.1')], service({ ipFamilies: ['IPv6'] })),
      ['fd00::1 |  | 80'],
    ],
  ];
  for (const [what, is, wanted] of cases) assert.deepEqual(is, wanted, what);
});

test('what the object says beside its addresses, and when it is written', () => {
  const made = look([pod('a', '10.0.0.1')], service({ clusterIP: 'None' }, { app: 'x' }), undefined, [1000, 5000]);
  assert.equal(made?.type, 'create');
  assert.deepEqual(made?.endpoints.metadata.labels, {
    app: 'x',
    'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
    'service.kubernetes.io/headless': '',
  });
  const TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time';
  assert.equal(made?.endpoints.metadata.annotations?.[TRIGGER], '1970-01-01T00:00:01Z', 'the oldest that is new');
  const again = service({ clusterIP: 'None' }, { app: 'x' });
  assert.equal(look([pod('a', '10.0.0.1')], again, made?.endpoints), undefined);
  assert.equal(look([pod('a', '10.0.0.2')], again, made?.endpoints)?.type, 'update');
  const many = Array.from({ length: 1001 }, (_, i) => pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`, { ready: i > 0 }));
  const cut = look(many)?.endpoints;
  assert.equal(cut?.metadata.annotations?.['endpoints.kubernetes.io/over-capacity'], 'truncated');
  assert.equal(cut?.subsets?.[0]?.addresses?.length, 1000, 'those that are ready go before');
});
