import type { Clock } from '../../libs/base/clock.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import type { SimulatedImage } from '../../node/cri/fake/image.ts';
import type { Cluster, ClusterOptions } from '../cluster.ts';
import { createHookedCluster } from '../create-cluster.ts';
import { durationMs } from '../duration.ts';
import { TestEnvCommandError } from '../errors.ts';
import type { ApiFault } from '../faults/cluster-faults.ts';
import type { MachineResource } from '../nodes/machine-resources.ts';
import { ResourceFinder } from '../resource-finder.ts';
import type { SimulatedNode } from '../simulated-nodes.ts';
import type { ClusterSnapshot } from '../snapshot.ts';
import type { PastCluster } from '../time-travel/past-cluster.ts';
import { COMMANDS, type TestEnvCommand, usageOf } from './commands.ts';

export interface TestEnvironmentOptions {
  readonly cluster: ClusterOptions;
  /** Time stands still from the beginning. Default: it goes along with the machine's. */
  readonly frozen?: boolean;
  /** Told of each write, as `{ event: 'write', … }`. */
  readonly onWrite?: (write: { readonly type: string; readonly key: string; readonly revision: number }) => void;
  /** Keeps a kubeconfig somewhere and gives its path. Called again with the same name when it changes. */
  readonly keep: (name: string, kubeconfig: string) => Promise<string>;
}

/** A policy as data: what `cluster.image` takes, and what it answers over HTTP, by port. */
export interface ImagePolicy extends Omit<SimulatedImage, 'run'> {
  readonly serve?: Readonly<Record<string, string>>;
  readonly log?: string | readonly string[];
}

const START = 'start';
const TICK_MS = 20;
/** What a machine that was asleep does not make up for at once. */
const TICK_MS_MAX = 1_000;

/**
 * One cluster behind a real endpoint, driven by commands one after the other, for tests in any language. Its endpoint
 * keeps its port and its authority through `reset`, so clients need not be made anew.
 *
 *     const env = new TestEnvironment({ cluster: { nodes: 3, seed: 1 }, keep });
 *     const { kubeconfig } = await env.start();
 *     await env.run({ command: 'crash', node: 'node-1' });
 *     await env.run({ command: 'advance', by: '6m' });
 *     await env.stop();
 */
export class TestEnvironment {
  readonly #options: TestEnvironmentOptions;
  readonly #real: Clock = new RealClock();
  readonly #snapshots = new Map<string, ClusterSnapshot>();
  readonly #images = new Map<string, ImagePolicy>();
  readonly #pasts: PastCluster[] = [];
  #cluster: Cluster | undefined;
  #port = 0;
  #frozen: boolean;
  #queue: Promise<unknown> = Promise.resolve();
  #tick: Disposable | undefined;
  #stopped = false;

  constructor(options: TestEnvironmentOptions) {
    this.#options = options;
    this.#frozen = options.frozen ?? false;
  }

  async start(): Promise<{ readonly kubeconfig: string; readonly seed: string; readonly time: string }> {
    await this.#open(this.#options.cluster);
    this.#snapshots.set(START, await this.#running().snapshot());
    const kubeconfig = await this.#keepKubeconfig();
    this.#flow(this.#real.monotonic());
    const { seed, clock } = this.#running();
    return { kubeconfig, seed, time: new Date(clock.now()).toISOString() };
  }

  /**
   * Runs a command when those before it are done; gives what it answers, and always `time`, the cluster's. Throws
   * `TestEnvCommandError` for a command that cannot be, and what the cluster throws.
   */
  run(command: TestEnvCommand): Promise<Readonly<Record<string, unknown>>> {
    return this.#inTurn(async () => {
      const answer = await this.#do(command);
      const time = this.#cluster ? { time: new Date(this.#cluster.clock.now()).toISOString() } : {};
      return { ...time, ...answer };
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#tick?.[Symbol.dispose]();
    await this.#queue.catch(() => undefined);
    await this.#close();
  }

  async #do(command: TestEnvCommand): Promise<Record<string, unknown> | undefined> {
    const cluster = this.#running();
    const text = (name: string) => (command[name] === undefined ? undefined : String(command[name]));
    const must = (name: string) => text(name) ?? '';
    switch (command.command) {
      case 'advance':
        await cluster.advance(durationOf(command['by']));
        return undefined;
      case 'idle': {
        const [quiet, within] = [text('quiet'), text('within')];
        await cluster.idle({ ...(quiet && { quiet }), ...(within && { within }) });
        return undefined;
      }
      case 'until':
        return { object: await this.#until(must('object'), text('field'), text('namespace'), text('within')) };
      case 'freeze':
        this.#frozen = true;
        return undefined;
      case 'flow':
        this.#frozen = false;
        return undefined;
      case 'apply': {
        const namespace = text('namespace');
        const objects = await cluster.apply(command['source'] as string, namespace ? { namespace } : {});
        return {
          objects: objects.map(({ kind, metadata: { namespace: at, name } }) => ({
            kind,
            ...(at ? { namespace: at } : {}),
            name,
          })),
        };
      }
      case 'image':
        this.#image(must('reference'), command['policy'] as ImagePolicy);
        return undefined;
      case 'oom-kill': {
        const [container, namespace] = [text('container'), text('namespace')];
        await cluster.oomKill(must('pod'), { ...(container && { container }), ...(namespace && { namespace }) });
        return undefined;
      }
      case 'fault':
        cluster.faults.add(command['fault'] as ApiFault);
        return undefined;
      case 'clear-faults':
        cluster.faults.clear();
        return undefined;
      case 'break-watches':
        return { broken: cluster.faults.breakWatches(listsOf(command, ['resources', 'users'])) };
      case 'compact':
        await cluster.faults.compact();
        return undefined;
      case 'restart-apiserver':
        await cluster.faults.restartApiServer(Number(text('downMs') ?? 0));
        return undefined;
      case 'disk-full':
        cluster.faults.diskFull(must('full') === 'true');
        return undefined;
      case 'snapshot': {
        const name = text('name') ?? 'snapshot';
        this.#snapshots.set(name, await cluster.snapshot());
        return { name };
      }
      case 'reset':
        return this.#reset(text('name') ?? START);
      case 'at':
        return this.#past(must('when'));
      case 'diff':
        return { diff: String(await cluster.diff(must('from'), text('to'))) };
      case 'history':
        await cluster.history().save(must('file'));
        return { file: must('file') };
      case 'status':
        return this.#status(cluster);
      case 'help':
        return { commands: Object.keys(COMMANDS).map(usageOf) };
      default:
        return this.#nodeCommand(cluster, command);
    }
  }

  async #nodeCommand(cluster: Cluster, command: TestEnvCommand): Promise<undefined> {
    const target = String(command['node'] ?? command['target']);
    const find = (): SimulatedNode => {
      const found = cluster.nodes.find(({ name }) => name === target);
      if (found) return found;
      const known = cluster.nodes.map(({ name }) => name).join(', ') || 'none';
      throw new TestEnvCommandError(`there is no node "${target}"; there are ${known}`);
    };
    const isNode = cluster.nodes.some(({ name }) => name === target);
    switch (command.command) {
      case 'crash':
        await find().crash();
        break;
      case 'restart':
        await find().restart();
        break;
      case 'pause':
        if (isNode) await find().pause();
        else cluster.faults.pause(target);
        break;
      case 'resume':
        if (isNode) await find().resume();
        else cluster.faults.resume(target);
        break;
      case 'partition':
        await find().partition();
        break;
      case 'heal':
        await find().heal();
        break;
      case 'skew': {
        const by = durationOf(command['by']);
        if (isNode) find().skew(durationMs(by));
        else cluster.faults.skew(target, durationMs(by));
        break;
      }
      case 'link': {
        const { delayMs = 0, loss = 0 } = command['link'] as { delayMs?: number; loss?: number };
        Object.assign(find().link, { delayMs, loss });
        break;
      }
      case 'pressure':
        find().pressure(command['resource'] as MachineResource, command['left'] as string | undefined);
        break;
      case 'relieve':
        find().relieve(command['resource'] as MachineResource | undefined);
        break;
      case 'kill':
        find().kill(
          String(command['container']),
          Number(command['exitCode'] ?? 137),
          String(command['reason'] ?? 'Error'),
        );
        break;
    }
    return undefined;
  }

  async #until(name: string, field = '', namespace = 'default', within?: string): Promise<unknown> {
    const [kind = '', object = '', ...more] = name.split('/');
    if (kind === '' || object === '' || more.length > 0)
      throw new TestEnvCommandError(`"${name}" names no object; write it as "deployment/web"`);
    const cluster = this.#running();
    const options = { namespace, ...(within ? { within } : {}), what: `${name} ${field}`.trim() };
    if (field !== 'gone') return cluster.until(name as 'pods/x', fieldTest(field), options);
    const ref = await new ResourceFinder(cluster.client).byName(kind);
    const of = ref.namespaced ? cluster.client.resource(ref).namespace(namespace) : cluster.client.resource(ref);
    await cluster.until(
      () =>
        of.get(object).then(
          () => false,
          (error: unknown) => {
            if (isNotFound(error)) return true;
            throw error;
          },
        ),
      options,
    );
    return undefined;
  }

  #image(reference: string, policy: ImagePolicy): void {
    if (typeof policy !== 'object' || policy === null)
      throw new TestEnvCommandError(`the policy of an image is an object; ${usageOf('image')}`);
    this.#images.set(reference, policy);
    this.#running().image(reference, imageOf(policy));
  }

  async #reset(name: string): Promise<Record<string, unknown>> {
    const from = this.#snapshots.get(name);
    if (!from)
      throw new TestEnvCommandError(
        `there is no snapshot "${name}"; there are ${[...this.#snapshots.keys()].join(', ')}`,
      );
    const { seed, log } = this.#options.cluster;
    await this.#close();
    const images = Object.fromEntries([...this.#images].map(([reference, policy]) => [reference, imageOf(policy)]));
    await this.#open({ from, images, ...(seed === undefined ? {} : { seed }), ...(log ? { log } : {}) });
    return { name, kubeconfig: await this.#keepKubeconfig() };
  }

  async #past(when: string): Promise<Record<string, unknown>> {
    const past = await this.#running().at(when);
    this.#pasts.push(past);
    const kubeconfig = await this.#options.keep(`at-${past.revision}`, await past.kubeconfig());
    return { revision: past.revision, kubeconfig };
  }

  #status(cluster: Cluster): Record<string, unknown> {
    return {
      seed: cluster.seed,
      frozen: this.#frozen,
      nodes: cluster.nodes.map(({ name, state, partitioned }) => ({ name, state, partitioned })),
      faults: cluster.faults.counts,
      snapshots: [...this.#snapshots.keys()],
    };
  }

  async #open(options: ClusterOptions): Promise<void> {
    const { onWrite } = this.#options;
    this.#cluster = await createHookedCluster(options, {
      endpointPort: this.#port,
      ...(onWrite ? { wrote: ({ type, key, revision }) => onWrite({ type, key, revision }) } : {}),
    });
  }

  async #keepKubeconfig(): Promise<string> {
    const text = await this.#running().kubeconfig();
    this.#port = Number(/server: .*:(\d+)/.exec(text)?.[1] ?? 0);
    return this.#options.keep('kubeconfig', text);
  }

  async #close(): Promise<void> {
    for (const past of this.#pasts.splice(0)) await past[Symbol.asyncDispose]();
    const cluster = this.#cluster;
    this.#cluster = undefined;
    await cluster?.[Symbol.asyncDispose]();
  }

  #running(): Cluster {
    if (this.#cluster) return this.#cluster;
    throw new TestEnvCommandError('the cluster has ended');
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Lets the cluster's time go along with the machine's while nobody else moves it. */
  #flow(lastMs: number): void {
    if (this.#stopped) return;
    const timer = this.#real.setTimer(() => {
      const nowMs = this.#real.monotonic();
      const passedMs = Math.min(nowMs - lastMs, TICK_MS_MAX);
      const moved = this.#inTurn(async () => {
        if (!this.#frozen && !this.#stopped) await this.#cluster?.advance(passedMs);
      });
      // A cluster that cannot go on tells whoever asks it next.
      moved.catch(() => undefined).finally(() => this.#flow(Math.max(nowMs, this.#real.monotonic() - TICK_MS_MAX)));
    }, TICK_MS);
    this.#tick = { [Symbol.dispose]: () => timer.cancel() };
  }
}

function imageOf({ serve = {}, log, ...policy }: ImagePolicy): SimulatedImage {
  const ports = Object.entries(serve);
  if (ports.length === 0 && log === undefined) return policy;
  return {
    ...policy,
    run(container) {
      for (const one of typeof log === 'string' ? [log] : (log ?? [])) container.log(one);
      for (const [port, body] of ports) container.serve(Number(port), () => body);
      // What only logs goes on running, as an image that nobody defined does.
      if (ports.length === 0) container.onStop(() => 0);
    },
  };
}

const durationOf = (value: unknown): number | string => (typeof value === 'number' ? value : String(value));

function listsOf(command: TestEnvCommand, names: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(
    names.flatMap((name) => (Array.isArray(command[name]) ? [[name, command[name].map(String)]] : [])),
  );
}

/** `status.replicas=3`, `condition=Available` (is True), `status.phase!=Pending`, `spec.nodeName` (is there), or nothing. */
function fieldTest(field: string): (object: unknown) => boolean {
  if (field === '') return () => true;
  const [, path = '', operator, wanted = ''] = /^([^!=]+)(?:(!?=)(.*))?$/.exec(field) ?? [];
  if (path === '')
    throw new TestEnvCommandError(`"${field}" says nothing of a field; write status.replicas=3 or condition=Ready`);
  if (path === 'condition' && operator === '=')
    return (object) => {
      const { conditions } = (object as { status?: { conditions?: { type: string; status: string }[] } }).status ?? {};
      return (conditions ?? []).some(
        ({ type, status }) => type.toLowerCase() === wanted.toLowerCase() && status === 'True',
      );
    };
  return (object) => {
    const value = path
      .split('.')
      .reduce<unknown>(
        (at, name) =>
          typeof at === 'object' && at !== null && Object.hasOwn(at, name)
            ? (at as Record<string, unknown>)[name]
            : undefined,
        object,
      );
    if (operator === undefined) return value !== undefined && value !== null;
    const isSame =
      (value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)) === wanted;
    return operator === '=' ? isSame : !isSame;
  };
}
