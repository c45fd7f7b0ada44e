// `tutti test-env`: a simulated cluster for tests in any language, driven by lines on stdin or over HTTP.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { fstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { ClusterUsageError, TestEnvCommandError } from '../../testing/errors.ts';
import { COMMANDS, checkCommand, parseCommand, type TestEnvCommand, usageOf } from '../../testing/test-env/commands.ts';
import { TestEnvironment } from '../../testing/test-env/test-environment.ts';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { parseOptions } from './options.ts';

const PARENT_MS = 500;
const BODY_BYTES_MAX = 16 * 1024 * 1024;

const OPTIONS = {
  nodes: { type: 'string', default: '1' },
  seed: { type: 'string' },
  time: { type: 'string' },
  frozen: { type: 'boolean', default: false },
  controllers: { type: 'string' },
  writes: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const USAGE = `tutti test-env: a whole cluster in this process, for tests in any language

usage: tutti test-env [options]

  --nodes N          simulated nodes (default 1)
  --seed TEXT        what everything random is drawn from (default: another one each time; the first line tells it)
  --time TIME        where the cluster's time begins, as 2026-01-01T00:00:00Z
  --frozen           time stands still but for commands; default: it goes along with the machine's
  --controllers A,B  only these controllers (default: all)
  --writes           a line for each write to the store as well
  -h, --help         print this text

Prints one line of JSON for each event. The first is {"event":"ready","kubeconfig":"/tmp/…/kubeconfig","http":"http://127.0.0.1:…",
"token":"…"}. Commands come as lines on stdin, as words or as JSON, each answered by an event "done" or "error"; or as JSON by
POST to the http address with "Authorization: Bearer TOKEN", answered there. They run one after the other.
It ends with "stop", with SIGTERM, when stdin (a pipe) ends, and when the process that started it does.

commands:
${Object.keys(COMMANDS)
  .map((name) => `  ${usageOf(name)}\n`)
  .join('')}
example:
  coproc TUTTI { tutti test-env --nodes 3; }
  read -r ready <&"\${TUTTI[0]}"
  export KUBECONFIG=$(jq -r .kubeconfig <<<"$ready")
  kubectl get nodes
  echo 'advance 5m' >&"\${TUTTI[1]}"
`;

/** Runs until it is told to end; resolves with the exit code. */
export async function testEnv(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('test-env', args, OPTIONS);
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const startMs = values.time === undefined ? undefined : Date.parse(values.time);
  if (Number.isNaN(startMs)) throw new CommandError(`--time ${values.time} is no time; write 2026-01-01T00:00:00Z.`, 2);
  const folder = mkdtempSync(join(tmpdir(), 'tutti-test-env-'));
  const env = new TestEnvironment({
    cluster: {
      nodes: Number(values.nodes),
      seed: values.seed ?? String(randomBytes(6).readUIntBE(0, 6)),
      ...(startMs === undefined ? {} : { startMs }),
      ...(values.controllers === undefined ? {} : { controllers: values.controllers.split(',') }),
    },
    frozen: values.frozen,
    ...(values.writes ? { onWrite: (write) => tell({ event: 'write', ...write }) } : {}),
    async keep(name, kubeconfig) {
      const path = join(folder, name);
      writeFileSync(path, kubeconfig, { mode: 0o600 });
      return path;
    },
  });
  await using ends = new AsyncDisposableStack();
  ends.defer(() => rmSync(folder, { recursive: true, force: true }));
  ends.defer(() => env.stop());
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end(signal));
  ends.use(watchParent(() => end('its parent has ended')));
  const started = await env.start().catch((error: unknown) => {
    throw error instanceof ClusterUsageError ? new CommandError(`${error.message}.`, 2) : error;
  });
  const token = randomBytes(24).toString('base64url');
  const server = createServer((request, response) => void answer(env, token, end, request, response));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  ends.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  tell({ event: 'ready', ...started, http: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token });
  readCommands(env, end);
  tell({ event: 'stopped', why: await ended });
  return 0;
}

/** What is said while an answer is on its way comes before it. */
function tell(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Lines of stdin, one after the other. A terminal or /dev/null may end without ending the program; a pipe may not. */
function readCommands(env: TestEnvironment, end: (why: string) => void): void {
  // Who reads our lines has gone.
  process.stdout.on('error', () => end('nobody reads its lines any more'));
  const stdin = kindOfStdin();
  if (stdin === 'none') return;
  const lines = createInterface({ input: process.stdin });
  // In turn, so that answers come in the order of the lines.
  let turn: Promise<void> = Promise.resolve();
  lines.on('line', (line) => {
    turn = turn.then(() => onLine(env, line, end));
  });
  lines.on('close', () => {
    if (stdin === 'pipe') void turn.then(() => end('stdin has ended'));
  });
}

function kindOfStdin(): 'pipe' | 'file' | 'none' {
  try {
    const stat = fstatSync(0);
    if (stat.isFIFO() || stat.isSocket()) return 'pipe';
    return stat.isFile() || process.stdin.isTTY ? 'file' : 'none';
  } catch {
    return 'none';
  }
}

async function onLine(env: TestEnvironment, line: string, end: (why: string) => void): Promise<void> {
  let command: TestEnvCommand | undefined;
  try {
    command = parseCommand(line);
    if (!command) return;
    const told = await perform(env, command, end);
    tell({ event: 'done', ...nameOf(command), ...told });
  } catch (error) {
    tell({ event: 'error', ...(command ? nameOf(command) : { line }), ...problemOf(error) });
  }
}

const nameOf = ({ command, id }: TestEnvCommand) => ({ command, ...(id === undefined ? {} : { id }) });

async function perform(env: TestEnvironment, command: TestEnvCommand, end: (why: string) => void): Promise<object> {
  if (command.command !== 'stop') return env.run(command);
  // After those that came before.
  await env.run({ command: 'status' });
  setImmediate(() => end('it was told to'));
  return {};
}

function problemOf(error: unknown): { error: string; message: string } {
  if (!(error instanceof Error)) return { error: 'Error', message: String(error) };
  return { error: error.name, message: error.message };
}

async function answer(
  env: TestEnvironment,
  token: string,
  end: (why: string) => void,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const reply = (code: number, body: object) => {
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  try {
    if (!isSame(request.headers.authorization ?? '', `Bearer ${token}`)) {
      reply(401, { error: 'Unauthorized', message: 'say "Authorization: Bearer" and the token of the first line' });
      return;
    }
    if (request.method !== 'POST') {
      reply(
        request.method === 'GET' ? 200 : 405,
        await env.run({ command: request.method === 'GET' ? 'status' : 'help' }),
      );
      return;
    }
    const text = await bodyOf(request);
    // JSON, or the words of a line.
    const command = text.trimStart().startsWith('{') ? checkCommand(JSON.parse(text)) : parseCommand(text);
    if (!command) throw new TestEnvCommandError('there is no command in the body');
    reply(200, { ...nameOf(command), ...(await perform(env, command, end)) });
  } catch (error) {
    const isAsked = error instanceof TestEnvCommandError || error instanceof SyntaxError;
    reply(isAsked ? 400 : 422, problemOf(error));
  }
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new TestEnvCommandError(`a command has at most ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Calls `gone` when the process that started this one has ended: another one is its parent then, or nobody is there. */
function watchParent(gone: () => void): Disposable {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent || !isAlive(parent)) gone();
  }, PARENT_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}
