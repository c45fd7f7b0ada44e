import type { Duplex } from 'node:stream';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host, Listener, UdpSocket } from '../../libs/base/host.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Informers } from '../../libs/kind/client.ts';
import { type Cidr, cidrContains, parseCidr } from '../../libs/machinery/cidr.ts';
import { canonicalIp, formatIp, isLoopback, parseIp } from '../../libs/machinery/ip.ts';
import { answer, type DnsRecord, type DnsZone } from './answer.ts';
import { Forwarder, NoUpstreamError } from './forward.ts';
import {
  answersOf,
  type DnsQuery,
  type DnsResponse,
  questionBytes,
  RCODES,
  type Rcode,
  readQuery,
  relay,
  udpBytesMaxOf,
  writeError,
  writeResponse,
} from './message.ts';
import { readMessages, withLength } from './tcp.ts';
import { type ClusterView, viewOf } from './view.ts';

/**
 * The cluster's DNS, in this process: what `answer` says about the cluster's own names, what the host's resolvers say
 * about all others, over UDP and TCP. An answer is made from the informers' state when the question comes, so it changes
 * with the event that changes a Service or an EndpointSlice; nothing of the cluster is cached.
 */
export interface DnsOptions {
  readonly informers: Informers;
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where to listen; one address, UDP and TCP. */
  readonly address: string;
  /** 0: any that is free, the same for both. Default 53. */
  readonly port?: number;
  /** Default `cluster.local`. */
  readonly domain?: string;
  /** Default 5. */
  readonly ttlSeconds?: number;
  /** The address that pods know, for the zone's NS record (the cluster IP of the Service `kube-dns`); default `address`. */
  readonly serviceAddresses?: readonly string[];
  /** Networks that may ask (`10.244.0.0/16`), besides this machine itself; others get no answer. Default: everybody. */
  readonly clients?: readonly string[];
  /** Resolvers for other names (`10.0.0.1`, `10.0.0.1:5353`); default: the host's. Empty: other names are refused. */
  readonly upstreams?: readonly string[];
}

export interface DnsServer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Questions answered, and those that went on to other resolvers, so far. */
  readonly counts: { readonly answered: number; readonly forwarded: number };
}

const CONNECTIONS_MAX = 200;
const CONNECTION_IDLE_MS = 10_000;
const CHASES_MAX = 8;
const TCP_BYTES_MAX = 65_535;

/** Starts to answer once the informers have their first state. Throws `EADDRINUSE` where somebody has the port. */
export async function startDns(options: DnsOptions): Promise<DnsServer> {
  const view = viewOf(options.informers);
  await options.informers.synced();
  const server = new Server(options, view);
  await server.listen();
  options.log.info('DNS answers', { address: server.address, port: server.port });
  return server;
}

class Server implements DnsServer {
  readonly address: string;
  port: number;
  readonly #options: DnsOptions;
  readonly #view: ClusterView;
  readonly #zone: DnsZone;
  readonly #clients: readonly Cidr[] | undefined;
  readonly #connections = new Set<Duplex>();
  #forwarder: Forwarder | undefined;
  #udp: UdpSocket | undefined;
  #tcp: Listener | undefined;
  #answered = 0;
  #turn = 0;
  /** The failure told last: a resolver that is down would fill the log. */
  #told = '';

  constructor(options: DnsOptions, view: ClusterView) {
    this.#options = options;
    this.#view = view;
    this.#clients = options.clients?.flatMap((text) => parseCidr(text)?.network ?? []);
    this.address = options.address;
    this.port = options.port ?? 53;
    const { domain = 'cluster.local', ttlSeconds = 5, serviceAddresses = [options.address] } = options;
    this.#zone = { domain, ttlSeconds, serverAddresses: serviceAddresses };
  }

  get counts(): { readonly answered: number; readonly forwarded: number } {
    return { answered: this.#answered, forwarded: this.#forwarder?.asked ?? 0 };
  }

  async listen(): Promise<void> {
    const { host, clock, random, upstreams } = this.#options;
    this.#tcp = await host.sockets.listen({ host: this.address, port: this.port }, (connection) => {
      if (this.#mayAsk((connection as { remoteAddress?: string }).remoteAddress)) void this.#serve(connection);
      else connection.destroy();
    });
    this.port = this.#tcp.port;
    const self = [{ address: this.address, port: this.port }];
    this.#forwarder = new Forwarder({ host, clock, random: random.fork('dns'), self, ...(upstreams && { upstreams }) });
    try {
      this.#udp = await host.sockets.udp({ host: this.address, port: this.port }, (data, from) => {
        if (!this.#mayAsk(from.address)) return;
        this.#receive(data, undefined, (bytes) => this.#udp?.send(bytes, from.port, from.address));
      });
    } catch (error) {
      await this.#tcp[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forwarder?.stop();
    const [udp, tcp] = [this.#udp, this.#tcp];
    this.#udp = this.#tcp = undefined;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([udp?.[Symbol.asyncDispose](), tcp?.[Symbol.asyncDispose]()]);
  }

  /** An open resolver would serve attackers of others. */
  #mayAsk(address: string | undefined): boolean {
    const { host } = this.#options;
    if (!this.#clients) return true;
    const ip = parseIp(address?.replace(/^::ffff:(?=\d+\.)/, '') ?? '');
    if (!ip) return false;
    if (isLoopback(ip) || this.#clients.some((cidr) => cidrContains(cidr, ip))) return true;
    return host.facts.addresses().some((own) => canonicalIp(own.address) === formatIp(ip));
  }

  async #serve(connection: Duplex): Promise<void> {
    if (this.#connections.size >= CONNECTIONS_MAX) {
      connection.destroy();
      return;
    }
    this.#connections.add(connection);
    const arm = () => this.#options.clock.setTimer(() => connection.destroy(), CONNECTION_IDLE_MS);
    let idle = arm();
    connection.on('error', () => undefined);
    try {
      for await (const bytes of readMessages(connection)) {
        idle.cancel();
        idle = arm();
        // One question at a time: a client that asks without reading waits for itself.
        await new Promise<void>((done) => {
          this.#receive(bytes, TCP_BYTES_MAX, (out) => {
            if (connection.destroyed || connection.write(withLength(out))) return done();
            connection.once('drain', done).once('close', done);
          });
        });
      }
      connection.end();
    } catch {
      connection.destroy();
    } finally {
      idle.cancel();
      this.#connections.delete(connection);
    }
  }

  /** Calls `reply` once, at once for what is known here; never for what is no query. */
  #receive(bytes: Uint8Array, bytesMax: number | undefined, reply: (bytes: Uint8Array) => void): void {
    const query = readQuery(bytes);
    if (!query) {
      if (bytesMax !== undefined) reply(writeError(0, 'FORMERR'));
      return;
    }
    this.#answered++;
    if ('unreadable' in query) return reply(writeError(query.id, 'FORMERR'));
    const most = bytesMax ?? udpBytesMaxOf(query);
    const say = (response: DnsResponse): void => reply(writeResponse(query, response, most));
    const failed = (error: unknown): void => say({ rcode: this.#failure(error), authoritative: false });
    try {
      if (query.opcode !== 0) return say({ rcode: 'NOTIMP', authoritative: false });
      if (query.type === 'AXFR' || query.type === 'IXFR') return say({ rcode: 'REFUSED', authoritative: false });
      const own = query.class === 'IN' ? answer(query, this.#view, this.#zone) : { rcode: 'ELSEWHERE' as const };
      if (own.rcode === 'ELSEWHERE') {
        const known = this.#forwarder!.cached(query);
        if (known) return reply(relay(known.foreign, query, known.ageSeconds, most));
        this.#forwarder!.ask(query).then((foreign) => reply(relay(foreign, query, 0, most)), failed);
      } else if (own.chase !== undefined) {
        this.#chase(query, own.answers, own.chase).then(say, failed);
      } else say({ ...own, rcode: own.rcode, authoritative: true, answers: this.#turned(own.answers) });
    } catch (error) {
      failed(error);
    }
  }

  /** Follows CNAMEs, which may lead to other names of the cluster and out of it. */
  async #chase(query: DnsQuery, begun: readonly DnsRecord[], target: string): Promise<DnsResponse> {
    const answers = [...begun];
    let name = target;
    for (let i = 0; i < CHASES_MAX; i++) {
      const own = answer({ name, type: query.type }, this.#view, this.#zone);
      if (own.rcode === 'ELSEWHERE') {
        const outward = { ...query, name, question: questionBytes(name, query.type) };
        const foreign = this.#forwarder!.cached(outward)?.foreign ?? (await this.#forwarder!.ask(outward));
        const rcode = RCODE_NAMES.get(foreign.rcode) ?? 'SERVFAIL';
        return { rcode, authoritative: true, answers: [...answers, ...answersOf(foreign)] };
      }
      answers.push(...own.answers);
      if (own.chase === undefined) return { ...own, rcode: own.rcode, authoritative: true, answers };
      name = own.chase;
    }
    throw new Error(`${query.name}: ExternalName Services lead to each other`);
  }

  /** Each answer begins elsewhere: most clients take the first address. */
  #turned(records: readonly DnsRecord[]): readonly DnsRecord[] {
    if (records.length < 2) return records;
    const by = this.#turn++ % records.length;
    return [...records.slice(by), ...records.slice(0, by)];
  }

  #failure(error: unknown): Rcode {
    if (error instanceof NoUpstreamError) return 'REFUSED';
    const message = error instanceof Error ? error.message : String(error);
    if (message !== this.#told) this.#options.log.warn('a name could not be looked up', { error });
    this.#told = message;
    return 'SERVFAIL';
  }
}

const RCODE_NAMES: ReadonlyMap<number, Rcode> = new Map(
  Object.entries(RCODES).map(([name, code]) => [code, name as Rcode]),
);
