import { type TypedClient, typedClient } from '../../api/typed-client.ts';
import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import { MemoryStore, type StoreSnapshot } from '../../control-plane/store/drivers/memory/memory-store.ts';
import type { Clock } from '../../libs/base/clock.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { VirtualClock } from '../../libs/base/virtual-clock.ts';
import { createClient } from '../../libs/client/client.ts';
import type { ApiObject, Live } from '../../libs/kind/object.ts';
import type { UserInfo } from '../../libs/kind/request.ts';
import { groupVersionPath } from '../../libs/machinery/gvk.ts';
import type { ClusterUser } from '../cluster.ts';
import { SimulatedControlPlane } from '../control-plane.ts';
import type { Endpoint } from '../endpoint.ts';
import { ClusterUsageError } from '../errors.ts';
import { ApiFaults } from '../faults/api-faults.ts';
import { FaultyWays } from '../faults/fault-transport.ts';
import { ResourceFinder } from '../resource-finder.ts';
import type { Moment } from './past.ts';
import { printTable, type ServerTable } from './table.ts';

export interface GetOptions {
  /** Default `default`; empty: of all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
}

/**
 * A cluster as it was at one moment. Its API server is the real one, over what was stored: every kind can be read, listed,
 * printed as a table or watched (nothing will come). Who writes is refused (403), and told why. Nothing runs beside the
 * API server, and time stands still.
 */
export interface PastCluster extends AsyncDisposable {
  readonly revision: number;
  readonly timeMs: number;
  /** As an administrator. */
  readonly client: TypedClient;
  /** As somebody else: RBAC as it was then decides what they may read. */
  clientAs(user: ClusterUser): Promise<TypedClient>;
  /** One object, named as `kubectl` names it: `deployment/web`. Throws `ApiError` 404 where it was not there. */
  get(name: `${string}/${string}`, options?: { readonly namespace?: string }): Promise<Live<ApiObject>>;
  /** What `kubectl get` would have printed of a kind: `pods`, `deploy`, `widgets.example.com`. Ages are of that moment. */
  table(kind: string, options?: GetOptions): Promise<string>;
  /** Opens a TLS endpoint on loopback and gives a kubeconfig for it. */
  kubeconfig(): Promise<string>;
}

/** A past cluster that others ask through a server of their own. */
export interface ServedPast extends PastCluster {
  /** Answers as the API server answered then, to a user whom somebody else has authenticated. */
  answer(user: UserInfo, request: ApiRequest): Promise<ApiResponse>;
}

/** Opens what was stored at a moment. */
export async function openPast(stored: StoreSnapshot, moment: Moment): Promise<ServedPast> {
  const clock = new VirtualClock({ turn, startMs: moment.timeMs });
  const cluster = new OpenedPast(stored, moment, clock);
  await cluster.start();
  return cluster;
}

class OpenedPast implements ServedPast {
  readonly revision: number;
  readonly timeMs: number;
  readonly #clock: Clock;
  readonly #store: MemoryStore;
  readonly #plane: SimulatedControlPlane;
  #client: TypedClient | undefined;
  #endpoint: Promise<Endpoint> | undefined;
  #disposed = false;

  constructor(stored: StoreSnapshot, { revision, timeMs }: Moment, clock: Clock) {
    this.revision = revision;
    this.timeMs = timeMs;
    this.#clock = clock;
    const random = new SeededRandom(`the past at ${revision}`);
    this.#store = MemoryStore.fromSnapshot(stored, { clock, random: random.fork('store') });
    this.#plane = new SimulatedControlPlane({
      store: this.#store,
      clock,
      random,
      keys: new FixedKeys(`the past of ${stored.clusterId}`),
      log: silentLogger,
      ways: new FaultyWays(new ApiFaults(clock, random.fork('faults'))),
      audit() {},
      authorityMs: timeMs,
      readOnly: `this is the cluster as it was at revision ${revision} (${new Date(timeMs).toISOString()}); it can only be read`,
    });
  }

  async start(): Promise<void> {
    await this.#plane.start();
    this.#client = await this.clientAs({ name: 'admin', groups: ['system:masters'] });
  }

  get client(): TypedClient {
    this.#mustLive();
    return this.#client as TypedClient;
  }

  async clientAs(user: ClusterUser): Promise<TypedClient> {
    this.#mustLive();
    const transport = this.#plane.transportAs(user);
    return typedClient(createClient(transport, { userAgent: user.name, clock: this.#clock }));
  }

  answer(user: UserInfo, request: ApiRequest): Promise<ApiResponse> {
    this.#mustLive();
    return this.#plane.handleAs(user, request);
  }

  async get(name: string, { namespace = 'default' }: { readonly namespace?: string } = {}): Promise<Live<ApiObject>> {
    const [kind = '', object = '', ...more] = name.split('/');
    if (kind === '' || object === '' || more.length > 0)
      throw new ClusterUsageError(`"${name}" names no object; write it as "deployment/web"`);
    const ref = await new ResourceFinder(this.client).byName(kind);
    const of = this.client.resource(ref);
    return (ref.namespaced ? of.namespace(namespace) : of).get(object);
  }

  async table(kind: string, { namespace = 'default', labelSelector }: GetOptions = {}): Promise<string> {
    const { resource, namespaced, ...of } = await new ResourceFinder(this.client).byName(kind);
    const root = groupVersionPath(of);
    const inNamespace = namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
    const query = labelSelector ? `?labelSelector=${encodeURIComponent(labelSelector)}` : '';
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const table = await this.client.raw('GET', `${root}${inNamespace}/${resource}${query}`, { headers: { accept } });
    return printTable(table as ServerTable, namespaced && namespace === '');
  }

  async kubeconfig(): Promise<string> {
    this.#mustLive();
    this.#endpoint ??= this.#open();
    return (await this.#endpoint).kubeconfig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await (await this.#endpoint)?.close();
    await this.#plane.stop();
    await this.#store.close();
  }

  async #open(): Promise<Endpoint> {
    const { openEndpoint } = await import('../endpoint.ts');
    return openEndpoint({
      handle: this.#plane.handle,
      authority: this.#plane.authority,
      issue: (purpose, commonName, organizations, ips) =>
        this.#plane.issue({ commonName, organizations }, `${purpose} auth`, ips),
      random: new SeededRandom('endpoint of the past'),
      log: silentLogger,
    });
  }

  #mustLive(): void {
    if (this.#disposed)
      throw new ClusterUsageError('this view of the past has been disposed; ask for another one with at(…)');
  }
}
