import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Pod } from '../../api/types/core/v1.generated.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import type { Live } from '../../libs/kind/object.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { realNodeOfSuite } from '../fixtures/real-node.ts';
import { cgroupRoots } from '../harness/leftovers.ts';
import { delay, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';

/**
 * Kills what runs under pods, as a seed says, and then looks for what was left behind.
 *
 * Short by default. In full: `TUTTI_CHURN_SECONDS=120 TUTTI_CHURN_PODS=30 TUTTI_CHURN_SEED=7`.
 */
const SECONDS = Number(process.env['TUTTI_CHURN_SECONDS'] ?? 4);
const PODS = Number(process.env['TUTTI_CHURN_PODS'] ?? 8);
const SEED = process.env['TUTTI_CHURN_SEED'] ?? '1';
describe('a node on which things die', requires('root', 'containerd', 'images'), () => {
  const random = new SeededRandom(SEED);
  const suite = realNodeOfSuite();
  let made = 0;

  const create = () =>
    suite.node.create(
      `churn-${made++}`,
      ['stay'],
      {
        terminationGracePeriodSeconds: random.int(2),
        volumes: [{ name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      },
      { volumeMounts: [{ name: 'memory', mountPath: '/memory' }] },
    );
  const isReady = ({ status }: Live<Pod>) =>
    status?.conditions?.some(({ type, status: text }) => type === 'Ready' && text === 'True') ?? false;

  /** Processes of this run whose command line says `what`. */
  const processes = (what: RegExp): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
          return line.includes(suite.node.containerd.socket) && what.test(line);
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
      const { containers } = await suite.node.cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } });
      const chosen = oneOf(containers);
      if (!chosen) return;
      const { info } = await suite.node.cri.containerStatus({ containerId: chosen.id, verbose: true });
      kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid);
    },
    async shim() {
      const pid = oneOf(processes(/containerd-shim/));
      if (pid !== undefined) kill(pid);
    },
    async runtime() {
      await suite.node.containerd.kill();
      await suite.node.containerd.restart();
    },
    async kubelet() {
      await suite.node.stopKubelet();
      await suite.node.startKubelet();
    },
    async pod() {
      const { items } = await suite.node.api.list();
      const chosen = oneOf(items.filter(({ metadata }) => !metadata.deletionTimestamp));
      if (chosen) await suite.node.api.delete(chosen.metadata.name, random.int(2) ? { gracePeriodSeconds: 0 } : {});
      await create();
    },
  };
  const weighted = ['container', 'container', 'container', 'shim', 'shim', 'pod', 'pod', 'runtime', 'kubelet'] as const;

  test(`${SECONDS} s of trouble under ${PODS} pods, and nothing is left (seed ${SEED})`, {
    timeout: (SECONDS + 150) * 1000,
  }, async () => {
    await Promise.all(Array.from({ length: PODS }, create));
    const all = async () => (await suite.node.api.list()).items as readonly Live<Pod>[];
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
      (await suite.node.cri.listPodSandbox({ filter: { state: { state: 'SANDBOX_READY' } } })).items.length;
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

    await Promise.all(wanted.map(({ metadata }) => suite.node.api.delete(metadata.name, { gracePeriodSeconds: 0 })));
    await until('all are gone', async () => (await all()).length === 0);
    await until('the kubelet has done with them', () => suite.node.fixture.kubelet.pods().length === 0, {
      timeoutMs: 60_000,
    });
    const nothing = async (): Promise<Record<string, unknown>> => {
      const { host } = suite.node;
      const out = async (command: string) => (await host.exec(command)).stdout.trim();
      const [sandboxes, containers] = await Promise.all([
        suite.node.cri.listPodSandbox({}),
        suite.node.cri.listContainers({}),
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
    await assert.rejects(suite.node.api.get('churn-0'), isNotFound);
  });
});
