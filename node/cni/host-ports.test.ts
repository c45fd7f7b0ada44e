import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { hostOf } from '../../tests/harness/host.ts';
import { createNetwork, type Network } from '../../tests/harness/namespace.ts';
import { requires } from '../../tests/harness/requirements.ts';
import { HostPorts, hostPortsOf, hostPortsTable } from './host-ports.ts';

describe('what containers’ ports ask of the node', () => {
  const cases: [string, Parameters<typeof hostPortsOf>[0][number], string[]][] = [
    ['a port without one of the host', { containerPort: 80 }, []],
    ['one at every address', { containerPort: 80, hostPort: 8080 }, ['tcp 8080 10.0.0.2 80', 'tcp 8080 fd00::2 80']],
    ['UDP', { containerPort: 53, hostPort: 53, protocol: 'UDP' }, ['udp 53 10.0.0.2 53', 'udp 53 fd00::2 53']],
    [
      'one at an address, which only the pod’s address of its family can have',
      { containerPort: 80, hostPort: 81, hostIP: '192.0.2.1' },
      ['tcp 192.0.2.1 81 10.0.0.2 80'],
    ],
    ['one at every address of IPv6', { containerPort: 80, hostPort: 81, hostIP: '::' }, ['tcp 81 fd00::2 80']],
  ];
  for (const [name, port, expected] of cases) {
    test(name, () => {
      const found = hostPortsOf([port], ['10.0.0.2', 'fd00::2']);
      const words = found.map(({ protocol, port, hostIp, podIp, podPort }) =>
        [protocol, ...(hostIp ? [hostIp] : []), port, podIp, podPort].join(' '),
      );
      assert.deepEqual(words, expected);
    });
  }

  test('without any there is no table', () => {
    assert.doesNotMatch(hostPortsTable(['10.0.0.0/24'], []), /chain/);
  });
});

describe('host ports in the kernel', requires('root', 'nft'), () => {
  const clock = new RealClock();
  const POD = '10.244.1.1';
  const to = (port: number, podPort: number) => hostPortsOf([{ containerPort: podPort, hostPort: port }], [POD]);
  let network: Network;
  before(async () => {
    network = await createNetwork({ hosts: 2 });
    const [host] = network.hosts;
    // A pod's address, as the bridge would have it.
    await host!.exec(`ip link add cni0 type bridge && ip link set cni0 up && ip addr add ${POD}/24 dev cni0`);
    for (const port of [8080, 8081]) {
      const server = await host!.listen(port, POD);
      server.on('connection', (socket) => {
        socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${port}`));
      });
    }
  });
  after(() => network?.dispose());

  const made = () => {
    const host = hostOf(network.hosts[0]!);
    const runs: string[] = [];
    const processes = { ...host.processes, run: counting(host.processes, runs) };
    return { runs, hostPorts: new HostPorts({ host: { ...host, processes }, clock, log: silentLogger }) };
  };
  const ask = async (port: number, from = 1) => {
    const url = `http://${network.hosts[0]!.address}:${port}/`;
    return (await network.hosts[from]!.fetch(url).catch(() => ({ body: 'refused' }))).body;
  };
  const tables = async () => (await hostOf(network.hosts[0]!).processes.run('nft', ['list', 'tables'])).stdout;

  test('lead from outside and from the node into the pod, as long as it wants them', async () => {
    const { hostPorts, runs } = made();
    await hostPorts.set('one', to(18_080, 8080));
    assert.deepEqual(runs, [], 'whose network it is is not known yet');
    await hostPorts.use(['10.244.1.0/24']);
    assert.equal(await ask(18_080), '8080');
    assert.equal(await ask(18_080, 0), '8080');
    const count = runs.length;
    await hostPorts.set('one', to(18_080, 8080));
    await hostPorts.set('none', []);
    assert.equal(runs.length, count, 'what is there is left alone');
    await Promise.all([hostPorts.set('two', to(18_081, 8081)), hostPorts.set('one', to(18_082, 8080))]);
    assert.deepEqual([await ask(18_080), await ask(18_081), await ask(18_082)], ['refused', '8081', '8080']);
    await hostPorts.set('one', []);
    assert.deepEqual([await ask(18_082), await ask(18_081)], ['refused', '8081']);
    await hostPorts.set('two', []);
    assert.equal(await tables(), '');
  });

  test('who comes after another takes its ports over, and those of pods that are no more go', async () => {
    const [earlier, later] = [made().hostPorts, made().hostPorts];
    await earlier.use(['10.244.1.0/24']);
    await Promise.all([earlier.set('one', to(18_080, 8080)), earlier.set('two', to(18_081, 8081))]);
    const used = later.use(['10.244.1.0/24']);
    assert.equal(await ask(18_081), '8081', 'until its pods have been looked at');
    await later.set('one', to(18_080, 8080));
    await used;
    assert.deepEqual([await ask(18_080), await ask(18_081)], ['8080', 'refused']);
    await made().hostPorts.use(['10.244.1.0/24']);
    assert.equal(await tables(), '', 'after one that found no pods');
  });

  test('on a network of somebody else nothing is done', async () => {
    const { hostPorts, runs } = made();
    await hostPorts.use(undefined);
    await hostPorts.set('one', to(18_080, 8080));
    assert.deepEqual(runs, []);
  });

  test('what nft refuses is told, and tried again', async () => {
    const { hostPorts } = made();
    await hostPorts.use(['10.244.1.0/24']);
    const wrong = [{ ...to(18_080, 8080)[0]!, podIp: 'nobody' }];
    await assert.rejects(hostPorts.set('one', wrong), { name: 'HostPortError' });
    await hostPorts.set('one', to(18_080, 8080));
    assert.equal(await ask(18_080), '8080');
    await hostPorts.set('one', []);
  });
});

type Processes = ReturnType<typeof hostOf>['processes'];

const counting =
  (processes: Processes, runs: string[]): Processes['run'] =>
  (program, args, options) => {
    runs.push(program);
    return processes.run(program, args, options);
  };
