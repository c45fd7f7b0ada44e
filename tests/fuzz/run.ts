/** Sends made-up requests to servers of their own, batch by batch, and finds the shortest way to what goes wrong. */
import process from 'node:process';
import type { ApiRequest, ApiResponse, WatchFrame } from '../../control-plane/apiserver/api.ts';
import type { Authenticator } from '../../control-plane/apiserver/authn/authenticator.ts';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import { MemoryStore } from '../../control-plane/store/drivers/memory/memory-store.ts';
import type { Issuer } from '../../libs/base/keys.ts';
import { createLogger } from '../../libs/base/log.ts';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { turn } from '../../libs/base/node/turn.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { VirtualClock } from '../../libs/base/virtual-clock.ts';
import type { UserInfo } from '../../libs/kind/request.ts';
import { bytesProblemOf, checkStored, frameProblemOf, problemOf } from './oracle.ts';
import { type FuzzRequest, Requests } from './requests.ts';
import { TEMPLATES } from './templates.ts';

/** Requests to one server before a new one takes over: bounds what a failure has to be sought in. */
export const BATCH = 1000;
/** Virtual time that one request may take. */
const VIRTUAL_MS_MAX = 120_000;
const STEP_MS = 1000;
/** Turns of the loop within which a request that waits for no time is done. */
const TURNS = 64;
const REPLAYS_MAX = 60;

const USERS: Readonly<Record<string, UserInfo>> = Object.freeze({
  'Bearer admin': { name: 'admin', groups: ['system:masters'], extra: {} },
  'Bearer jane': { name: 'jane', groups: [], extra: {} },
  'Bearer node': { name: 'system:node:a', groups: ['system:nodes'], extra: {} },
});

const byName: Authenticator = {
  name: 'names',
  authenticate: ({ headers }) => {
    const given = headers['authorization'];
    return typeof given === 'string' && Object.hasOwn(USERS, given) ? USERS[given] : undefined;
  },
};

/** A server with everything in it the same each time, and the clock that it lives by. */
export interface Subject extends AsyncDisposable {
  readonly server: ApiServer;
  readonly clock: VirtualClock;
  /** What it has logged as an error since the last question. */
  errors(): string[];
}

let authority: Promise<Issuer> | undefined;

async function makeAuthority(): Promise<Issuer> {
  const keys = new FixedKeys('fuzz authority');
  const key = await keys.generateKey('ca');
  const certificatePem = await keys.issueCertificate({
    subject: { commonName: 'fuzz' },
    publicKey: key,
    isCertificateAuthority: true,
    usages: ['cert sign'],
    notBeforeMs: Date.UTC(2025, 0, 1),
    notAfterMs: Date.UTC(2030, 0, 1),
  });
  return { key, certificatePem };
}

export async function startSubject(seed: string): Promise<Subject> {
  authority ??= makeAuthority();
  const { certificatePem } = await authority;
  const clock = new VirtualClock({ turn });
  const random = new SeededRandom(seed);
  const keys = new FixedKeys(seed);
  const errors: string[] = [];
  const log = createLogger(
    'fuzz',
    clock,
    ({ message, fields }) => {
      const { error } = fields;
      errors.push(`${message}: ${error instanceof Error ? error.stack : JSON.stringify(fields)}`);
    },
    'error',
  );
  const store = new MemoryStore({ clock, random: random.fork('store') });
  const server = createDefaultServer({
    store,
    clock,
    random,
    keys,
    log,
    clientAuthorityPem: certificatePem,
    serviceAccountKey: await keys.generateKey('service accounts'),
    authenticators: [byName],
    serverAddress: '127.0.0.1:6443',
    platform: 'linux/amd64',
    runtime: 'test',
  });
  await server.start();
  const subject = {
    server,
    clock,
    errors: () => errors.splice(0),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await store.close();
    },
  };
  const headers = { authorization: 'Bearer admin', 'content-type': 'application/json' };
  const first = (path: string, body: unknown) =>
    ask(subject, { method: 'POST', path, query: '', headers, body: JSON.stringify(body) });
  const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
  await first('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    ...definition,
    ...TEMPLATES['customresourcedefinitions'],
  });
  await first('/api/v1/namespaces', { metadata: { name: 'fuzz' } });
  return subject;
}

/** The answer, once it has come; undefined: it never does. Time passes as far as it must. */
export async function ask(
  subject: Subject,
  request: FuzzRequest,
  signal?: AbortSignal,
): Promise<ApiResponse | undefined> {
  let answer: ApiResponse | undefined;
  let failure: unknown;
  let done = false;
  subject.server
    .handle(apiRequest(request, signal))
    .then(
      (response) => {
        answer = response;
      },
      (error: unknown) => {
        failure = error;
      },
    )
    .finally(() => {
      done = true;
    });
  for (let turns = 0; !done && turns < TURNS; turns++) await turn();
  for (let waited = 0; !done && waited < VIRTUAL_MS_MAX; waited += STEP_MS) await subject.clock.advance(STEP_MS);
  if (failure !== undefined) throw failure;
  return answer;
}

function apiRequest({ method, path, query, headers, body }: FuzzRequest, signal?: AbortSignal): ApiRequest {
  return {
    method,
    path,
    query,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, name.startsWith('impersonate-') ? [value].flat() : value]),
    ),
    body: body === undefined ? undefined : { bytes: Buffer.from(body, 'latin1') },
    peer: { address: '127.0.0.1' },
    signal: signal ?? new AbortController().signal,
  };
}

/** Asks, and says what is wrong; undefined: nothing. */
export async function check(subject: Subject, request: FuzzRequest): Promise<string | undefined> {
  const began = process.cpuUsage();
  try {
    const response = await ask(subject, request);
    if (!response) return 'it is never answered';
    const { user, system } = process.cpuUsage(began);
    const ms = (user + system) / 1000;
    const problem =
      problemOf(response) ?? bytesProblemOf(subject.server, response) ?? (await watchProblem(subject, response));
    if (problem) return [problem, ...subject.errors()].join('\n');
    if (ms > SLOW_MS) return `it took ${ms.toFixed(0)} ms`;
  } catch (error) {
    return `thrown: ${error instanceof Error ? error.stack : error}`;
  }
  return subject.errors()[0];
}

/** One request holds up everybody else. Time of the processor, so that a busy machine is no failure. */
const SLOW_MS = 3000;

async function watchProblem(subject: Subject, { body }: ApiResponse): Promise<string | undefined> {
  if (body.form === 'stream') {
    for await (const chunk of body.chunks) void chunk;
    return undefined;
  }
  if (body.form !== 'watch') return undefined;
  let problem: string | undefined;
  const handle = body.open({
    event(frame: WatchFrame) {
      problem ??= frameProblemOf(frame);
      return true;
    },
    end() {},
  });
  await turn();
  await subject.clock.advance(1);
  handle.close();
  return problem;
}

export interface Failure {
  readonly problem: string;
  /** Replayed from the start of `seed`'s server, these bring it about; nearly always one. */
  readonly requests: readonly FuzzRequest[];
  readonly seed: string;
}

/** One batch on a server of its own. Deterministic: a seed has one history. */
export async function fuzzBatch(seed: string, count: number): Promise<Failure | undefined> {
  const asked: FuzzRequest[] = [];
  const escaped: string[] = [];
  const onEscape = (error: unknown) => void escaped.push(`escaped: ${error instanceof Error ? error.stack : error}`);
  process.on('unhandledRejection', onEscape);
  process.on('uncaughtException', onEscape);
  let problem: string | undefined;
  try {
    await using subject = await startSubject(seed);
    const requests = new Requests(subject.server, new SeededRandom(seed).fork('requests'));
    while (problem === undefined && asked.length < count) {
      const request = requests.next();
      asked.push(request);
      problem = (await check(subject, request)) ?? escaped[0];
    }
    problem ??= await checkStored(subject.server).then(
      () => undefined,
      (error: unknown) => `what is stored: ${error instanceof Error ? error.message : error}`,
    );
  } finally {
    process.off('unhandledRejection', onEscape);
    process.off('uncaughtException', onEscape);
  }
  if (problem === undefined) return undefined;
  return { seed, problem, requests: await shrink(seed, asked) };
}

/** Whether requests, replayed, end in a problem. */
export async function replay(seed: string, requests: readonly FuzzRequest[]): Promise<string | undefined> {
  await using subject = await startSubject(seed);
  for (const request of requests) {
    const problem = await check(subject, request);
    if (problem !== undefined) return problem;
  }
  return checkStored(subject.server).then(
    () => undefined,
    (error: unknown) => `what is stored: ${error instanceof Error ? error.message : error}`,
  );
}

/** The last request alone where that is enough; else what is left after leaving out halves, quarters, … */
async function shrink(seed: string, asked: readonly FuzzRequest[]): Promise<readonly FuzzRequest[]> {
  let kept = asked.slice(-1);
  if ((await replay(seed, kept)) !== undefined) return kept;
  kept = asked.slice();
  let replays = 0;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && replays < REPLAYS_MAX; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length && replays < REPLAYS_MAX; ) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      replays++;
      if (without.length > 0 && (await replay(seed, without)) !== undefined) kept = without;
      else at += size;
    }
  }
  return kept;
}

/** Batches until `count` requests are asked, or one goes wrong. */
export async function fuzz(
  seed: string,
  count: number,
  told: (asked: number) => void = () => {},
): Promise<Failure | undefined> {
  for (let asked = 0; asked < count; asked += BATCH) {
    const failure = await fuzzBatch(`${seed}/${asked / BATCH}`, Math.min(BATCH, count - asked));
    if (failure) return failure;
    told(Math.min(count, asked + BATCH));
  }
  return undefined;
}

/** What a person needs to see it again. */
export function describeFailure({ seed, problem, requests }: Failure): string {
  const shown = requests.slice(-5).map((request) => {
    const text = JSON.stringify(request);
    return text.length > 4000 ? `${text.slice(0, 4000)}… (${text.length} characters)` : text;
  });
  const more = requests.length > shown.length ? `(the last ${shown.length} of ${requests.length})\n` : '';
  return `seed ${seed}: ${problem}\n${more}${shown.join('\n')}`;
}
