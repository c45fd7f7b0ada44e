import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Sockets } from '../../../libs/base/host.ts';
import type { WebhookAnswer, WebhookCall, WebhookTransport } from '../webhook/client.ts';

const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const PLAIN_NAME = /^[\d.]+$|:/;

/**
 * Webhooks over HTTPS, one connection for each call. `sockets`: where connections are made, unless it is this machine's
 * network.
 */
export function httpsWebhooks(sockets?: Pick<Sockets, 'connect'>): WebhookTransport {
  return {
    async post(call) {
      try {
        const socket = await sockets?.connect({ host: call.host, port: call.port }, { signal: call.signal });
        return await exchange(call, socket);
      } catch (error) {
        if (call.signal.aborted) throw call.signal.reason;
        throw new Error(reasonOf(error as NodeJS.ErrnoException, call));
      }
    },
  };
}

function exchange(call: WebhookCall, socket: Duplex | undefined): Promise<WebhookAnswer> {
  const { host, port, serverName, authorityPem, path, body, signal } = call;
  const tls = {
    host,
    port,
    ...(authorityPem ? { ca: authorityPem } : {}),
    // Addresses are no server names: what they are checked against is the host.
    ...(PLAIN_NAME.test(serverName) ? {} : { servername: serverName }),
    ALPNProtocols: ['http/1.1'],
  };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        ...tls,
        path,
        method: 'POST',
        signal,
        headers: {
          host: `${serverName.includes(':') ? `[${serverName}]` : serverName}:${port}`,
          'content-type': 'application/json',
          accept: 'application/json, */*',
          'content-length': String(Buffer.byteLength(body)),
        },
        // With an agent, Node would connect by itself.
        ...(socket ? { createConnection: () => tlsConnect({ ...tls, socket }) } : { agent: false }),
      },
      (response) => {
        const pieces: Buffer[] = [];
        let length = 0;
        response.on('data', (piece: Buffer) => {
          length += piece.length;
          if (length > ANSWER_BYTES_MAX) request.destroy(new Error('the answer is too large'));
          else pieces.push(piece);
        });
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: Buffer.concat(pieces).toString() }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const TLS_REASONS: Readonly<Record<string, string>> = Object.freeze({
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  CERT_SIGNATURE_FAILURE: 'certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
});

/** The failure in the words that people who run clusters search for. */
function reasonOf(error: NodeJS.ErrnoException, { host, port, serverName }: WebhookCall): string {
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const { code = '' } = error;
  const tls = Object.hasOwn(TLS_REASONS, code) ? TLS_REASONS[code] : undefined;
  if (tls) return `tls: failed to verify certificate: x509: ${tls}`;
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: certificate is not valid for ${serverName}`;
    case 'ECONNREFUSED':
      return `dial tcp ${place}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${place}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${place}: connect: network is unreachable`;
    case 'ETIMEDOUT':
      return `dial tcp ${place}: connect: connection timed out`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${host}: no such host`;
    case 'ECONNRESET':
      return 'EOF';
    default:
      return error.message;
  }
}
