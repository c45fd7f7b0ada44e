import type { SettledObject, TypedClient } from '../api/typed-client.ts';
import type { SchedulerConfiguration } from '../control-plane/scheduler/configuration.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Logger } from '../libs/base/log.ts';
import type { ApiObject, Live } from '../libs/kind/object.ts';
import type { ContainerFunction, SimulatedImage } from '../node/cri/fake/image.ts';
import type { SimulatedHandler, SimulatedRequest, SimulatedResponse } from '../node/cri/fake/network.ts';
import type { ApplyOptions } from './apply.ts';
import type { UntilOptions } from './cluster-time.ts';
import type { AnyComponent, ComponentFunction, SchedulerPlugin, UserComponent } from './components.ts';
import type { Duration } from './duration.ts';
import type { ClusterFaults } from './faults/cluster-faults.ts';
import type { History } from './history.ts';
import type { ManifestSource } from './manifests.ts';
import type { ExecOptions, ExecResult } from './nodes/exec.ts';
import type { NodeSpec, SimulatedNode } from './simulated-nodes.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { StoreChoice } from './store-choice.ts';
import type { ClusterDiff } from './time-travel/diff.ts';
import type { When } from './time-travel/past.ts';
import type { PastCluster } from './time-travel/past-cluster.ts';

export interface ClusterOptions {
  /** One seed, one history. Default: drawn, and told by errors and `cluster.seed`. */
  readonly seed?: string | number;
  /** `virtual` (default): time stands still but for `advance` and `until`. `real`: the machine's. */
  readonly time?: 'virtual' | 'real';
  /**
   * Whether nodes renew their leases every 10 s of virtual time, and whatever else is repeated is repeated each time, also
   * while all is well and nothing happens. Default: no; then an hour in which nothing happens costs next to nothing.
   */
  readonly everyHeartbeat?: boolean;
  /** Where a virtual cluster's time begins, in milliseconds since 1970. Default 2026-01-01. */
  readonly startMs?: number;
  readonly log?: Logger;
  /**
   * Where objects are: `memory` (default), or a database in a folder, `{ lmdb: 'folder' }`, as `tutti up` has it; what is
   * in it is there again. Such a run is not repeatable, and has no snapshots.
   */
  readonly store?: StoreChoice;
  /** Simulated nodes: how many, or what each is; up to 5,000. Default: none. They are ready when the cluster is there. */
  readonly nodes?: number | readonly NodeSpec[];
  /**
   * What runs beside the API server. Default: the controllers, and with nodes the scheduler. A list says all: leave one out,
   * put functions of your own beside them.
   *
   *     components: ['controller-manager', 'scheduler', { name: 'backup-operator', start: (context) => context.run(backups) }]
   */
  readonly components?: readonly AnyComponent[];
  /** How the scheduler is set up: its configuration, and plugins beside its own. */
  readonly scheduler?: {
    readonly configuration?: SchedulerConfiguration;
    readonly plugins?: readonly SchedulerPlugin[];
  };
  /** Feature gates of controllers and the scheduler, by name; what is not named is as Tutti has it. */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Which controllers run, by upstream's names (`deployment`, `garbage-collector`). Default: all. */
  readonly controllers?: readonly string[];
  /** Where nodes' pod networks come from: one network, or one of each family. Default with nodes: a part of `10.0.0.0/8`. */
  readonly clusterCidrs?: readonly string[];
  /**
   * Goes on from a snapshot: its store, time and nodes. `nodes`, `startMs`, `components` and `controllers` are then the
   * snapshot's.
   */
  readonly from?: ClusterSnapshot;
  /** What images do, as `cluster.image` says it; for snapshots whose containers run functions. */
  readonly images?: Readonly<Record<string, ContainerFunction | SimulatedImage>>;
}

/** What a user of a cluster is: a name and groups, as client certificates say it on any cluster. */
export interface ClusterUser {
  readonly name: string;
  readonly groups?: readonly string[];
}

/** The simulated nodes, in their order. That the first is there is said by who asked for nodes. */
export type NodeList = readonly SimulatedNode[] & { readonly 0: SimulatedNode };

export interface Cluster extends AsyncDisposable {
  readonly seed: string;
  readonly clock: Clock;
  /** As an administrator (`system:masters`). */
  readonly client: TypedClient;
  /** As somebody else: RBAC decides what they may do. */
  clientAs(user: ClusterUser): Promise<TypedClient>;

  /** Lets virtual time pass, running everything that falls due. On real time it waits. */
  advance(by: Duration): Promise<void>;
  /**
   * Stops time on a cluster that runs on real time: no timer runs, while requests are answered; `flow` lets it go on from
   * there. Virtual time stands still by itself.
   */
  freeze(): void;
  flow(): void;
  /**
   * Lets time pass until `condition` gives something true, and gives that. Errors 404 count as not yet. Throws
   * `NeverSettledError` after `within` (default 5 minutes), which says who waits for what.
   */
  until<T>(condition: () => Promise<T> | T, options?: UntilOptions): Promise<NonNullable<T>>;
  /**
   * The same for one object, named as `kubectl` names it (`deployment/web`, `pods/web-0`, `deploy.apps/web`); gives it.
   * A field that the predicate reads and that is not there yet is "not yet", no error.
   */
  until<N extends string>(
    name: `${N}/${string}`,
    predicate: (object: SettledObject<N>) => unknown,
    options?: UntilOptions & { readonly namespace?: string },
  ): Promise<SettledObject<N>>;
  /**
   * Lets time pass until nothing but heartbeats was written for `quiet` (default 10 s) of the cluster's time. Throws
   * `NeverSettledError` after `within` (default 10 minutes).
   */
  idle(options?: { readonly quiet?: Duration; readonly within?: Duration }): Promise<void>;

  /**
   * Applies manifests on the server's side: a folder or file, YAML text, objects, or several of these; namespaces and
   * definitions first, and established, before what needs them. Gives the objects in the manifests' order. Throws
   * `ManifestError` with file, document and line.
   */
  apply(source: ManifestSource, options?: ApplyOptions): Promise<Live<ApiObject>[]>;

  readonly nodes: NodeList;
  /**
   * Says what containers of an image do: a function that is their program, or a policy (how long it pulls and starts, how
   * often it fails, when it exits …). Without a tag `:latest` is meant. An image that nobody defined runs until it is
   * stopped. What is defined later holds for containers that start later.
   *
   *     cluster.image('shop/web:1', (pod) => pod.serve(8080, () => 'hello'));
   *     cluster.image('shop/slow:1', { pullMs: 20_000, exitAfterMs: 60_000, exitCode: 1 });
   */
  image(reference: string, image: ContainerFunction | SimulatedImage): void;
  /**
   * An HTTP request through the cluster's own network, from outside all pods: names are the cluster DNS', Services lead to
   * their endpoints. Virtual time goes on until it is answered. Throws `SimulatedNetworkError` where nobody takes it.
   *
   *     const { status, body } = await cluster.fetch('http://web.default:8080/');
   */
  fetch(url: string, request?: Partial<SimulatedRequest>): Promise<SimulatedResponse>;

  /**
   * Answers webhooks (admission's and those that convert) that are configured with this `url`; any path below it. Those
   * configured with a Service lead to its pods, as `cluster.fetch` does. Nothing is encrypted, so `caBundle` does not matter.
   * Dispose the result to end it.
   *
   *     cluster.serve('https://hooks.example.com/', ({ body }) => JSON.stringify(review(JSON.parse(body))));
   */
  serve(url: string, handler: SimulatedHandler): Disposable;
  /** Runs a command in a container (default: the pod's first) and gives what it said. Virtual time goes on until it has ended. */
  exec(pod: string, command: readonly string[], options?: ExecOptions): Promise<ExecResult>;

  /**
   * The kernel kills a container of a pod for its memory: it ends with 137 and `OOMKilled`, and its pod's restart policy
   * decides. Default: the pod's first that runs. Throws `ClusterUsageError` where none runs.
   */
  oomKill(pod: string, options?: ExecOptions): Promise<void>;

  /**
   * Starts a component beside those that the cluster began with, once what it needs is there. It ends with the cluster, or
   * when the result is disposed of.
   */
  run(component: UserComponent | ComponentFunction): Promise<AsyncDisposable>;

  /** Faults between clients and the API server, and in it. Those of nodes are the nodes' own methods. */
  readonly faults: ClusterFaults;
  /** The cluster as it is now, to go on from with `createCluster({ from })`. Not on real time. */
  snapshot(): Promise<ClusterSnapshot>;
  history(): History;
  /**
   * The cluster as it was at a revision or a time (a `Date`, `2026-01-01T00:05:00Z`, or `5m`: so long ago), to be read.
   * Throws `ClusterUsageError` for a moment before the cluster began, or after now.
   */
  at(when: When): Promise<PastCluster>;
  /** What changed between two moments, object by object and field by field; `to` is now by default. */
  diff(from: When, to?: When): Promise<ClusterDiff>;
  /** Opens a real TLS endpoint on loopback and gives a kubeconfig for it. The history is then no longer repeatable. */
  kubeconfig(): Promise<string>;
}
