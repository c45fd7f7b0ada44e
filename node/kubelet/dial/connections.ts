import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { type Clock, withTimeout } from '../../../libs/base/clock.ts';
import type { Sockets } from '../../../libs/base/host.ts';
import { Http2Channel } from '../../../libs/grpc/node/http2-channel.ts';
import { ProtobufSchema } from '../../../libs/grpc/protobuf.ts';
import { type Connections, follow, type HttpAnswer, type HttpGet } from '../connections.ts';

const BODY_BYTES_MAX = 10 * 1024;

/** The standard health service of gRPC. */
const HEALTH = new ProtobufSchema({
  enums: { ServingStatus: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } },
  messages: { HealthCheckRequest: '1 service string', HealthCheckResponse: '1 status ServingStatus' },
});

/** Connections over `sockets`: the node's own network. */
export function connectionsOf(sockets: Pick<Sockets, 'connect'>, clock: Clock): Connections {
  return {
    async http(get) {
      using deadline = withTimeout(clock, get.timeoutMs);
      const answer = follow(get, (one) => httpGet(sockets, one, deadline.signal));
      return await inTime(deadline.signal, get, answer);
    },
    async tcp(host, port, timeoutMs) {
      using deadline = withTimeout(clock, timeoutMs);
      const socket = await dial(sockets, host, port, deadline.signal);
      socket.destroy();
    },
    async grpcHealth(host, port, service, timeoutMs) {
      const channel = new Http2Channel({
        endpoint: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
        clock,
        connect: () => sockets.connect({ host, port }),
      });
      try {
        const request = HEALTH.encode('HealthCheckRequest', { service });
        const answer = await channel.unary('/grpc.health.v1.Health/Check', request, { timeoutMs });
        return (HEALTH.decode('HealthCheckResponse', answer) as { status: string }).status;
      } finally {
        await channel.close();
      }
    },
  };
}

async function dial(
  sockets: Pick<Sockets, 'connect'>,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Duplex> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    return await sockets.connect({ host, port }, { signal });
  } catch (error) {
    if (signal.aborted) throw new Error(`dial tcp ${address}: i/o timeout`, { cause: error });
    const { code } = error as { code?: string };
    const words =
      code === 'ECONNREFUSED' ? 'connection refused' : code === 'EHOSTUNREACH' ? 'no route to host' : undefined;
    throw new Error(
      words ? `dial tcp ${address}: connect: ${words}` : `dial tcp ${address}: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

async function inTime(signal: AbortSignal, get: HttpGet, answer: Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await answer;
  } catch (error) {
    if (!signal.aborted) throw error;
    const words = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
    throw new Error(get.timeoutMs > 0 ? words : (error as Error).message, { cause: error });
  }
}

async function httpGet(sockets: Pick<Sockets, 'connect'>, get: HttpGet, signal: AbortSignal): Promise<HttpAnswer> {
  const tcp = await dial(sockets, get.host, get.port, signal);
  // A probe asks whether somebody answers, not who.
  const socket = get.scheme === 'https' ? tlsConnect({ socket: tcp, rejectUnauthorized: false }) : tcp;
  const make = get.scheme === 'https' ? httpsRequest : httpRequest;
  try {
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const request = make({
        method: 'GET',
        path: get.path,
        headers: { host: `${get.host}:${get.port}`, ...get.headers, connection: 'close' },
        createConnection: () => socket as never,
        signal,
      });
      request.on('error', reject);
      request.on('response', (response: IncomingMessage) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          if (body.length < BODY_BYTES_MAX) body += part;
        });
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: code = 0, headers } = response;
          resolve({
            code,
            body: body.slice(0, BODY_BYTES_MAX),
            ...(headers.location && { location: headers.location }),
          });
        });
      });
      request.end();
    });
  } finally {
    socket.destroy();
    tcp.destroy();
  }
}
