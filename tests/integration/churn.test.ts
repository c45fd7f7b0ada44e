import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pods } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core/v1.generated.ts';
import { createLogger, formatRecord, silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import type { Live } from '../../libs/kind/object.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { type ControlPlane, startControlPlane } from '../fixtures/control-plane.ts';
import { type KubeletFixture, startKubeletOn } from '../fixtures/kubelet.ts';
import { type Containerd, startContainerd, writeCniConfiguration } from '../harness/containerd.ts';
import { hostOf } from '../harness/host.ts';
import { buildImages } from '../harness/images.ts';
import { cgroupRoots } from '../harness/leftovers.ts';
import { createNetwork, type Network } from '../harness/namespace.ts';
import { delay, until } from '../harness/process.ts';
import { type Registry, startRegistry } from '../harness/registry.ts';
import { requires } from '../harness/requirements.ts';

/**
 * Kills what runs under pods, as a seed says, and then looks for what was left behind.
 *
 * Short by default. In full: `TUTTI_CHURN_SECONDS=120 TUTTI_CHURN_PODS=30 TUTTI_CHURN_SEED=7`.
 */
const SECONDS = Number(process.env['TUTTI_CHURN_SECONDS'] ?? 4);
const PODS = Number(process.env['TUTTI_CHURN_PODS'] ?? 8);
const SEED = process.env['TUTTI_CHURN_SEED'] ?? '1';
const IMAGE = 'docker.io/library/behave:latest';
const NODE = 'node-1';

const log = process.env['TUTTI_TEST_LOG']
  ? createLogger('test', new RealClock(), (record) => console.error(formatRecord(record)), 'debug')
  : silentLogger;

describe('a node on which things die', requires('root', 'containerd', 'images'), () => {
  const random = new SeededRandom(SEED);
  let network: Network;
  let registry: Registry;
  let containerd: Containerd;
  let cluster: ControlPlane;
  let fixture: KubeletFixture;
  let made = 0;

  const inDefault = () => cluster.client.resource(pods).namespace('default');
  const create = () =>
    inDefault().create({
      metadata: { name: `churn-${made++}` },
      spec: {
        nodeName: NODE,
        terminationGracePeriodSeconds: random.int(2),
        automountServiceAccountToken: false,
        volumes: [{ name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
        containers: [
          {
            name: 'main',
            image: IMAGE,
            imagePullPolicy: 'IfNotPresent',
            args: ['stay'],
            volumeMounts: [{ name: 'memory', mountPath: '/memory' }],
          },
        ],
      },
    } as Pod);
  const isReady = ({ status }: Live<Pod>) =>
    status?.conditions?.some(({ type, status: text }) => type === 'Ready' && text === 'True') ?? false;

  before(
    async () => {
      const store = await buildImages(['pause', 'busybox', 'behave']);
      network = await createNetwork({ hosts: 1 });
      registry = await startRegistry(store, network.hub);
      writeCniConfiguration(network.hosts[0]!, '10.244.1.0/24');
      containerd = await startContainerd(network.hosts[0]!, { registry });
      cluster = await startControlPlane({ sockets: hostOf(network.hosts[0]!).sockets, log });
      fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE, log });
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await fixture?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    await registry?.close();
    await network?.dispose();
  });

  /** Processes of this run whose command line says `what`. */
  const processes = (what: RegExp): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
          return line.includes(containerd.socket) && what.test(line);
        } catch {
          return false;
        }
      })
      .map(Number);
  const childrenOf = (pid: number): string[] => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .split(' ')
        .filter((one) => one.trim() !== '');
    } catch {
      return [];
    }
  };
  const kill = (pid: number) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has gone by itself.
    }
  };
  const oneOf = <T>(all: readonly T[]): T | undefined => all[random.int(all.length)];

  const troubles: Record<string, () => Promise<void>> = {
    async container() {
      const { containers } = await fixture.cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } });
      const chosen = oneOf(containers);
      if (!chosen) return;
      const { info } = await fixture.cri.containerStatus({ containerId: chosen.id, verbose: true });
      kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid);
    },
    async shim() {
      const pid = oneOf(processes(/containerd-shim/));
      if (pid !== undefined) kill(pid);
    },
    async runtime() {
      await containerd.kill();
      await containerd.restart();
    },
    async kubelet() {
      await fixture[Symbol.asyncDispose]();
      fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE, log });
    },
    async pod() {
      const { items } = await inDefault().list();
      const chosen = oneOf(items.filter(({ metadata }) => !metadata.deletionTimestamp));
      if (chosen) await inDefault().delete(chosen.metadata.name, random.int(2) ? { gracePeriodSeconds: 0 } : {});
      await create();
    },
  };
  const weighted = ['container', 'container', 'container', 'shim', 'shim', 'pod', 'pod', 'runtime', 'kubelet'] as const;

  test(`${SECONDS} s of trouble under ${PODS} pods, and nothing is left (seed ${SEED})`, {
    timeout: (SECONDS + 150) * 1000,
  }, async () => {
    await Promise.all(Array.from({ length: PODS }, create));
    const all = async () => (await inDefault().list()).items as readonly Live<Pod>[];
    await until('all run', async () => (await all()).every(isReady), { timeoutMs: 60_000 });
    const until_ = Date.now() + SECONDS * 1000;
    const history: string[] = [];
    while (Date.now() < until_) {
      const what = oneOf(weighted)!;
      history.push(what);
      // The runtime may be away just now: that is the point.
      await troubles[what]!().catch((error: unknown) => history.push(`(${(error as Error).message})`));
      await delay(random.int(400));
    }
    // What was killed last may not have been noticed yet: statuses alone may be old.
    const sandboxes = async () =>
      (await fixture.cri.listPodSandbox({ filter: { state: { state: 'SANDBOX_READY' } } })).items.length;
    const runs = async () => (await all()).every(isReady) && (await sandboxes()) === (await all()).length;
    await until('all that is wanted runs again', runs, { timeoutMs: 90_000 }).catch(async (error: unknown) => {
      const states = (await all()).map(({ metadata, status }) => [
        metadata.name,
        status?.containerStatuses?.[0]?.state,
      ]);
      throw new Error(`${(error as Error).message}: ${JSON.stringify(states)} after ${history.join(' ')}`);
    });
    const wanted = await all();
    assert.equal(await sandboxes(), wanted.length, 'each pod has one sandbox, and there is no other');

    await Promise.all(wanted.map(({ metadata }) => inDefault().delete(metadata.name, { gracePeriodSeconds: 0 })));
    await until('all are gone', async () => (await all()).length === 0);
    await until('the kubelet has done with them', () => fixture.kubelet.pods().length === 0, { timeoutMs: 60_000 });
    const nothing = async (): Promise<Record<string, unknown>> => {
      const { host } = containerd;
      const out = async (command: string) => (await host.exec(command)).stdout.trim();
      const [sandboxes, containers] = await Promise.all([
        fixture.cri.listPodSandbox({}),
        fixture.cri.listContainers({}),
      ]);
      const folder = `${host.folder}/kubelet/pods`;
      return {
        sandboxes: sandboxes.items.length,
        containers: containers.containers.length,
        // A containerd that is killed while it starts a shim may forget it, empty: that is not ours to end.
        programs: processes(/containerd-shim/).flatMap(childrenOf).length,
        // Nor is an empty network namespace, which it has made first: one that is wired up is a pod's.
        namespaces: await out(
          'cd /run/netns; for n in *; do [ -e $n ] && nsenter --net=$n ip -o link | grep -q eth0 && echo $n; done || :',
        ),
        addresses: await out("ls /var/lib/cni/networks/* 2>/dev/null | grep -E '^[0-9]+\\.' || :"),
        mounts: await out(
          `grep -oE '(${host.folder}/kubelet/pods|[^ ]*/rootfs|[^ ]*/sandboxes/[^ ]*/shm) .*' /proc/self/mountinfo || :`,
        ),
        folders: existsSync(folder) ? readdirSync(folder) : [],
        logs: readdirSync(`${host.folder}/pod-logs`),
        links: readdirSync(`${host.folder}/container-logs`),
        cgroups: cgroupRoots().flatMap((root) =>
          ['', 'besteffort', 'burstable']
            .map((qos) => join(root.path, host.cgroupParent, 'kubepods', qos))
            .filter(existsSync)
            .flatMap((path) => readdirSync(path).filter((name) => name.startsWith('pod'))),
        ),
      };
    };
    const expected = {
      sandboxes: 0,
      containers: 0,
      programs: 0,
      namespaces: '',
      addresses: '',
      mounts: '',
      folders: [],
      logs: [],
      links: [],
      cgroups: [],
    };
    // What has been asked to end may take a moment to be gone.
    const settled = async () => JSON.stringify(await nothing()) === JSON.stringify(expected);
    await until('nothing is left', settled, { timeoutMs: 15_000 }).catch(() => {});
    assert.deepEqual(await nothing(), expected, `after ${history.join(' ')}`);
  });

  test('who asks for a pod that is not there any more hears so', async () => {
    await assert.rejects(inDefault().get('churn-0'), isNotFound);
  });
});
