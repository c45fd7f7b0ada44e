// The options of `tutti up`, from the command line and from a file, made into settings or refused in a sentence.

import { resolve } from 'node:path';
import { parseIp } from '../../libs/machinery/ip.ts';
import { parseQuantity, QuantityError, toCeil } from '../../libs/machinery/quantity.ts';
import {
  type ClusterNetworks,
  clusterNetworks,
  DEFAULT_POD_CIDR,
  DEFAULT_SERVICE_CIDR,
  type NetworkOption,
} from '../compose/cluster-network.ts';
import { COMPONENTS, type ComponentName } from '../compose/components.ts';
import { DEFAULT_CGROUP_ROOT } from '../compose/end-pods.ts';
import { CommandError } from '../errors.ts';
import {
  durationOf,
  NODE_OPTIONS,
  type NodeOptions,
  nodeOptions,
  type Parsed,
  parseOptions,
  portOf,
  readConfig,
} from './options.ts';

export const USAGE = `tutti up: start a cluster on this machine, in the foreground

usage: tutti up [options]

  --data-dir DIR         where the cluster lives (default: ~/.tutti)
  --port PORT            of the API server (default 6443; 0: any free one)
  --listen ADDRESS       the API server's address (default 0.0.0.0, so that pods reach it;
                         127.0.0.1 where there is no node)
  --store STORE          lmdb (default) keeps data through everything; memory forgets;
                         etcd://host:port,… is an etcd of yours, v3.5 or later
  --etcd-cafile FILE     with --etcd-certfile and --etcd-keyfile: etcd over TLS
  --history SIZE         keep what was, up to so much (256Mi, 2Gi), so that "tutti history" and kubectl
                         can look at the cluster as it was; with --store lmdb
  --leader-elect BOOL    let one server work where several share a store (default: true with etcd)
  --node-monitor-grace-period DURATION
                         how long a node may be silent before its pods leave it (default 50s)
  --only NAME,…          start only these of: ${COMPONENTS.join(' ')}
                         (the API server is always among them)
  --simulate N           instead of a node on this machine, N nodes that only seem to be:
                         needs neither Linux nor root
  --node-name NAME       of this machine in the cluster (default: its host name)
  --node-ip ADDRESS      by which others reach this machine (default: its own)
  --pod-cidr CIDR        where pods' addresses come from (default ${DEFAULT_POD_CIDR})
  --service-cidr CIDR    where Services' addresses come from (default ${DEFAULT_SERVICE_CIDR})
  --tls-san NAME,…       further names and addresses by which nodes and users reach the API server
  --cri-endpoint URL     use a container runtime of yours (unix:///run/containerd/containerd.sock)
                         instead of starting containerd
  --registry-mirror REGISTRY=URL
                         where to ask for images of a registry first (docker.io=http://10.0.0.5:5000;
                         *=URL: of every registry); may be repeated; for our own containerd
  --cgroup-root PATH     the cgroup below which pods have theirs (default ${DEFAULT_CGROUP_ROOT})
  --pod-manifest-path DIR
                         run the pods whose manifests are in this folder, whatever becomes of the cluster
  --kubelet-config FILE  a KubeletConfiguration: limits of logs and images, eviction, maxPods, podPidsLimit …
  --audit-policy-file FILE
                         with --audit-log-path: which requests are written down, and how much of each
  --audit-log-path FILE  where they are written, one event a line
  --keep-pods            leave pods running when this stops: the next start takes them over
  --detach               return once the cluster runs, and leave it running
  --config FILE          read options from a YAML file: the names above without dashes before,
                         as "port: 7443"; what the command line says counts more
  --no-merge-kubeconfig  leave your own kubeconfig alone
  --verbose              log more
  --help                 print this text

examples:
  tutti up
  tutti up --registry-mirror docker.io=http://10.0.0.5:5000
  tutti up --simulate 3 --data-dir /tmp/try --port 0
  tutti up --only apiserver,controller-manager,scheduler
`;

const OPTIONS = {
  ...NODE_OPTIONS,
  port: { type: 'string' },
  listen: { type: 'string' },
  store: { type: 'string' },
  'etcd-cafile': { type: 'string' },
  'etcd-certfile': { type: 'string' },
  'etcd-keyfile': { type: 'string' },
  only: { type: 'string', multiple: true },
  simulate: { type: 'string' },
  'tls-san': { type: 'string', multiple: true },
  'leader-elect': { type: 'string' },
  'node-monitor-grace-period': { type: 'string' },
  history: { type: 'string' },
  'pod-cidr': { type: 'string' },
  'service-cidr': { type: 'string' },
  'audit-policy-file': { type: 'string' },
  'audit-log-path': { type: 'string' },
  'no-merge-kubeconfig': { type: 'boolean' },
} as const;

type Values = Parsed<typeof OPTIONS>['values'];

export interface UpOptions extends NodeOptions {
  readonly port: number;
  readonly listenHost: string;
  readonly store: string;
  readonly etcdTls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  /** How many bytes of history are kept to be looked at. */
  readonly historyBytes?: number;
  readonly audit?: { readonly policyFile: string; readonly logPath: string };
  readonly wanted: ReadonlySet<ComponentName>;
  /** How many nodes to simulate; undefined: none. */
  readonly simulate?: number;
  /** Further names and addresses of the API server, in its certificate. */
  readonly tlsSans: readonly string[];
  readonly networks: ClusterNetworks;
  /** Which of them the user named; others are those that the cluster has already, where it has. */
  readonly namedNetworks: readonly NetworkOption[];
  /** Controllers and scheduler work only while they lead, as where several servers share a store. */
  readonly leaderElect: boolean;
  /** Undefined: upstream's. */
  readonly nodeMonitorGraceMs?: number;
  readonly mergeKubeconfig: boolean;
}

const SIMULATED_MAX = 10_000;

/** The components that make this machine a node. */
export const NODE_COMPONENTS: readonly ComponentName[] = ['kubelet', 'kube-proxy', 'dns'];

/** How commands of one set of options differ. */
export interface CommandDefaults {
  readonly command: 'up' | 'server';
  readonly components: readonly ComponentName[];
  /** Undefined: by whether pods must reach it. */
  readonly listenHost?: string;
}

const UP: CommandDefaults = { command: 'up', components: COMPONENTS };

/** `help`, or settings that are complete. Throws `CommandError`. */
export function upOptions(args: readonly string[], as: CommandDefaults = UP): UpOptions | 'help' {
  const { command } = as;
  const { values: given } = parseOptions(command, args, OPTIONS);
  if (given.help) return 'help';
  const values: Values = {
    ...(given.config === undefined ? {} : readConfig(command, given.config, OPTIONS)),
    ...given,
  };
  const simulate = simulateOf(values.simulate);
  const wanted = componentsOf(values.only, simulate !== undefined, as.components);
  const node = NODE_COMPONENTS.some((name) => wanted.has(name));
  const { 'node-monitor-grace-period': graceText } = values;
  const store = storeOf(values.store ?? 'lmdb');
  return {
    ...nodeOptions(values),
    port: portOf(values.port ?? '6443'),
    listenHost: values.listen ?? as.listenHost ?? (node ? '0.0.0.0' : '127.0.0.1'),
    store,
    ...etcdTlsOf(values['etcd-cafile'], values['etcd-certfile'], values['etcd-keyfile']),
    ...historyOf(values.history, store),
    ...auditOf(values['audit-policy-file'], values['audit-log-path']),
    wanted,
    leaderElect: switchOf('--leader-elect', values['leader-elect'] ?? String(store.startsWith('etcd:'))),
    ...(graceText !== undefined && { nodeMonitorGraceMs: durationOf('--node-monitor-grace-period', graceText) }),
    ...(simulate !== undefined && { simulate }),
    tlsSans: namesOf(values['tls-san'] ?? []),
    namedNetworks: (['pod-cidr', 'service-cidr'] as const).filter((name) => values[name] !== undefined),
    networks: clusterNetworks(values['pod-cidr'] ?? DEFAULT_POD_CIDR, values['service-cidr'] ?? DEFAULT_SERVICE_CIDR),
    mergeKubeconfig: !values['no-merge-kubeconfig'],
  };
}

const HISTORY_BYTES_MIN = 1024 ** 2;
/** The file that holds it must stay well below the address space that is set aside for it. */
const HISTORY_BYTES_MAX = 8 * 1024 ** 3;

function historyOf(text: string | undefined, store: string): { readonly historyBytes?: number } {
  if (text === undefined) return {};
  if (store !== 'lmdb') {
    throw new CommandError('--history keeps what the embedded store has written: it wants --store lmdb.', 2);
  }
  const historyBytes = bytesOf(text);
  if (historyBytes >= HISTORY_BYTES_MIN && historyBytes <= HISTORY_BYTES_MAX) return { historyBytes };
  throw new CommandError(`--history wants a size from 1Mi to 8Gi, such as 256Mi, not "${text}".`, 2);
}

/** NaN for what is no quantity. */
function bytesOf(text: string): number {
  const quantity = parseQuantity(text);
  return quantity instanceof QuantityError ? Number.NaN : toCeil(quantity);
}

function namesOf(texts: readonly string[]): string[] {
  const names = texts.flatMap((text) => text.split(',')).filter((text) => text !== '');
  const wrong = names.find((name) => !parseIp(name) && !DNS_NAME.test(name));
  if (wrong === undefined) return names;
  throw new CommandError(`--tls-san wants names and addresses such as cluster.example.org, not "${wrong}".`, 2);
}

/** Also with a star for the first word. */
const DNS_NAME = /^(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/i;

function auditOf(policyFile?: string, logPath?: string) {
  if (policyFile && logPath) return { audit: { policyFile: resolve(policyFile), logPath: resolve(logPath) } };
  if (policyFile || logPath) throw new CommandError('--audit-policy-file and --audit-log-path go together.', 2);
  return {};
}

function storeOf(text: string): string {
  if (text === 'lmdb' || text === 'memory' || /^etcd:\/\/[^,/]+(,[^,/]+)*$/.test(text)) return text;
  throw new CommandError(`--store wants lmdb, memory or etcd://host:port,… and not "${text}".`, 2);
}

function switchOf(option: string, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new CommandError(`${option} wants true or false, not "${text}".`, 2);
}

function etcdTlsOf(caFile?: string, certFile?: string, keyFile?: string) {
  if (caFile && certFile && keyFile) return { etcdTls: { caFile, certFile, keyFile } };
  if (caFile || certFile || keyFile)
    throw new CommandError('--etcd-cafile, --etcd-certfile and --etcd-keyfile go together.', 2);
  return {};
}

function simulateOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (text !== '' && Number.isInteger(count) && count >= 0 && count <= SIMULATED_MAX) return count;
  throw new CommandError(`--simulate wants a number of nodes from 0 to ${SIMULATED_MAX}, not "${text}".`, 2);
}

function componentsOf(
  only: readonly string[] | undefined,
  simulates: boolean,
  usual: readonly ComponentName[],
): ReadonlySet<ComponentName> {
  const all = simulates ? usual.filter((name) => !NODE_COMPONENTS.includes(name)) : usual;
  const names = only?.flatMap((text) => text.split(',')).filter((text) => text !== '') ?? all;
  const unknown = names.find((name) => !(COMPONENTS as readonly string[]).includes(name));
  if (unknown !== undefined) throw new CommandError(`--only knows ${COMPONENTS.join(', ')}, not "${unknown}".`, 2);
  return new Set(['apiserver', ...names] as ComponentName[]);
}
