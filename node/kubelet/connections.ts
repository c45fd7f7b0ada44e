/**
 * How a kubelet reaches what runs in pods, for probes and hooks: over the node's network (`dial/connections.ts`), or
 * through a simulated one. Every call ends within its `timeoutMs`.
 */
export interface Connections {
  /** One GET. Redirects are not followed. Rejects with the system's error where nobody answers. */
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
}
