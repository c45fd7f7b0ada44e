/**
 * How a kubelet reaches what runs in pods, for probes and hooks: over the node's network (`dial/connections.ts`), or
 * through a simulated one. Every call ends within its `timeoutMs`.
 */
export interface Connections {
  /** A GET whose redirects are followed as `follow` does. Rejects with the system's error where nobody answers. */
  http(request: HttpGet): Promise<HttpAnswer>;
  /** Resolves when the port takes a connection. */
  tcp(host: string, port: number, timeoutMs: number): Promise<void>;
  /** The answer of the standard health service: `SERVING`, `NOT_SERVING` … */
  grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<string>;
}

export interface HttpGet {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface HttpAnswer {
  readonly code: number;
  /** The first 10 KiB. */
  readonly body: string;
  /** Where a redirect leads, as it was said. */
  readonly location?: string;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const REDIRECTS_MAX = 10;

/**
 * Follows redirects that stay on the host that was asked, whatever their port; one that leads to another is the answer.
 * `once` sends one request. Rejects as it does, and after ten redirects.
 */
export async function follow(get: HttpGet, once: (get: HttpGet) => Promise<HttpAnswer>): Promise<HttpAnswer> {
  let at = get;
  for (let redirects = 0; ; redirects++) {
    const answer = await once(at);
    if (answer.location === undefined || !REDIRECTS.has(answer.code)) return answer;
    const base = `${at.scheme}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}${at.path}`;
    const { protocol, hostname, port, pathname, search } = new URL(answer.location, base);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    if (host !== get.host.toLowerCase()) return answer;
    const scheme = protocol.slice(0, -1);
    if (scheme !== 'http' && scheme !== 'https') throw new Error(`unsupported protocol scheme "${scheme}"`);
    if (redirects === REDIRECTS_MAX - 1) throw new Error(`stopped after ${REDIRECTS_MAX} redirects`);
    at = { ...at, scheme, host, port: Number(port || (scheme === 'https' ? 443 : 80)), path: pathname + search };
  }
}
