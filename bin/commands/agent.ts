// `tutti agent`: this machine as a node of a cluster elsewhere, in the foreground.

import { nodes } from '../../api/resources.ts';
import type { Machine } from '../compose/apiserver.ts';
import { nodeAddress } from '../compose/cluster-network.ts';
import { DEFAULT_CGROUP_ROOT } from '../compose/end-pods.ts';
import { type Joined, joinCluster } from '../compose/join.ts';
import { endRuntime, type RunningNode, type Runtime, type Step, startNode, startRuntime } from '../compose/node.ts';
import { lockDataDir } from '../data-lock.ts';
import { CommandError, explainStartError } from '../errors.ts';
import { type JoinToken, parseJoinToken } from '../join-token.ts';
import { requireNodeMachine } from '../node-machine.ts';
import { writeRunRecord } from '../run-record.ts';
import { say } from '../spoken.ts';
import { detach } from './detach.ts';
import { runUntilSignal } from './foreground.ts';
import { NODE_OPTIONS, type NodeOptions, nodeOptions, type Parsed, parseOptions, readConfig } from './options.ts';
import { NODE_COMPONENTS } from './up-options.ts';

export const USAGE = `tutti agent: make this machine a node of a cluster, in the foreground
usage: tutti agent --server URL --token TOKEN [options]
"tutti token create" on the server prints the command to run here. Who joined once comes back without a token.
  --server URL           of the cluster's API server (https://10.0.0.1:6443)
  --token TOKEN          as "tutti token create" prints it; it also says which cluster is the right one
  --data-dir DIR         where the node's part lives (default: ~/.tutti)
  --node-name NAME       of this machine in the cluster (default: its host name)
  --node-ip ADDRESS      by which others reach this machine (default: its own)
  --cri-endpoint URL     use a container runtime of yours instead of starting containerd
  --registry-mirror REGISTRY=URL
                         where to ask for images of a registry first; may be repeated
  --cgroup-root PATH     the cgroup below which pods have theirs (default ${DEFAULT_CGROUP_ROOT})
  --pod-manifest-path DIR
                         run the pods whose manifests are in this folder, whatever becomes of the cluster
  --kubelet-config FILE  a KubeletConfiguration: limits of logs and images, eviction, maxPods, podPidsLimit …
  --keep-pods            leave pods running when this stops: the next start takes them over
  --detach               return once the node runs, and leave it running
  --config FILE          read options from a YAML file; what the command line says counts more
  --verbose              log more
  --help                 print this text
examples:
  tutti agent --server https://10.0.0.1:6443 --token abcdef.0123456789abcdef.…
  tutti agent
`;

const OPTIONS = { server: { type: 'string' }, token: { type: 'string' }, ...NODE_OPTIONS } as const;

export interface AgentOptions extends NodeOptions {
  readonly server?: string;
  readonly token?: JoinToken;
}

/** `help`, or settings that are complete. Throws `CommandError`. */
export function agentOptions(args: readonly string[]): AgentOptions | 'help' {
  const { values: given } = parseOptions('agent', args, OPTIONS);
  if (given.help) return 'help';
  const values: Parsed<typeof OPTIONS>['values'] = {
    ...(given.config === undefined ? {} : readConfig('agent', given.config, OPTIONS)),
    ...given,
  };
  return {
    ...(values.server !== undefined && { server: serverOf(values.server) }),
    ...(values.token !== undefined && { token: parseJoinToken(values.token) }),
    ...nodeOptions(values),
  };
}

function serverOf(text: string): string {
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return text.replace(/\/$/, '');
  throw new CommandError(`--server wants an address such as https://10.0.0.1:6443, not "${text}".`, 2);
}

/** Runs until a signal comes; resolves with the exit code. */
export async function agent(args: readonly string[]): Promise<number> {
  const options = agentOptions(args);
  if (options === 'help') {
    say(USAGE);
    return 0;
  }
  if (options.detach) return detach('agent', options, args);
  return runUntilSignal(options, async (machine, step) => {
    requireNodeMachine(options, (text) => step('set-up', text));
    const { dataDir } = options;
    const lock = await lockDataDir(machine.host, dataDir);
    const running = new Agent(machine, options, step);
    return {
      start: () => running.start(),
      explain: (error) => explainStartError(error, { dataDir, port: 10_250, listenHost: '0.0.0.0' }),
      async stop(hurry) {
        await running.stop(hurry);
        await lock[Symbol.asyncDispose]();
      },
    };
  });
}

class Agent {
  readonly #machine: Machine;
  readonly #options: AgentOptions;
  readonly #step: Step;
  readonly #stopping = new AbortController();
  #starting: Promise<unknown> | undefined;
  #runtime: Promise<Runtime> | undefined;
  #joined: Joined | undefined;
  #node: RunningNode | undefined;

  constructor(machine: Machine, options: AgentOptions, step: Step) {
    this.#machine = machine;
    this.#options = options;
    this.#step = step;
  }

  start(): Promise<string> {
    const starting = this.#start();
    this.#starting = starting;
    return starting;
  }

  async #start(): Promise<string> {
    const { dataDir, nodeName, cgroupRoot, staticPodPath, kubelet } = this.#options;
    const { host } = this.#machine;
    if (await host.files.statIfExists(`${dataDir}/pki/ca.key`)) {
      throw new CommandError(
        `${dataDir} holds a cluster of its own; choose another --data-dir for this node, or remove that cluster with "tutti reset".`,
      );
    }
    const nodeIp = nodeAddress(host.facts, this.#options.nodeIp);
    await host.files.makeDirectory(dataDir, { mode: 0o700 });
    const { server, token } = this.#options;
    this.#joined = await joinCluster(this.#machine, {
      ...(server !== undefined && { server }),
      ...(token !== undefined && { token }),
      dataDir,
      nodeName,
      nodeIp,
      signal: this.#stopping.signal,
    });
    const { networks, access } = this.#joined;
    this.#step('cluster', this.#joined.server);
    const { criEndpoint } = this.#options;
    const wanted = new Set(NODE_COMPONENTS);
    await writeRunRecord(host.files, dataDir, {
      role: 'agent',
      startedMs: this.#machine.clock.now(),
      components: [...wanted],
      networks,
      cgroupRoot,
      nodeName,
      server: this.#joined.server,
      ...(criEndpoint !== undefined && { criEndpoint }),
    });
    this.#runtime = startRuntime(this.#machine, this.#options);
    const runtime = await this.#runtime;
    if (runtime.own) this.#step('containerd', runtime.own.adopted ? 'taken over as it ran' : runtime.own.endpoint);
    this.#node = await startNode(
      access,
      runtime,
      { dataDir, networks, nodeName, nodeIp, wanted, cgroupRoot, staticPodPath, kubelet },
      this.#step,
    );
    await this.#ready();
    return `
node: ${nodeName} of ${this.#joined.server}
Ctrl-C stops it; the data stays.
`;
  }

  /** Says when the cluster sees the node as ready; a node that takes long goes on by itself. */
  async #ready(): Promise<void> {
    const { clock } = this.#machine;
    const { nodeName } = this.#options;
    const end = clock.monotonic() + READY_MS;
    while (clock.monotonic() < end && !this.#stopping.signal.aborted) {
      const node = await this.#joined!.access.kubelet.resource(nodes)
        .get(nodeName)
        .catch(() => undefined);
      if (node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True') {
        this.#step('node', `${nodeName} is ready`);
        return;
      }
      await clock.sleep(50);
    }
    this.#step('node', 'not ready yet');
  }

  async stop(hurry: AbortSignal): Promise<void> {
    this.#stopping.abort(new Error('the node stops'));
    await this.#starting?.catch(() => undefined);
    if (!this.#node) await this.#runtime?.then(endRuntime, () => undefined);
    await this.#node?.stop(this.#options.keepPods, hurry);
    await this.#joined?.[Symbol.asyncDispose]();
  }
}

const READY_MS = 30_000;
