import type { Clock } from '../../../../../libs/base/clock.ts';
import type { GrpcChannel } from '../../../../../libs/grpc/channel.ts';
import { Http2Channel } from '../../../../../libs/grpc/node/http2-channel.ts';

export interface DialOptions {
  readonly clock: Clock;
  /** PEM: whom to trust, and what to show. For endpoints that begin with `https`. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly serverName?: string };
}

/** Lists come in pages of a few megabytes, whose objects have up to 1.5 MiB each. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

/** One channel for each endpoint, as `https://10.0.0.1:2379`. Nothing is sent before the first call. */
export function dialEtcd(endpoints: readonly string[], { clock, tls }: DialOptions): GrpcChannel[] {
  return endpoints.map(
    (endpoint) =>
      new Http2Channel({
        endpoint,
        clock,
        tls,
        messageBytesMax: MESSAGE_BYTES_MAX,
        // A member without a leader refuses, and ends watches, instead of keeping them waiting.
        metadata: { hasleader: 'true' },
      }),
  );
}
