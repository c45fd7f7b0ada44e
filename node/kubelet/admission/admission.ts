import { selectsNode, tolerates } from '../../../api/core/node/placement.ts';
import { qosClassOf, sumContainers } from '../../../api/core/pod/resources.ts';
import type { Node } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { mustParseQuantity, toCeil, toMilli } from '../../../libs/machinery/quantity.ts';
import { containersOf, type NodePod } from '../pod/objects.ts';
import { isStatic } from '../static-pods/static-pods.ts';

/**
 * Whether a node takes a pod that was bound to it. The scheduler has looked already, but it sees the node late, and not
 * everybody who binds pods is a scheduler. A pod that is not taken fails, for good.
 */
export interface AdmissionInput {
  readonly pod: NodePod;
  /** The pods that were taken and have not ended, with the resources that they were given. */
  readonly others: readonly NodePod[];
  /** Undefined while the API does not know the node: static pods alone. */
  readonly node: DeepReadonly<Node> | undefined;
  readonly allocatable: Readonly<Record<string, string>>;
  /** `linux`. */
  readonly os: string;
  /** Conditions under which the node takes less: `MemoryPressure`, `DiskPressure`, `PIDPressure`. */
  readonly pressures: ReadonlySet<string>;
  /** The kernel confines programs by AppArmor profiles. */
  readonly appArmor: boolean;
}

export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/** Upstream's checks in upstream's order; undefined: the pod is taken. Pure. */
export function admit(input: AdmissionInput): Rejection | undefined {
  return (
    underPressure(input) ??
    operatingSystem(input) ??
    sysctls(input) ??
    confinement(input) ??
    resources(input) ??
    placement(input)
  );
}

/** Pods that run whatever becomes of the node: static ones, mirrors, and those of the system's priorities. */
export function isCritical(pod: NodePod): boolean {
  return isStatic(pod) || Number(pod.spec?.priority ?? 0) >= SYSTEM_PRIORITY;
}
const SYSTEM_PRIORITY = 2_000_000_000;
const MEMORY_PRESSURE_TAINT = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' };

function underPressure({ pod, pressures }: AdmissionInput): Rejection | undefined {
  if (pressures.size === 0 || isCritical(pod)) return undefined;
  if (pressures.size === 1 && pressures.has('MemoryPressure')) {
    // Who asked for memory has a share of it; the others add to the trouble.
    if (pod.spec && qosClassOf(pod.spec) !== 'BestEffort') return undefined;
    if (pod.spec?.tolerations?.some((one) => tolerates(one, MEMORY_PRESSURE_TAINT))) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${[...pressures].sort().join(' ')}]. ` };
}

function operatingSystem({ pod, os }: AdmissionInput): Rejection | undefined {
  const label = pod.spec?.nodeSelector?.['kubernetes.io/os'];
  if (label !== undefined && label !== os) {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
    return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message };
  }
  if (pod.spec?.os && pod.spec.os.name !== os) {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  return undefined;
}

/** What the kernel keeps apart for each namespace, and nobody else is touched by. */
const SAFE_SYSCTLS: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

function sysctls({ pod }: AdmissionInput): Rejection | undefined {
  for (const { name } of pod.spec?.securityContext?.sysctls ?? []) {
    const spelled = name.replaceAll('/', '.');
    const shared = spelled.startsWith('net.') ? pod.spec?.hostNetwork : pod.spec?.hostIPC;
    if (SAFE_SYSCTLS.has(spelled) && !shared) continue;
    const words = SAFE_SYSCTLS.has(spelled)
      ? `forbidden sysctl: "${spelled}" not allowed with host ${spelled.startsWith('net.') ? 'net' : 'ipc'} enabled`
      : `forbidden sysctl: "${spelled}" not allowlisted`;
    return { reason: 'SysctlForbidden', message: words };
  }
  return undefined;
}

function confinement({ pod, appArmor }: AdmissionInput): Rejection | undefined {
  if (appArmor) return undefined;
  const profiles = [
    pod.spec?.securityContext?.appArmorProfile,
    ...containersOf(pod).map(({ container }) => container.securityContext?.appArmorProfile),
  ];
  if (!profiles.some((profile) => profile && profile.type !== 'Unconfined')) return undefined;
  return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
}

/** What a pod takes of a node: CPU in thousandths, all else whole. Pod-level requests and overhead count. */
export function requestsOf({ spec }: NodePod): Map<string, number> {
  const requests: Record<string, string> = spec
    ? { ...sumContainers(spec, 'requests'), ...spec.resources?.requests }
    : {};
  const amounts = new Map<string, number>();
  for (const list of [requests, spec?.overhead ?? {}]) {
    for (const [name, text] of Object.entries(list)) amounts.set(name, (amounts.get(name) ?? 0) + amountOf(name, text));
  }
  return amounts;
}

export const amountOf = (name: string, text: string): number =>
  name === 'cpu' ? toMilli(mustParseQuantity(text)) : toCeil(mustParseQuantity(text));

export interface Shortage {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

/** The first resource of which too little is left for `pod`; CPU in thousandths. */
export function shortageOf(
  pod: NodePod,
  others: readonly NodePod[],
  allocatable: Readonly<Record<string, string>>,
): Shortage | undefined {
  const pods = Number(allocatable['pods'] ?? Number.POSITIVE_INFINITY);
  if (others.length + 1 > pods) return { resource: 'pods', requested: 1, used: others.length, capacity: pods };
  const wanted = [...requestsOf(pod)].filter(([, requested]) => requested !== 0);
  if (wanted.length === 0) return undefined;
  const used = new Map<string, number>();
  for (const other of others)
    for (const [name, amount] of requestsOf(other)) used.set(name, (used.get(name) ?? 0) + amount);
  for (const [resource, requested] of wanted.sort(byResource)) {
    const text = allocatable[resource];
    // What a node does not know of is for others to give out; huge pages are the kernel's, which has none of that size.
    if (text === undefined && !resource.startsWith('hugepages-')) continue;
    const capacity = text === undefined ? 0 : amountOf(resource, text);
    const taken = used.get(resource) ?? 0;
    if (taken + requested > capacity) return { resource, requested, used: taken, capacity };
  }
  return undefined;
}

const ORDER = ['cpu', 'memory', 'ephemeral-storage'];
const rank = (name: string): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
const byResource = ([a]: [string, number], [b]: [string, number]): number => rank(a) - rank(b) || (a < b ? -1 : 1);

export const shortageMessage = ({ resource, requested, used, capacity }: Shortage): string =>
  `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;

function resources({ pod, others, allocatable }: AdmissionInput): Rejection | undefined {
  const shortage = shortageOf(pod, others, allocatable);
  return shortage && { reason: `OutOf${shortage.resource}`, message: shortageMessage(shortage) };
}

function placement({ pod, others, node }: AdmissionInput): Rejection | undefined {
  const failed = (reason: string, words: string): Rejection => ({
    reason,
    message: `Predicate ${reason} failed: ${words}`,
  });
  if (node && pod.spec && !selectsNode(pod.spec, node)) {
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  }
  if (portsClash(pod, others)) return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  if (node && !isStatic(pod)) {
    const bad = (node.spec?.taints ?? []).some(
      (taint) => taint.effect === 'NoExecute' && !pod.spec?.tolerations?.some((one) => tolerates(one, taint)),
    );
    if (bad) return failed('TaintToleration', "node(s) had taints that the pod didn't tolerate");
  }
  return undefined;
}

function portsClash(pod: NodePod, others: readonly NodePod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return false;
  const all = others.flatMap(hostPortsOf);
  const taken = new Set(all.map(({ key }) => key));
  return wanted.some(({ key, ip, port }) =>
    ip === '0.0.0.0' ? all.some((one) => one.port === port) : taken.has(key) || taken.has(`0.0.0.0 ${port}`),
  );
}

interface HostPort {
  readonly key: string;
  readonly ip: string;
  /** `80/TCP`. */
  readonly port: string;
}

function hostPortsOf({ spec }: NodePod): HostPort[] {
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ];
  return containers.flatMap(({ ports }) =>
    (ports ?? []).flatMap(({ hostPort, hostIP, protocol = 'TCP' }) => {
      if (!hostPort) return [];
      const [ip, port] = [hostIP || '0.0.0.0', `${hostPort}/${protocol}`];
      return [{ key: `${ip} ${port}`, ip, port }];
    }),
  );
}
