import type { ApiRequest, ApiResponse } from '../control-plane/apiserver/api.ts';
import { HeldTokens } from '../control-plane/apiserver/authn/held-tokens.ts';
import { createDefaultServer } from '../control-plane/apiserver/default-server.ts';
import { inProcessTransport } from '../control-plane/apiserver/in-process.ts';
import type { Connector } from '../control-plane/apiserver/registry/engine.ts';
import type { ApiServer, AuditRecord } from '../control-plane/apiserver/server.ts';
import type { WebhookTransport } from '../control-plane/apiserver/webhook/client.ts';
import type { Store } from '../control-plane/store/store.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Issuer, Keys, Subject } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import type { Random } from '../libs/base/random.ts';
import type { Transport } from '../libs/client/transport.ts';
import { TransportError } from '../libs/kind/client.ts';
import type { UserInfo } from '../libs/kind/request.ts';
import type { ClusterUser } from './cluster.ts';
import { BOOKMARK_MS } from './duration.ts';
import type { FaultyWays } from './faults/fault-transport.ts';

const YEAR_MS = 365 * 86_400_000;

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  /** How logs, exec and proxies get to nodes; without one they do not. */
  readonly connector?: Connector;
  /** How webhooks are called; without one they fail. */
  readonly webhooks?: WebhookTransport;
  /** Nobody may write, and why. */
  readonly readOnly?: string;
  readonly ways: FaultyWays;
  /** Puts something more between a user and the faults. */
  readonly through?: ((transport: Transport, user: string) => Transport) | undefined;
  readonly audit: (record: AuditRecord) => void;
  /** When the cluster's authority was made: the same for all clusters of one snapshot. */
  readonly authorityMs: number;
  /** The store goes on from a snapshot, with this certificate of the authority's. */
  readonly restored?: { readonly authorityPem: string };
}

/** The API server of a simulated cluster, who it trusts, and the ways to it. */
export class SimulatedControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #tokens: HeldTokens;
  /** Whose requests these are, where somebody else has found out. */
  readonly #known = new WeakMap<ApiRequest, UserInfo>();
  #authority: Issuer | undefined;
  #server: ApiServer | undefined;
  #starts = 0;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    this.#tokens = new HeldTokens(options.keys);
  }

  get ways(): FaultyWays {
    return this.#options.ways;
  }

  get authority(): Issuer {
    return this.#authority as Issuer;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  /** Rejects with `TransportError` while the server is down. */
  readonly handle: ApiServer['handle'] = (request) =>
    this.#server ? this.#server.handle(request) : Promise.reject(serverIsDown());

  /** The same, for a user whom somebody else has authenticated: what the request says of who it is does not count. */
  handleAs(user: UserInfo, request: ApiRequest): Promise<ApiResponse> {
    const isOfUser = ([name]: [string, unknown]) => name === 'authorization' || name.startsWith('impersonate-');
    const headers = Object.fromEntries(Object.entries(request.headers).filter((one) => !isOfUser(one)));
    const own: ApiRequest = { ...request, headers, peer: { address: request.peer.address } };
    this.#known.set(own, user);
    return this.handle(own);
  }

  /** The name of who sent a request, or acts as. */
  readonly whoIs = async (request: ApiRequest): Promise<string> => {
    const claimed = request.headers['impersonate-user'];
    return typeof claimed === 'string' && claimed !== '' ? claimed : (await this.#running().authenticate(request)).name;
  };

  async start(): Promise<void> {
    const { clock, random, keys, log, store, connector, readOnly, audit, authorityMs } = this.#options;
    this.#authority ??= await this.#makeAuthority(authorityMs);
    const life = this.#starts++;
    const server = createDefaultServer({
      store,
      clock,
      random: random.fork(life === 0 ? 'apiserver' : `apiserver ${life}`),
      keys,
      log: log.child('apiserver'),
      clientAuthorityPem: this.#authority.certificatePem,
      serviceAccountKey: await keys.generateKey('service accounts'),
      serverAddress: 'tutti.internal:443',
      platform: 'simulated/any',
      runtime: 'simulated',
      ...(connector && { connector }),
      ...(this.#options.webhooks && { webhooks: this.#options.webhooks }),
      ...(readOnly !== undefined && { readOnly }),
      authenticators: [
        { name: 'known', authenticate: (request) => this.#known.get(request) },
        this.#tokens.authenticator(),
      ],
      audit,
      watch: { bookmarkMs: BOOKMARK_MS },
      // A snapshot holds what this version made; a server that starts later may find it damaged.
      prepared: this.#options.restored !== undefined && life === 0,
    });
    await server.start();
    this.#server = server;
  }

  /** Ends the server, waits, and begins a new one over the same store. */
  async restart(downMs: number): Promise<void> {
    await this.stop();
    this.#options.ways.breakWatches();
    if (downMs > 0) await this.#options.clock.sleep(downMs);
    await this.start();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  /**
   * A way in as a user; faults may happen on it. The user is known by a token that lives in this process: a certificate
   * for each of a thousand nodes would say the same at a thousand times the cost.
   */
  transportAs({ name, groups = [] }: ClusterUser): Transport {
    const token = this.#tokens.issue({ name, groups, extra: {} });
    const inner = inProcessTransport({ handle: this.handle, credentials: { token } });
    const { ways, through } = this.#options;
    const transport = ways.over(inner, name);
    return through ? through(transport, name) : transport;
  }

  /** A certificate of the cluster's authority. */
  async issue(subject: Subject, usage: 'client auth' | 'server auth', ips: readonly string[] = []): Promise<Issuer> {
    const { keys, clock } = this.#options;
    const key = await keys.generateKey(`${usage} ${subject.commonName} ${(subject.organizations ?? []).join()}`);
    const nowMs = clock.now();
    const certificatePem = await keys.issueCertificate(
      {
        subject,
        publicKey: key,
        usages: ['digital signature', usage],
        ...(usage === 'server auth' ? { names: { dns: ['localhost'], ip: ips } } : {}),
        // Real clients look at the machine's time.
        notBeforeMs: Math.min(nowMs, new RealClock().now()) - 60_000,
        notAfterMs: nowMs + 10 * YEAR_MS,
      },
      this.#authority,
    );
    return { key, certificatePem };
  }

  async #makeAuthority(nowMs: number): Promise<Issuer> {
    const { keys } = this.#options;
    const key = await keys.generateKey('ca');
    const { restored } = this.#options;
    if (restored) return { key, certificatePem: restored.authorityPem };
    const certificatePem = await keys.issueCertificate({
      subject: { commonName: 'kubernetes' },
      publicKey: key,
      isCertificateAuthority: true,
      usages: ['cert sign', 'digital signature'],
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 10 * YEAR_MS,
    });
    return { key, certificatePem };
  }

  #running(): ApiServer {
    if (this.#server) return this.#server;
    throw serverIsDown();
  }
}

const serverIsDown = (): TransportError =>
  new TransportError('connect: connection refused: the API server is down', { sent: false });
