import { type Clock, withTimeout } from '../../libs/base/clock.ts';
import type { SimulatedNetwork, SimulatedRequest } from '../cri/fake/network.ts';
import { type Connections, follow } from './connections.ts';

const BODY_MAX = 10 * 1024;

/** Probes and hooks over a simulated network, as from the node with the address `from`. */
export function simulatedConnections(network: SimulatedNetwork, clock: Clock, from = '127.0.0.1'): Connections {
  /** A function that never answers is a server that hangs. */
  const inTime = async <T>(timeoutMs: number, work: () => Promise<T>): Promise<T> => {
    using deadline = withTimeout(clock, timeoutMs);
    const late = Promise.withResolvers<never>();
    deadline.signal.addEventListener('abort', () =>
      late.reject(new Error('context deadline exceeded (Client.Timeout exceeded while awaiting headers)')),
    );
    return await Promise.race([work(), late.promise]);
  };
  return {
    http: (get) =>
      inTime(get.timeoutMs, () =>
        follow(get, async ({ host, port, path, headers }) => {
          const request: Partial<SimulatedRequest> = { headers, from };
          const answer = await network.request(`http://${at(host)}:${port}${path}`, request);
          const location = Object.entries(answer.headers).find(([name]) => name.toLowerCase() === 'location')?.[1];
          return { code: answer.status, body: answer.body.slice(0, BODY_MAX), ...(location && { location }) };
        }),
      ),
    async tcp(host, port) {
      network.find(host, port, from);
    },
    async grpcHealth(host, port, service) {
      // Functions speak HTTP: a health service is one that answers under its path.
      const { status, body } = await network.request(`http://${at(host)}:${port}/grpc.health.v1.Health/Check`, {
        method: 'POST',
        body: service,
        from,
      });
      return status === 200 && body !== '' ? body : status === 200 ? 'SERVING' : 'NOT_SERVING';
    },
  };
}

const at = (host: string): string => (host.includes(':') ? `[${host}]` : host);
