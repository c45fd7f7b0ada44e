import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipAddresses, serviceCIDRs } from '../../../api/resources.ts';
import type { Service } from '../../../api/types/core/v1.generated.ts';
import { SeededRandom } from '../../../libs/base/random.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { alreadyExists, notFound, statusOf } from '../../../libs/machinery/errors.ts';
import { NodePorts } from './node-ports.ts';
import { serviceAllocator } from './service-allocator.ts';

/** IPAddresses by name, and one range. */
function fixture(cidrs: string[] = ['10.0.0.0/28']) {
  const taken = new Map<string, unknown>();
  const ready = { conditions: [{ type: 'Ready', status: 'True' }] };
  const registry = {
    async list(ref: { resource: string }) {
      if (ref.resource === serviceCIDRs.resource)
        return [{ metadata: { name: 'kubernetes' }, spec: { cidrs }, status: ready }];
      return [];
    },
    async get(_ref: unknown, _namespace: string, name: string) {
      return taken.get(name);
    },
    async create(ctx: RequestContext, _ref: unknown, _namespace: string, object: { metadata: { name: string } }) {
      if (taken.has(object.metadata.name)) throw alreadyExists(ipAddresses, object.metadata.name);
      if (!ctx.dryRun) taken.set(object.metadata.name, object);
      return object;
    },
    async delete(_ctx: RequestContext, _ref: unknown, _namespace: string, name: string) {
      if (!taken.delete(name)) throw notFound(ipAddresses, name);
    },
  } as unknown as Registry;
  const stored: Service[] = [];
  const seen = { version: () => stored.length, all: () => stored };
  const allocator = serviceAllocator(seen, new SeededRandom('allocators'));
  const ctx = (dryRun = false) => ({ dryRun }) as RequestContext;
  const make = (spec: object, dryRun = false) => {
    const service = {
      metadata: { name: 'web', namespace: 'default' },
      spec: { type: 'ClusterIP', ...spec },
    } as Service;
    return { service, reservation: allocator.reserve(ctx(dryRun), service, undefined, registry) };
  };
  return { allocator, ctx, make, registry, stored, taken };
}

const message = async (promise: Promise<unknown>) => {
  try {
    await promise;
  } catch (error) {
    return statusOf(error).message;
  }
  return 'no error';
};

describe('addresses', () => {
  test('every service gets its own until none is left', async () => {
    const { make, taken } = fixture();
    for (let i = 0; i < 14; i++) await make({}).reservation;
    assert.equal(taken.size, 14, 'all but the network’s own and the broadcast address');
    assert.match((await message(make({}).reservation)) ?? '', /range is full/);
  });

  test('an address that is asked for must be inside and free', async () => {
    const { make } = fixture();
    const ask = (ip: string) => message(make({ clusterIP: ip, clusterIPs: [ip] }).reservation);
    assert.equal(await ask('10.0.0.5'), 'no error');
    assert.match((await ask('10.0.0.5')) ?? '', /failed to allocate IP 10.0.0.5: provided IP is already allocated/);
    assert.match((await ask('10.0.0.0')) ?? '', /does not match the current range/);
    assert.match((await ask('10.9.0.1')) ?? '', /does not match the current range/);
  });

  test('what was not stored is given back, what is gone too', async () => {
    const { allocator, ctx, make, registry, taken } = fixture();
    const first = make({});
    await (await first.reservation).rollback();
    assert.equal(taken.size, 0);
    const second = make({});
    await (await second.reservation).commit();
    assert.equal(taken.size, 1);
    await allocator.release(ctx(), second.service, registry);
    assert.equal(taken.size, 0);
  });

  test('a dry run takes nothing', async () => {
    const { make, taken } = fixture();
    const { service, reservation } = make({}, true);
    await (await reservation).commit();
    assert.match(service.spec?.clusterIP ?? '', /^10\.0\.0\./);
    assert.equal(taken.size, 0);
  });
});

describe('families', () => {
  const cases: [string, string[], object, string[] | RegExp, string?][] = [
    ['one family', ['10.0.0.0/24'], {}, ['IPv4'], 'SingleStack'],
    ['prefers two, has one', ['10.0.0.0/24'], { ipFamilyPolicy: 'PreferDualStack' }, ['IPv4'], 'PreferDualStack'],
    ['needs two, has one', ['10.0.0.0/24'], { ipFamilyPolicy: 'RequireDualStack' }, /not configured for dual-stack/],
    [
      'needs two',
      ['10.0.0.0/24', 'fd00::/112'],
      { ipFamilyPolicy: 'RequireDualStack' },
      ['IPv4', 'IPv6'],
      'RequireDualStack',
    ],
    [
      'headless, led by its owner',
      ['10.0.0.0/24'],
      { clusterIP: 'None', clusterIPs: ['None'] },
      ['IPv4', 'IPv6'],
      'RequireDualStack',
    ],
    ['the one that is not there', ['10.0.0.0/24'], { ipFamilies: ['IPv6'] }, /not configured on this cluster/],
  ];
  for (const [what, cidrs, spec, wanted, policy] of cases) {
    test(what, async () => {
      const { service, reservation } = fixture(cidrs).make(spec);
      if (wanted instanceof RegExp) return assert.match((await message(reservation)) ?? '', wanted);
      await reservation;
      assert.deepEqual([service.spec?.ipFamilies, service.spec?.ipFamilyPolicy], [wanted, policy]);
    });
  }
});

describe('node ports', () => {
  test('one port under two protocols is one port of the node', async () => {
    const { make } = fixture();
    const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port: 53, protocol }));
    const { service, reservation } = make({ type: 'NodePort', ports });
    await reservation;
    const [tcp, udp] = service.spec?.ports ?? [];
    assert.ok(tcp?.nodePort);
    assert.equal(tcp.nodePort, udp?.nodePort);
  });

  test('stored and held ports are taken, others are not', () => {
    const stored: Service[] = [];
    const nodePorts = new NodePorts({ version: () => stored.length, all: () => stored }, new SeededRandom('ports'));
    nodePorts.take(30001);
    assert.throws(() => nodePorts.take(30001), /already allocated/);
    nodePorts.letGo(30001);
    stored.push({ metadata: { name: 'web' }, spec: { ports: [{ port: 80, nodePort: 30001 }] } } as Service);
    assert.throws(() => nodePorts.take(30001), /already allocated/);
    assert.throws(() => nodePorts.take(80), /The range of valid ports is 30000-32767/);
  });
});
