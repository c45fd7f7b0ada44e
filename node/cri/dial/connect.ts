import type { Clock } from '../../../libs/base/clock.ts';
import type { Sockets } from '../../../libs/base/host.ts';
import { Http2Channel } from '../../../libs/grpc/node/http2-channel.ts';
import { type DialTarget, dialPortForward, dialRemoteCommand } from '../../../libs/streaming/node/dial.ts';
import { createCriClient, type StreamDialer } from '../client.ts';
import type { CriClient } from '../cri.ts';

export interface ConnectOptions {
  readonly clock: Clock;
  readonly requestTimeoutMs?: number;
  /** Where the sockets are made: this host's, unless a test hands in those of a network namespace. */
  readonly sockets?: Pick<Sockets, 'connect'>;
}

/** Where runtimes listen when nobody says otherwise, in the order in which they are tried. */
export const DEFAULT_ENDPOINTS: readonly string[] = [
  'unix:///run/containerd/containerd.sock',
  'unix:///run/crio/crio.sock',
  'unix:///run/cri-dockerd.sock',
];

/**
 * A client of the runtime at `endpoint` (`unix:///run/containerd/containerd.sock`). Nothing is sent before the first
 * call, and the runtime need not be there yet.
 */
export function connectCri(endpoint: string, options: ConnectOptions): CriClient {
  const { clock, sockets } = options;
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  const target = (url: string, signal: AbortSignal | undefined): DialTarget => {
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    return {
      url,
      ...(signal && { signal }),
      ...(sockets && { connect: () => sockets.connect({ host, port: Number(port || 80) }) }),
    };
  };
  // SPDY: over WebSockets runtimes know no half-close of stdin. The server is on the same host, without TLS.
  const dialer: StreamDialer = {
    remoteCommand: (url, command, signal) => dialRemoteCommand(target(url, signal), command, { clock }),
    portForward: (url, signal) => dialPortForward(target(url, signal), { clock }),
  };
  const channel = new Http2Channel({
    endpoint,
    clock,
    ...(sockets && endpoint.startsWith('unix:') && { connect: () => sockets.connect({ path }) }),
  });
  return createCriClient({ channel, dialer, requestTimeoutMs: options.requestTimeoutMs });
}
