import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { after, afterEach, before, type TestContext } from 'node:test';
import { buildImages, type TestImage } from '../harness/images.ts';
import { Kubectl } from '../harness/kubectl.ts';
import { createNetwork, type Network, type NetworkHost } from '../harness/namespace.ts';
import { type RunningProgram, type RunResult, until } from '../harness/process.ts';
import { type Registry, startRegistry } from '../harness/registry.ts';
import { findContainerd } from '../harness/requirements.ts';

/**
 * The real `tutti up` on a host of the harness: containerd and kubectl are the machine's, images come from the harness's
 * registry, and nothing leaves the host's network. Tests talk to it as users do:
 *
 *     const cluster = await startCluster();
 *     await cluster.kubectl.run('create deployment kubia --image=kubia --port=8080');
 *     await cluster.host.fetch(`http://${ip}:8080/`);
 *     await cluster.dispose();
 *
 * A test that starts one is `requires(...CLUSTER_NEEDS)`.
 */
export const CLUSTER_NEEDS = ['root', 'containerd', 'images', 'nft', 'kubectl'] as const;

export interface ClusterOptions {
  readonly images?: readonly TestImage[];
  /** Further hosts beside the one that runs the cluster; default 0. */
  readonly others?: number;
  /** Further words of the command line. */
  readonly args?: readonly string[];
}

const TUTTI = join(import.meta.dirname, '../../entry/tutti.mjs');

export class E2eCluster implements AsyncDisposable {
  readonly network: Network;
  readonly registry: Registry;
  /** Runs the cluster. */
  readonly host: NetworkHost;
  readonly kubectl: Kubectl;
  readonly dataDir: string;
  readonly #args: readonly string[];
  #program: RunningProgram | undefined;

  constructor(network: Network, registry: Registry, args: readonly string[]) {
    this.network = network;
    this.registry = registry;
    this.host = network.hosts[0]!;
    this.dataDir = join(this.host.folder, 'tutti');
    this.kubectl = new Kubectl(this.host, { kubeconfig: join(this.dataDir, 'admin.kubeconfig') });
    this.#args = args;
  }

  get output(): string {
    return this.#program?.output ?? '';
  }

  get pid(): number {
    return this.#program?.pid ?? 0;
  }

  /** The whole command line of `tutti up`; for one that is to fail, or with other options. */
  command(...args: readonly string[]): string[] {
    const { host, registry } = this;
    const options = ['--data-dir', this.dataDir, '--registry-mirror', `*=${registry.url}`];
    return [process.execPath, TUTTI, 'up', ...options, '--cgroup-root', host.cgroupParent, ...args];
  }

  /** Starts it; resolves when it says that everything runs, with the milliseconds from the start of the process. */
  async start(...args: readonly string[]): Promise<number> {
    const started = performance.now();
    this.#program = this.host.spawn(this.command(...this.#args, ...args), {
      logFile: join(this.host.folder, 'tutti.log'),
    });
    await this.#program.waitFor('\nkubeconfig: ', 60_000);
    return performance.now() - started;
  }

  /** Ends it as Ctrl-C does; resolves with how long it took. Rejects when it takes longer than 12 s. */
  async interrupt(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<{ code: number | null; ms: number }> {
    const started = performance.now();
    this.#program!.kill(signal);
    const { code } = await this.#program!.wait(12_000);
    return { code, ms: performance.now() - started };
  }

  /** `kill -9`: containerd and pods go on. */
  async kill(): Promise<void> {
    this.#program!.kill('SIGKILL');
    await this.#program!.wait();
  }

  /** Another command of `tutti`, run to its end where the cluster runs. */
  tutti(command: string, options: { input?: string; check?: boolean; timeoutMs?: number } = {}): Promise<RunResult> {
    const words = command.split(' ').filter((word) => word !== '');
    return this.host.exec([process.execPath, TUTTI, ...words, '--data-dir', this.dataDir], options);
  }

  /** The command line of `tutti agent` on another host. */
  agentCommand(host: NetworkHost, ...args: readonly string[]): string[] {
    const options = ['--data-dir', join(host.folder, 'tutti'), '--registry-mirror', `*=${this.registry.url}`];
    return [process.execPath, TUTTI, 'agent', ...options, '--cgroup-root', host.cgroupParent, ...args];
  }

  /** Makes another host a node; resolves when it says that it is ready. */
  async join(host: NetworkHost): Promise<RunningProgram> {
    const token = (await this.tutti('token create --quiet')).stdout.trim();
    const server = `https://${this.host.address}:6443`;
    const program = host.spawn(this.agentCommand(host, '--server', server, '--token', token), {
      logFile: join(host.folder, 'tutti.log'),
    });
    await program.waitFor(' is ready\n', 60_000);
    // A taint keeps pods away until its controller, too, has heard that the node is ready.
    await until('pods may come to the node', async () => {
      const { items } = await this.kubectl.json('get nodes');
      return items.every(({ spec }: { spec: { taints?: unknown } }) => spec.taints === undefined);
    });
    return program;
  }

  /** The body of an answer, asked for from the host until there is one. */
  async bodyOf(url: string, timeoutMs = 30_000): Promise<string> {
    return until(`${url} answers`, async () => (await this.host.fetch(url).catch(() => undefined))?.body, {
      timeoutMs,
    });
  }

  /** Waits until a pod's program has said those words, which it may do some time after its container has started. */
  async heard(pod: string, words: string): Promise<void> {
    const log = async () => (await this.kubectl.run(`logs ${pod}`, { check: false })).stdout;
    await until(`${pod} says "${words}"`, async () => (await log()).includes(words), { timeoutMs: 30_000 });
  }

  /** The node's own tool for containers, beside the cluster's back. */
  ctr(...args: readonly string[]): Promise<RunResult> {
    const socket = join(this.dataDir, 'containerd/containerd.sock');
    return this.host.exec([join(findContainerd()!, 'ctr'), '--address', socket, '--namespace', 'k8s.io', ...args]);
  }

  /** The id of a pod's first container, once the runtime has it run: after a start the API tells for a while what was before. */
  async runningContainer(pod: string): Promise<string> {
    return until(
      `${pod} runs`,
      async () => {
        const id = await this.#containerOf(pod, 0);
        const { stdout } = await this.ctr('tasks', 'list');
        return new RegExp(`^${id} +\\d+ +RUNNING$`, 'm').test(stdout) && id;
      },
      { timeoutMs: 30_000 },
    );
  }

  async #containerOf(pod: string, container: number): Promise<string> {
    const path = `{.status.containerStatuses[${container}].containerID}`;
    return (await this.kubectl.text(`get pod ${pod} -o jsonpath=${path}`)).replace(/^.*\/\//, '');
  }

  /** Ends one container as the runtime's own tool does; resolves with its id. */
  async killContainer(pod: string, container = 0): Promise<string> {
    const id = await this.#containerOf(pod, container);
    await this.ctr('task', 'kill', '--signal', 'SIGKILL', id);
    return id;
  }

  /** What one wants to know when a test has failed: pods, the newest events and words of the cluster. */
  async describe(): Promise<string> {
    const parts = ['get all,pvc -A -o wide', 'get events -A --sort-by=.lastTimestamp'].map(async (args) => {
      const { stdout, stderr } = await this.kubectl.run(args, { check: false, timeoutMs: 10_000 });
      return `$ kubectl ${args}\n${(stderr + stdout).split('\n').slice(-60).join('\n')}`;
    });
    return [...(await Promise.all(parts)), this.output.slice(-4_000)].join('\n');
  }

  /** With TUTTI_KEEP_LOGS: puts there what tells afterwards how the cluster was, of each cluster in a folder of its own. */
  async #keepLogs(): Promise<void> {
    const kept = process.env['TUTTI_KEEP_LOGS'];
    if (kept === undefined) return;
    const folder = join(kept, `${basename(process.argv[1] ?? '')}-${this.network.name}`);
    mkdirSync(folder, { recursive: true });
    if (this.#program?.running) writeFileSync(join(folder, 'cluster.txt'), await this.describe());
    for (const host of this.network.hosts) {
      for (const [name, path] of [
        ['tutti', 'tutti.log'],
        ['containerd', 'tutti/containerd/log'],
      ]) {
        const from = join(host.folder, path!);
        if (existsSync(from)) cpSync(from, join(folder, `${host.name}-${name}.log`));
      }
    }
  }

  async dispose(): Promise<void> {
    await this.#keepLogs();
    if (this.#program?.running) await this.interrupt().catch(() => this.kill());
    await this.registry.close();
    await this.network.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/**
 * One cluster for all tests of the suite that calls this; a test that fails shows how the cluster was.
 *
 *     describe('…', requires(...CLUSTER_NEEDS), () => {
 *       const { kubectl } = clusterOfSuite();
 */
export function clusterOfSuite(options: ClusterOptions = {}) {
  let cluster: E2eCluster | undefined;
  before(
    async () => {
      cluster = await startCluster(options);
    },
    { timeout: 240_000 },
  );
  afterEach(async (context) => {
    if (cluster !== undefined && (context as TestContext).passed === false) {
      (context as TestContext).diagnostic(await cluster.describe());
    }
  });
  after(() => cluster?.dispose());
  return {
    get cluster(): E2eCluster {
      return cluster!;
    },
    /** Runs kubectl; resolves with what it prints, rejects with its words when it fails. */
    kubectl(args: string | readonly string[], input?: string | object): Promise<string> {
      const text = typeof input === 'object' ? JSON.stringify(input) : input;
      return cluster!.kubectl.text(args, { timeoutMs: 60_000, ...(text !== undefined && { input: text }) });
    },
    /** What `kubectl describe` prints once those words are in it: events come a moment after what they tell of. */
    async described(what: string, words: RegExp): Promise<string> {
      let text = '';
      await until(`${what} says ${words}`, async () => {
        text = await cluster!.kubectl.text(`describe ${what}`, { timeoutMs: 60_000 });
        return words.test(text);
      }).catch((error: unknown) => assert.match(text, words, (error as Error).message));
      return text;
    },
    /** The words of a kubectl that must fail. */
    async refused(args: string | readonly string[], input?: string | object): Promise<string> {
      const text = typeof input === 'object' ? JSON.stringify(input) : input;
      const options = { check: false, timeoutMs: 60_000, ...(text !== undefined && { input: text }) };
      const { code, stdout, stderr } = await cluster!.kubectl.run(args, options);
      assert.notEqual(code, 0, `kubectl ${args} was to fail: ${stdout}`);
      return stderr;
    },
  };
}

/** Makes the hosts, the registry and the command, without starting it. */
export async function prepareCluster(options: ClusterOptions = {}): Promise<E2eCluster> {
  const store = await buildImages(options.images ?? ['busybox', 'behave', 'kubia']);
  const network = await createNetwork({ hosts: 1 + (options.others ?? 0) });
  return new E2eCluster(network, await startRegistry(store, network.hub), options.args ?? []);
}

/** A cluster that runs, with its node ready. */
export async function startCluster(options: ClusterOptions = {}): Promise<E2eCluster> {
  const cluster = await prepareCluster(options);
  try {
    await cluster.start();
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
  return cluster;
}
