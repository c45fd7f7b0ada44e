import type { Clock } from '../../libs/base/clock.ts';
import { withTimeout } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import type { Random } from '../../libs/base/random.ts';
import { ipVersion } from '../../libs/machinery/ip.ts';
import { type DnsQuery, type ForeignAnswer, readForeign, writeForward } from './message.ts';
import { readMessages, withLength } from './tcp.ts';

export interface ForwarderOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  /** `10.0.0.1`, `10.0.0.1:5353`, `[fd00::1]:53`. Undefined: those of the host's `/etc/resolv.conf`, as it is then. */
  readonly upstreams?: readonly string[];
  /** Never asked: this server itself. */
  readonly self: readonly { readonly address: string; readonly port: number }[];
}

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** Nobody to ask. */
export class NoUpstreamError extends Error {
  constructor() {
    super('no resolver to forward to: the host has none in /etc/resolv.conf');
    this.name = 'NoUpstreamError';
  }
}

const CACHE_ENTRIES_MAX = 10_000;
const CACHE_SECONDS_MAX = 30;
const IN_FLIGHT_MAX = 1_000;
const ATTEMPT_MS = 2_000;
const ATTEMPTS = 3;
const RESOLV_CONF = '/etc/resolv.conf';
const RESOLV_CONF_AGE_MS = 5_000;
const RCODE_SERVFAIL = 2;
const RCODE_NXDOMAIN = 3;

interface Cached {
  readonly foreign: ForeignAnswer;
  readonly atMs: number;
  readonly untilMs: number;
}

/**
 * Asks the resolvers of the host, one after the other, and keeps what they say for as long as they say, 30 seconds at
 * most. Equal questions under way are asked once. Each question has a socket and an id of its own, so that a stranger
 * has both to guess.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #cache = new Map<string, Cached>();
  readonly #inFlight = new Map<string, Promise<ForeignAnswer>>();
  readonly #stopped = new AbortController();
  #fromHost: { readonly atMs: number; readonly upstreams: readonly Upstream[] } | undefined;
  #asked = 0;
  /** The resolver that answered last is asked first. */
  #preferred = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** How many questions went out. */
  get asked(): number {
    return this.#asked;
  }

  /** What is known without asking, and how old it is in seconds. */
  cached(query: DnsQuery): { foreign: ForeignAnswer; ageSeconds: number } | undefined {
    const key = keyOf(query);
    const entry = this.#cache.get(key);
    const now = this.#options.clock.monotonic();
    if (!entry) return undefined;
    if (now >= entry.untilMs) {
      this.#cache.delete(key);
      return undefined;
    }
    return { foreign: entry.foreign, ageSeconds: Math.floor((now - entry.atMs) / 1000) };
  }

  /** Throws `NoUpstreamError`, or another error where no resolver answered or too much is under way. */
  ask(query: DnsQuery): Promise<ForeignAnswer> {
    const key = keyOf(query);
    const running = this.#inFlight.get(key);
    if (running) return running;
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      return Promise.reject(new Error(`more than ${IN_FLIGHT_MAX} questions are under way`));
    }
    const asking = this.#ask(query)
      .then((foreign) => {
        this.#keep(key, foreign);
        return foreign;
      })
      .finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, asking);
    return asking;
  }

  /** Ends what is under way. */
  stop(): void {
    this.#stopped.abort(new Error('the DNS server has stopped'));
  }

  #keep(key: string, foreign: ForeignAnswer): void {
    if (foreign.rcode !== 0 && foreign.rcode !== RCODE_NXDOMAIN) return;
    const seconds = Math.min(CACHE_SECONDS_MAX, foreign.ttlSecondsMin ?? 0);
    if (seconds === 0 || foreign.truncated) return;
    const atMs = this.#options.clock.monotonic();
    this.#cache.delete(key);
    this.#cache.set(key, { foreign, atMs, untilMs: atMs + seconds * 1000 });
    if (this.#cache.size > CACHE_ENTRIES_MAX) this.#cache.delete(this.#cache.keys().next().value!);
  }

  async #ask(query: DnsQuery): Promise<ForeignAnswer> {
    const upstreams = await this.#upstreams();
    if (upstreams.length === 0) throw new NoUpstreamError();
    let failure: unknown;
    let failed: ForeignAnswer | undefined;
    for (let attempt = 0; attempt < Math.max(ATTEMPTS, upstreams.length); attempt++) {
      const index = (this.#preferred + (attempt === 0 ? 0 : 1)) % upstreams.length;
      this.#preferred = index;
      try {
        const foreign = await this.#askOne(query, upstreams[index]!);
        if (foreign.rcode !== RCODE_SERVFAIL) return foreign;
        failed = foreign;
      } catch (error) {
        this.#stopped.signal.throwIfAborted();
        failure = error;
      }
    }
    if (failed) return failed;
    throw failure;
  }

  async #askOne(query: DnsQuery, upstream: Upstream): Promise<ForeignAnswer> {
    const { clock, random } = this.#options;
    const id = random.int(65_536);
    const message = writeForward(query, id);
    this.#asked++;
    using deadline = withTimeout(clock, ATTEMPT_MS, this.#stopped.signal);
    const foreign = await this.#overUdp(query, id, message, upstream, deadline.signal);
    return foreign.truncated ? this.#overTcp(query, id, message, upstream, deadline.signal) : foreign;
  }

  async #overUdp(
    query: DnsQuery,
    id: number,
    message: Uint8Array,
    { address, port }: Upstream,
    signal: AbortSignal,
  ): Promise<ForeignAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<ForeignAnswer>();
    const host = ipVersion(address) === 6 ? '::' : '0.0.0.0';
    using _held = this.#options.clock.hold('a question to a resolver');
    await using socket = await this.#options.host.sockets.udp({ host, port: 0 }, (data, from) => {
      if (from.port !== port || from.address !== address) return;
      const foreign = readForeign(data, query, id);
      if (foreign) resolve(foreign);
    });
    signal.throwIfAborted();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    socket.send(message, port, address);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #overTcp(
    query: DnsQuery,
    id: number,
    message: Uint8Array,
    { address, port }: Upstream,
    signal: AbortSignal,
  ): Promise<ForeignAnswer> {
    const connection = await this.#options.host.sockets.connect({ host: address, port }, { signal });
    const abort = (): void => void connection.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      connection.write(withLength(message));
      for await (const bytes of readMessages(connection)) {
        const foreign = readForeign(bytes, query, id);
        if (foreign) return foreign;
      }
      throw new Error(`${address} ended the connection without an answer`);
    } finally {
      signal.removeEventListener('abort', abort);
      connection.destroy();
    }
  }

  async #upstreams(): Promise<readonly Upstream[]> {
    const { upstreams, host, clock, self } = this.#options;
    const others = (all: readonly Upstream[]): readonly Upstream[] =>
      all.filter(({ address, port }) => !self.some((own) => own.address === address && own.port === port));
    if (upstreams) return others(upstreams.flatMap((text) => parseUpstream(text) ?? []));
    const now = clock.monotonic();
    if (!this.#fromHost || now - this.#fromHost.atMs > RESOLV_CONF_AGE_MS) {
      using _held = clock.hold(RESOLV_CONF);
      const text = await host.files.readTextIfExists(RESOLV_CONF);
      this.#fromHost = { atMs: now, upstreams: others(nameserversOf(text ?? '')) };
    }
    return this.#fromHost.upstreams;
  }
}

/** `10.0.0.1`, `10.0.0.1:5353`, `fd00::1`, `[fd00::1]:5353`; undefined where it is none of these. */
export function parseUpstream(text: string): Upstream | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = parts ? (parts[1] ?? parts[2])! : text;
  const port = parts ? Number(parts[3]) : 53;
  return ipVersion(address) === undefined || port < 1 || port > 65_535 ? undefined : { address, port };
}

/** The servers of a resolv.conf. */
export function nameserversOf(text: string): Upstream[] {
  return text.split('\n').flatMap((line) => {
    const [word, server] = line.trim().split(/\s+/);
    return word === 'nameserver' && server ? (parseUpstream(server) ?? []) : [];
  });
}

function keyOf({ name, type, class: of, edns, checkingDisabled }: DnsQuery): string {
  return `${name.toLowerCase()} ${type} ${of} ${edns ? (edns.dnssecOk ? 2 : 1) : 0}${checkingDisabled ? 1 : 0}`;
}
