import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SeededRandom } from '../../libs/base/random.ts';
import { cgroupRoots } from '../harness/leftovers.ts';
import { delay, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';

/**
 * `kill -9` of whatever runs, the whole of Tutti included, as a seed says; then everything runs again, and once it has
 * been deleted nothing is left. In full: `TUTTI_CHURN_SECONDS=120 TUTTI_CHURN_PODS=30 TUTTI_CHURN_SEED=7`.
 */
const SECONDS = Number(process.env['TUTTI_CHURN_SECONDS'] ?? 5);
const PODS = Number(process.env['TUTTI_CHURN_PODS'] ?? 6);
const SEED = process.env['TUTTI_CHURN_SEED'] ?? '1';

describe('tutti up while things are killed', requires(...CLUSTER_NEEDS), () => {
  const random = new SeededRandom(SEED);
  let cluster: E2eCluster;
  const kubectl = (args: string, timeoutMs = 30_000) => cluster.kubectl.text(args, { timeoutMs });

  before(
    async () => {
      cluster = await startCluster({ images: ['busybox', 'behave'] });
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  /** Processes of the cluster's host by what their command line says. */
  const processes = (what: RegExp): number[] => cluster.host.pids().filter((pid) => what.test(commandOf(pid)));
  const killOne = (all: readonly number[]): void => {
    const pid = all[random.int(all.length)];
    if (pid === undefined) return;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has gone by itself.
    }
  };
  const troubles: Record<string, () => Promise<void> | void> = {
    container: () => killOne(processes(/^\/bin\/sh .*behave|^sh .*behave|behave stay/)),
    shim: () => killOne(processes(/containerd-shim/)),
    runtime: () => killOne(processes(/^\S*containerd --config /)),
    async tutti() {
      await cluster.kill();
      await delay(random.int(500));
      await cluster.start();
    },
    async pod() {
      const names = (await kubectl('get pods -o name')).split('\n').filter((name) => name !== '');
      const name = names[random.int(names.length)];
      const force = random.int(2) ? '--force --grace-period=0' : '';
      // One of an earlier deletion may be gone by now.
      if (name) await kubectl(`delete ${name} --ignore-not-found --wait=false ${force}`);
    },
  };
  const weighted = ['container', 'container', 'shim', 'shim', 'pod', 'pod', 'runtime', 'tutti'] as const;

  test(`${SECONDS} s of trouble under ${PODS} pods, and nothing is left (seed ${SEED})`, {
    timeout: (SECONDS + 300) * 1000,
  }, async () => {
    await kubectl('create deployment churn --image=behave -- behave stay');
    await kubectl(`scale deployment churn --replicas=${PODS}`);
    await kubectl('rollout status deployment/churn --timeout=90s', 100_000);
    const endMs = Date.now() + SECONDS * 1000;
    const history: string[] = [];
    while (Date.now() < endMs) {
      const what = weighted[random.int(weighted.length)]!;
      history.push(what);
      await troubles[what]!();
      await delay(random.int(600));
    }
    await kubectl('rollout status deployment/churn --timeout=120s', 130_000).catch(async (error: unknown) => {
      throw new Error(`${(error as Error).message}\n${await kubectl('get pods')}\nafter ${history.join(' ')}`);
    });
    await kubectl('delete deployment churn');
    await until('all pods are gone', async () => (await kubectl('get pods -o name')) === '', { timeoutMs: 60_000 });

    const { host, dataDir } = cluster;
    const out = async (command: string) => (await host.exec(command, { check: false })).stdout.trim();
    const left = async () => ({
      programs: processes(/behave|pause/).map(commandOf),
      namespaces: await out(`ls /run/netns ${dataDir}/containerd/state/*/netns | grep cni-`),
      addresses: await out("ls /var/lib/cni/networks/* 2>/dev/null | grep -E '^[0-9]+\\.'"),
      links: await out('ip -o link show type veth | grep -c "master cni0"'),
      mounts: await out(
        `grep -oE '(${dataDir}/kubelet/pods|[^ ]*/rootfs|[^ ]*/sandboxes/[^ ]*/shm) .*' /proc/self/mountinfo`,
      ),
      folders: existsSync(`${dataDir}/kubelet/pods`) ? readdirSync(`${dataDir}/kubelet/pods`) : [],
      logs: readdirSync(`${dataDir}/logs/pods`),
      cgroups: cgroupRoots().flatMap((root) =>
        ['', 'besteffort', 'burstable']
          .map((qos) => join(root.path, host.cgroupParent, 'kubepods', qos))
          .filter(existsSync)
          .flatMap((path) => readdirSync(path).filter((name) => name.startsWith('pod'))),
      ),
    });
    const nothing = {
      programs: [],
      namespaces: '',
      addresses: '',
      links: '0',
      mounts: '',
      folders: [],
      logs: [],
      cgroups: [],
    };
    const isNothing = async () => JSON.stringify(await left()) === JSON.stringify(nothing);
    await until('nothing is left', isNothing, { timeoutMs: 30_000 }).catch(() => undefined);
    assert.deepEqual(await left(), nothing, `after ${history.join(' ')}`);
  });

  test('and it ends as ever, with no process left', async () => {
    assert.equal((await cluster.interrupt()).code, 0, cluster.output);
    const left = () =>
      processes(/./)
        .map(commandOf)
        .filter((command) => !command.includes('harness/agent'));
    await until('all have ended', () => left().length === 0).catch(() => undefined);
    assert.deepEqual(left(), []);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
