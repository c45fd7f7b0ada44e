// `tutti up`: a cluster on this machine, in the foreground.

import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { createLogger, formatRecord, type LogLevel } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import { type Machine, startApiServer } from '../compose/apiserver.ts';
import { COMPONENTS, type ComponentName, startControllers, startSchedulerComponent } from '../compose/components.ts';
import { CommandError, explainStartError } from '../errors.ts';
import { mergeIntoUserKubeconfig } from '../user-kubeconfig.ts';

export const USAGE = `tutti up: start a cluster on this machine, in the foreground

usage: tutti up [options]

  --data-dir DIR         where the cluster lives (default: ~/.tutti)
  --port PORT            of the API server (default 6443; 0: any free one)
  --listen ADDRESS       the API server's address (default 127.0.0.1)
  --store STORE          lmdb (default) keeps data through everything; memory forgets;
                         etcd://host:port,… is an etcd of yours, v3.5 or later
  --etcd-cafile FILE     with --etcd-certfile and --etcd-keyfile: etcd over TLS
  --only NAME,…          start only these of: apiserver controller-manager scheduler
                         (the API server is always among them)
  --no-merge-kubeconfig  leave your own kubeconfig alone
  --verbose              log more
  --help                 print this text

examples:
  tutti up
  tutti up --data-dir /tmp/try --port 0 --no-merge-kubeconfig
`;

/** How long everything may take to stop. */
const STOP_MS = 10_000;

/** Runs until a signal comes; resolves with the exit code. */
export async function up(args: readonly string[]): Promise<number> {
  const { values } = parse(args);
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const dataDir = values['data-dir'] ?? join(homedir(), '.tutti');
  const machine = machineOf(values.verbose ? 'debug' : 'warn');
  const since = machine.clock.monotonic();
  const step = (text: string) => process.stdout.write(`${seconds(machine.clock.monotonic() - since)}  ${text}\n`);
  const stopped = signalled();

  const listenHost = values.listen ?? '127.0.0.1';
  const port = portOf(values.port ?? '6443');
  const wanted = componentsOf(values.only);
  const running = await startApiServer(machine, {
    dataDir,
    store: storeOf(values.store ?? 'lmdb'),
    ...etcdTlsOf(values['etcd-cafile'], values['etcd-certfile'], values['etcd-keyfile']),
    listenHost,
    port,
    serviceAddress: '10.96.0.1',
  }).catch((error: unknown) => {
    throw explainStartError(error, { dataDir, port, listenHost });
  });
  step(`API server    ${running.url}, store in ${dataDir}`);
  await using components = new AsyncDisposableStack();
  const around = { machine, server: running.server, pki: running.pki, heldTokens: running.heldTokens };
  if (wanted.has('controller-manager')) {
    components.use(await startControllers(around));
    step('controllers');
  }
  if (wanted.has('scheduler')) {
    components.use(await startSchedulerComponent(around));
    step('scheduler');
  }
  if (!values['no-merge-kubeconfig']) {
    const merged = await mergeIntoUserKubeconfig(machine.host, running.kubeconfigPath);
    step(`kubeconfig    context tutti in ${merged}`);
  }
  process.stdout.write(`
kubeconfig: ${running.kubeconfigPath}

What runs: ${[...wanted].join(', ')}. There is no node yet: pods stay pending, and say why. Try:

  export KUBECONFIG=${running.kubeconfigPath}
  kubectl create configmap hello --from-literal=greeting=world
  kubectl get configmaps --watch

Ctrl-C stops it; the data stays.
`);
  const reason = await stopped;
  process.stdout.write(`\n${reason}: stopping\n`);
  const late = machine.clock.setTimer(() => process.exit(1), STOP_MS, { keepAlive: true });
  await components.disposeAsync();
  await running[Symbol.asyncDispose]();
  late.cancel();
  return 0;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'data-dir': { type: 'string' },
        port: { type: 'string' },
        listen: { type: 'string' },
        store: { type: 'string' },
        'etcd-cafile': { type: 'string' },
        'etcd-certfile': { type: 'string' },
        'etcd-keyfile': { type: 'string' },
        only: { type: 'string', multiple: true },
        'no-merge-kubeconfig': { type: 'boolean' },
        verbose: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new CommandError(`${(error as Error).message}. "tutti up --help" lists the options.`, 2);
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new CommandError(`--port wants a number from 0 to 65535, not "${text}".`, 2);
}

function storeOf(text: string): string {
  if (text === 'lmdb' || text === 'memory' || /^etcd:\/\/[^,/]+(,[^,/]+)*$/.test(text)) return text;
  throw new CommandError(`--store wants lmdb, memory or etcd://host:port,… and not "${text}".`, 2);
}

function etcdTlsOf(caFile?: string, certFile?: string, keyFile?: string) {
  if (caFile && certFile && keyFile) return { etcdTls: { caFile, certFile, keyFile } };
  if (caFile || certFile || keyFile)
    throw new CommandError('--etcd-cafile, --etcd-certfile and --etcd-keyfile go together.', 2);
  return {};
}

function componentsOf(only: readonly string[] | undefined): ReadonlySet<ComponentName> {
  const names = only?.flatMap((text) => text.split(',')).filter((text) => text !== '') ?? COMPONENTS;
  const unknown = names.find((name) => !(COMPONENTS as readonly string[]).includes(name));
  if (unknown !== undefined) throw new CommandError(`--only knows ${COMPONENTS.join(', ')}, not "${unknown}".`, 2);
  return new Set(['apiserver', ...names] as ComponentName[]);
}

/** The real machine, as everything that is started takes it. */
export function machineOf(level: LogLevel): Machine {
  const clock = new RealClock();
  const log = createLogger('tutti', clock, (record) => process.stderr.write(`${formatRecord(record)}\n`), level);
  return { host: createNodeHost(), clock, random: realRandom, keys: new NodeKeys(), log };
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2).padStart(6)} s`;
