import type { Duplex } from 'node:stream';
import { type DialTarget, dialUpgrade, UpgradeError } from '../../../libs/streaming/node/http.ts';
import { joinDuplex } from '../../../libs/streaming/portforward.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { moveWebSocketToken } from '../authn/web-socket-token.ts';
import { isLongRunning } from '../serve/limits.ts';
import type { UpgradeHook } from '../serve/serve.ts';
import { answerInMessages } from './web-socket-answers.ts';

interface Taken {
  readonly socket: Duplex;
  readonly head: Uint8Array;
  tunnelled: boolean;
}

export const SWITCHED: ApiResponse = Object.freeze<ApiResponse>({
  code: 101,
  headers: {},
  warnings: [],
  body: { form: 'empty' },
});

/** Connections that want to be something else, from when they are taken until it is known where they lead. */
export class Upgrades {
  readonly #taken = new WeakMap<ApiRequest, Taken>();

  /** Whether a request came as the wish for an upgrade. */
  has(request: ApiRequest): boolean {
    return this.#taken.has(request);
  }

  /**
   * `wanted`: which paths lead to servers that agree to upgrades. Watches and logs are answered over a WebSocket to who
   * wishes for one; other wishes are answered as if they had not been made.
   */
  hook(handle: (request: ApiRequest) => Promise<ApiResponse>, wanted: (path: string) => boolean): UpgradeHook {
    return {
      accepts: ({ method, path, query, headers }) => {
        const kind = String(headers['upgrade'] ?? '');
        if (/websocket|spdy\/3\.1/i.test(kind) && wanted(path)) return true;
        return /^websocket$/i.test(kind) && method === 'GET' && isLongRunning(path, query);
      },
      handle: (request, socket, head) => {
        moveWebSocketToken(request.headers as Record<string, string | readonly string[] | undefined>);
        const taken: Taken = { socket, head, tunnelled: false };
        const leadsOn = wanted(request.path);
        if (leadsOn) this.#taken.set(request, taken);
        socket.on('error', () => socket.destroy());
        handle(request)
          .then((response) => {
            if (taken.tunnelled) return undefined;
            const { code, body } = response;
            // What other servers say instead of agreeing to an upgrade is passed on as it is.
            const messages = body.form === 'watch' || (body.form === 'stream' && !leadsOn);
            return code === 200 && messages
              ? answerInMessages({ request, socket, head }, body)
              : answerPlainly(socket, response);
          })
          .catch((error: unknown) => {
            // Its words are on their way to the client.
            if (!(error instanceof UpgradeError)) socket.destroy();
          });
      },
    };
  }

  /**
   * Joins a request that `has` says yes to with another server. Resolves once the other end has agreed; the bytes go on by
   * themselves. Rejects as `dialUpgrade` does.
   */
  async tunnel(
    request: ApiRequest,
    target: DialTarget,
    headers: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<ApiResponse> {
    const taken = this.#taken.get(request) as Taken;
    // It brings WebSocket and SPDY, which a server without sessions does without. Before dialling: what the other end
    // says at once must find its reader.
    const { acceptTunnel } = await import('../../../libs/streaming/node/upgrade.ts');
    const { response, duplex } = await dialUpgrade(target, String(request.headers['upgrade'] ?? ''), headers);
    taken.tunnelled = true;
    const client = acceptTunnel({ request: undefined as never, socket: taken.socket, head: taken.head }, response);
    void joinDuplex(client, duplex).then(() => {
      client.destroy();
      duplex.destroy();
    });
    return SWITCHED;
  }
}

/** An upgrade that leads nowhere is answered as if nobody had asked for one. */
async function answerPlainly(socket: Duplex, response: ApiResponse): Promise<void> {
  const { body, code } = response;
  const pieces = body.form === 'whole' ? [...body.bytes()] : body.form === 'stream' ? await read(body.chunks) : [];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const type = body.form === 'whole' || body.form === 'stream' ? `Content-Type: ${body.contentType}\r\n` : '';
  socket.write(
    `HTTP/1.1 ${code} ${REASONS[code] ?? 'Error'}\r\n${type}Content-Length: ${length}\r\nConnection: close\r\n\r\n`,
  );
  for (const piece of pieces) socket.write(piece);
  socket.end();
}

const PLAIN_BYTES_MAX = 64 * 1024;

/** The beginning of what came instead: a refusal is short. */
async function read(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    pieces.push(chunk);
    length += chunk.length;
    if (length > PLAIN_BYTES_MAX) break;
  }
  return pieces;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
