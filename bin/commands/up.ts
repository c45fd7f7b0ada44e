// `tutti up`: a cluster on this machine, in the foreground.

import process from 'node:process';
import { nodes } from '../../api/resources.ts';
import { createLogger, formatRecord, type LogLevel } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import { type Machine, startApiServer } from '../compose/apiserver.ts';
import { ownAddress } from '../compose/cluster-network.ts';
import { type Around, clientOf, startControllers, startSchedulerComponent } from '../compose/components.ts';
import { type RunningNode, type Runtime, startNode, startRuntime } from '../compose/node.ts';
import { localAccess } from '../compose/node-access.ts';
import type { Simulation } from '../compose/simulation.ts';
import { lockDataDir } from '../data-lock.ts';
import { CommandError, explainStartError } from '../errors.ts';
import { requireNodeMachine } from '../node-machine.ts';
import { mergeIntoUserKubeconfig } from '../user-kubeconfig.ts';
import { detach } from './detach.ts';
import { NODE_COMPONENTS, type UpOptions, USAGE, upOptions } from './up-options.ts';

/** How long everything may take to stop. */
const STOP_MS = 10_000;
const READY_MS = 60_000;

/** Runs until a signal comes; resolves with the exit code. */
export async function up(args: readonly string[]): Promise<number> {
  const options = upOptions(args);
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  if (options.detach) return detach(options, args);
  const machine = machineOf(options.verbose ? 'debug' : 'warn');
  const stopped = signalled();
  const step = stepsOf(machine);
  const hasNode = NODE_COMPONENTS.some((name) => options.wanted.has(name));
  if (hasNode) requireNodeMachine(options, (text) => step('set-up', text));

  const { dataDir, port, listenHost } = options;
  await using _lock = await lockDataDir(machine.host, dataDir).catch((error: unknown) => {
    throw explainStartError(error, { dataDir, port, listenHost });
  });
  const cluster = new Cluster(machine, options, step);
  try {
    const signal = await Promise.race([cluster.start(), stopped]);
    process.stdout.write(typeof signal === 'string' ? '' : cluster.hints());
    const reason = await stopped;
    process.stdout.write(`\n${reason}: stopping\n`);
  } catch (error) {
    throw explainStartError(error, { dataDir, port, listenHost });
  } finally {
    const late = machine.clock.setTimer(giveUp, STOP_MS, { keepAlive: true });
    await cluster.stop();
    late.cancel();
  }
  step('stopped', options.keepPods && hasNode ? 'pods go on running' : '');
  return 0;
}

function giveUp(): void {
  process.stderr.write('tutti: not everything ended in time; the next start looks after what is left.\n');
  process.exit(1);
}

/** A runtime without a node: containers that run go on, and nobody looks after them. */
async function endRuntime({ cri, own }: Runtime): Promise<void> {
  await cri.close();
  await own?.stop();
}

type Step = (what: string, detail: string) => void;

/** Everything that one `tutti up` runs, from the first step to the last. */
class Cluster {
  readonly #machine: Machine;
  readonly #options: UpOptions;
  readonly #step: Step;
  readonly #server = new AsyncDisposableStack();
  readonly #components = new AsyncDisposableStack();
  readonly #stopping = new AbortController();
  #starting: Promise<void> | undefined;
  #runtime: Promise<Runtime> | undefined;
  #node: RunningNode | undefined;
  #simulation: Simulation | undefined;
  #kubeconfigPath = '';

  constructor(machine: Machine, options: UpOptions, step: Step) {
    this.#machine = machine;
    this.#options = options;
    this.#step = step;
  }

  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    const { wanted, dataDir, networks, nodeName, store, etcdTls, audit, listenHost, port } = this.#options;
    const hasNode = NODE_COMPONENTS.some((name) => wanted.has(name));
    if (this.#options.simulate !== undefined) {
      this.#simulation = new (await import('../compose/simulation.ts')).Simulation();
    }
    const simulation = this.#simulation;
    const nodeIp = this.#options.nodeIp ?? ownAddress(this.#machine.host.facts);
    if (hasNode && nodeIp === undefined) {
      throw new CommandError(
        'This machine has no address besides loopback, so pods could not reach it; bring up a link, or give --node-ip.',
      );
    }
    // The runtime takes longest and needs nothing of the cluster: it starts beside the API server.
    const runtime = wanted.has('kubelet') ? startRuntime(this.#machine, this.#options) : undefined;
    this.#runtime = runtime;
    runtime?.then(
      ({ own }) => own && this.#step('containerd', own.adopted ? 'taken over as it ran' : own.endpoint),
      () => undefined,
    );
    const running = await startApiServer(this.#machine, {
      dataDir,
      store,
      ...(etcdTls && { etcdTls }),
      ...(audit && { audit }),
      listenHost,
      port,
      networks,
      ...(hasNode && { nodeName }),
      ...(nodeIp !== undefined && { advertiseAddress: nodeIp }),
      ...(simulation && {
        nodeSockets: simulation.sockets,
        connectorOver: (upgrades) => simulation.connector(upgrades),
      }),
    });
    this.#server.use(running);
    this.#step('API server', `${running.url}, store in ${dataDir}`);
    this.#kubeconfigPath = running.kubeconfigPath;
    const around: Around = {
      machine: this.#machine,
      server: running.server,
      pki: running.pki,
      heldTokens: running.heldTokens,
    };
    if (wanted.has('controller-manager')) {
      this.#components.use(await startControllers(around, networks));
      this.#step('controllers', '');
    }
    if (wanted.has('scheduler')) {
      this.#components.use(await startSchedulerComponent(around));
      this.#step('scheduler', '');
    }
    if (simulation) {
      await simulation.start(around, this.#options.simulate ?? 0);
      this.#step('simulation', `${this.#options.simulate} nodes`);
    }
    if (hasNode) await this.#startNode(around, runtime, nodeIp!);
    if (this.#options.mergeKubeconfig) {
      const merged = await mergeIntoUserKubeconfig(this.#machine.host, running.kubeconfigPath);
      this.#step('kubeconfig', `context tutti in ${merged}`);
    }
  }

  async #startNode(around: Around, runtime: ReturnType<typeof startRuntime> | undefined, nodeIp: string) {
    const { wanted, dataDir, networks, nodeName, cgroupRoot } = this.#options;
    const settings = { dataDir, networks, nodeName, nodeIp, wanted, cgroupRoot };
    const access = localAccess(around, { nodeName, nodeIp, dnsIp: networks.dnsIp });
    this.#node = await startNode(access, await runtime, settings, this.#step);
    if (!wanted.has('kubelet') || !wanted.has('controller-manager')) return;
    const admin = clientOf(around, () => around.pki.admin.certificatePem, 'tutti');
    const { clock } = this.#machine;
    const end = clock.monotonic() + READY_MS;
    for (;;) {
      const node = await admin
        .resource(nodes)
        .get(nodeName)
        .catch(() => undefined);
      const condition = node?.status?.conditions?.find(({ type }) => type === 'Ready');
      if (condition?.status === 'True') break;
      if (clock.monotonic() > end) {
        this.#step('node', `not ready yet: ${condition?.message ?? 'it has not told its state'}`);
        return;
      }
      if (this.#stopping.signal.aborted) return;
      await clock.sleep(20);
    }
    this.#step('node', `${nodeName} is ready`);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#starting?.catch(() => undefined);
    if (!this.#node) await this.#runtime?.then(endRuntime, () => undefined);
    await Promise.all([
      this.#node?.stop(this.#options.keepPods),
      this.#simulation?.stop(),
      this.#components.disposeAsync(),
    ]);
    await this.#server.disposeAsync();
  }

  /** What a user can do next. */
  hints(): string {
    const { wanted } = this.#options;
    const all =
      (wanted.has('kubelet') || this.#options.simulate) && wanted.has('scheduler') && wanted.has('controller-manager');
    const commands = all
      ? [
          'kubectl get nodes -o wide',
          'kubectl create deployment web --image=nginx --port=80',
          this.#simulation
            ? 'kubectl get pods -o wide --watch'
            : 'kubectl expose deployment web --type=NodePort && kubectl get service web',
        ]
      : ['kubectl create configmap hello --from-literal=greeting=world', 'kubectl get configmaps --watch'];
    return `
kubeconfig: ${this.#kubeconfigPath}

What runs: ${[...wanted].join(', ')}. Try:

  export KUBECONFIG=${this.#kubeconfigPath}
${commands.map((command) => `  ${command}\n`).join('')}
Ctrl-C stops it; the data stays.
`;
  }
}

/** The real machine, as everything that is started takes it. */
export function machineOf(level: LogLevel): Machine {
  const clock = new RealClock();
  const log = createLogger('tutti', clock, (record) => process.stderr.write(`${formatRecord(record)}\n`), level);
  return { host: createNodeHost(), clock, random: realRandom, keys: new NodeKeys(), log };
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

/** Prints what was done, and when, counted from the start of the process. */
function stepsOf({ clock }: Machine): Step {
  const startedMs = clock.monotonic() - process.uptime() * 1000;
  return (what, detail) => {
    const seconds = ((clock.monotonic() - startedMs) / 1000).toFixed(2).padStart(6);
    process.stdout.write(`${`${seconds} s  ${what.padEnd(13)} ${detail}`.trimEnd()}\n`);
  };
}
