/** The same made-up requests over a real TLS connection: the wire must not change what is answered. */
import { Agent, request as httpsRequest } from 'node:https';
import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import { type Serving, serve } from '../../control-plane/apiserver/serve/serve.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { makeCertificates } from '../fixtures/tls.ts';
import { type FuzzRequest, Requests } from './requests.ts';
import { ask, type Subject, startSubject } from './run.ts';

/** What the platform's client refuses to send: those are asked in raw text by the tests of the serving itself. */
const isSendable = ({ method, path, query, headers }: FuzzRequest): boolean =>
  !['CONNECT', 'get', 'HEAD'].includes(method) &&
  /^[\x21-\x7e]*$/.test(path + query) &&
  path.length < 8000 &&
  Object.values(headers).every((value) => /^[\t\x20-\x7e]*$/.test(value));

interface WireAnswer {
  readonly code: number;
  readonly body: Buffer;
}

/**
 * Asks two servers of one seed the same, one in this process and one over TLS; what they say must be the same. Gives what
 * differs first, and how many were asked.
 */
export async function fuzzWire(seed: string, count: number): Promise<{ problem: string | undefined; asked: number }> {
  const clock = new RealClock();
  const certificates = await makeCertificates(clock.now());
  await using here = await startSubject(seed);
  await using there = await startSubject(seed);
  const serving: Serving = await serve({
    host: '127.0.0.1',
    port: 0,
    tls: { ...certificates.server, clientAuthoritiesPem: '' },
    clock,
    random: new SeededRandom(seed),
    log: silentLogger,
    // Its time is virtual: whoever asks lets it pass.
    handle: (request) => askThrough(there, request),
  });
  const agent = new Agent({ keepAlive: true, ca: certificates.authorityPem });
  const requests = new Requests(here.server, new SeededRandom(seed).fork('requests'));
  let asked = 0;
  try {
    while (asked < count) {
      const request = requests.next();
      if (!isSendable(request) || /watch/.test(request.path + request.query)) continue;
      asked++;
      const expected = await ask(here, { ...request, headers: { ...request.headers } });
      if (expected?.body.form !== 'whole') {
        await send(serving.port, agent, request);
        continue;
      }
      const actual = await send(serving.port, agent, request);
      const bytes = Buffer.concat([...expected.body.bytes()]);
      // The wire counts the bytes of its answers; in one process there are none.
      const same = request.path === '/metrics' || actual.body.equals(bytes);
      if (actual.code !== expected.code || !same) {
        const problem = `${actual.code} over TLS, ${expected.code} in-process: ${JSON.stringify(request).slice(0, 2000)}`;
        return {
          problem: `${problem}\n${actual.body.toString().slice(0, 500)}\n${bytes.toString().slice(0, 500)}`,
          asked,
        };
      }
    }
    return { problem: undefined, asked };
  } finally {
    agent.destroy();
    await serving.close(100);
  }
}

async function askThrough(subject: Subject, { method, path, query, headers, body }: ApiRequest): Promise<ApiResponse> {
  const sent = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['host', 'connection', 'content-length', 'audit-id'].includes(name)),
  );
  const text = body && 'bytes' in body ? Buffer.from(body.bytes).toString('latin1') : undefined;
  const answer = await ask(subject, {
    method,
    path,
    query,
    headers: sent as Record<string, string>,
    ...(text === undefined ? {} : { body: text }),
  });
  if (!answer) throw new Error('it is never answered');
  return answer;
}

function send(port: number, agent: Agent, request: FuzzRequest): Promise<WireAnswer> {
  const { method, path, query, headers, body } = request;
  return new Promise((resolve, reject) => {
    const bytes = body === undefined ? undefined : Buffer.from(body, 'latin1');
    const outgoing = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        agent,
        method,
        path: query === '' ? path : `${path}?${query}`,
        headers: { ...headers, ...(bytes ? { 'content-length': bytes.length } : {}) },
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
        response.on('error', reject);
      },
    );
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('no answer in ten seconds')));
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}
