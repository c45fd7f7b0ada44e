/** The baseline of the Pod Security Standards: no known ways out of a container. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import {
  type AnyContainer,
  type Check,
  containers,
  containersOf,
  isRelaxed,
  namesWhere,
  plural,
  quoted,
  setters,
  sortedSet,
} from './check.ts';

const DEFAULT_CAPABILITIES: ReadonlySet<string> = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

/** With the version of the standard since which each is harmless. */
const SYSCTLS: ReadonlyMap<string, number> = new Map([
  ['kernel.shm_rmid_forced', 0],
  ['net.ipv4.ip_local_port_range', 0],
  ['net.ipv4.ip_unprivileged_port_start', 0],
  ['net.ipv4.tcp_syncookies', 0],
  ['net.ipv4.ping_group_range', 0],
  ['net.ipv4.ip_local_reserved_ports', 27],
  ['net.ipv4.tcp_keepalive_time', 29],
  ['net.ipv4.tcp_fin_timeout', 29],
  ['net.ipv4.tcp_keepalive_intvl', 29],
  ['net.ipv4.tcp_keepalive_probes', 29],
  ['net.ipv4.tcp_rmem', 32],
  ['net.ipv4.tcp_wmem', 32],
]);

const SELINUX_TYPES: ReadonlyMap<string, number> = new Map([
  ['', 0],
  ['container_t', 0],
  ['container_init_t', 0],
  ['container_kvm_t', 0],
  ['container_engine_t', 31],
]);

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

const allowed = (table: ReadonlyMap<string, number>, value: string, minor: number): boolean =>
  table.has(value) && (table.get(value) as number) <= minor;

const appArmorProfile: Check = {
  id: 'appArmorProfile',
  level: 'baseline',
  since: 0,
  check({ metadata, spec }) {
    const isBad = (type: string | undefined) => type !== undefined && !['RuntimeDefault', 'Localhost'].includes(type);
    const values: string[] = [];
    const podType = spec.securityContext?.appArmorProfile?.type;
    if (isBad(podType)) values.push(podType as string);
    const names = namesWhere(spec, ({ securityContext }) => {
      const type = securityContext?.appArmorProfile?.type;
      if (isBad(type)) values.push(type as string);
      return isBad(type);
    });
    const annotations = Object.entries(metadata.annotations ?? {})
      .filter(([key]) => key.startsWith(APPARMOR_ANNOTATION))
      .filter(([, value]) => value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .sort();
    if (values.length + annotations.length === 0) return undefined;
    const set = setters(isBad(podType), names);
    const details = [
      ...(set ? [`${set} must not set AppArmor profile type to ${quoted(sortedSet(values))}`] : []),
      ...(annotations.length > 0
        ? [`${plural('annotation', 'annotations', annotations.length)} ${annotations.join(', ')}`]
        : []),
    ];
    const count = new Set(values).size + annotations.length;
    const reason = plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', count);
    return { reason, detail: details.join('; ') };
  },
};

const capabilities: Check = {
  id: 'capabilities_baseline',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const added = ({ securityContext }: AnyContainer) =>
      (securityContext?.capabilities?.add ?? []).filter((name) => !DEFAULT_CAPABILITIES.has(name));
    const names = namesWhere(spec, (container) => added(container).length > 0);
    if (names.length === 0) return undefined;
    const all = sortedSet(containersOf(spec).flatMap(added));
    return {
      reason: 'non-default capabilities',
      detail: `${containers(names)} must not include ${quoted(all)} in securityContext.capabilities.add`,
    };
  },
};

const hostNamespaces: Check = {
  id: 'hostNamespaces',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name]);
    if (set.length === 0) return undefined;
    return { reason: 'host namespaces', detail: set.map((name) => `${name}=true`).join(', ') };
  },
};

const hostPathVolumes: Check = {
  id: 'hostPathVolumes',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
    if (names.length === 0) return undefined;
    return { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', names.length)} ${quoted(names)}` };
  },
};

const hostPorts: Check = {
  id: 'hostPorts',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const portsOf = ({ ports }: AnyContainer) =>
      (ports ?? []).flatMap(({ hostPort }) => (hostPort ? [`${hostPort}`] : []));
    const names = namesWhere(spec, (container) => portsOf(container).length > 0);
    if (names.length === 0) return undefined;
    const ports = sortedSet(containersOf(spec).flatMap(portsOf));
    const uses = plural('uses', 'use', names.length);
    const what = plural('hostPort', 'hostPorts', ports.length);
    return { reason: 'hostPort', detail: `${containers(names)} ${uses} ${what} ${ports.join(', ')}` };
  },
};

type Handler = DeepReadonly<{ httpGet?: { host?: string }; tcpSocket?: { host?: string } }>;

const hostProbes: Check = {
  id: 'hostProbesAndHostLifecycle',
  level: 'baseline',
  since: 34,
  check({ spec }) {
    const hostsOf = (container: AnyContainer) => {
      const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
      const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
      return (handlers as readonly (Handler | undefined)[]).flatMap((handler) =>
        [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host): host is string => Boolean(host)),
      );
    };
    const names = namesWhere(spec, (container) => hostsOf(container).length > 0);
    if (names.length === 0) return undefined;
    const hosts = sortedSet(containersOf(spec).flatMap(hostsOf));
    const uses = plural('uses', 'use', names.length);
    const what = plural('probe or lifecycle host', 'probe or lifecycle hosts', hosts.length);
    return { reason: 'probe or lifecycle host', detail: `${containers(names)} ${uses} ${what} ${quoted(hosts)}` };
  },
};

const privileged: Check = {
  id: 'privileged',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.privileged === true);
    if (names.length === 0) return undefined;
    return { reason: 'privileged', detail: `${containers(names)} must not set securityContext.privileged=true` };
  },
};

const procMount: Check = {
  id: 'procMount',
  level: 'baseline',
  since: 0,
  check({ spec }, minor) {
    if (isRelaxed(spec, minor)) return undefined;
    const mountOf = ({ securityContext }: AnyContainer) => securityContext?.procMount ?? 'Default';
    const names = namesWhere(spec, (container) => mountOf(container) !== 'Default');
    if (names.length === 0) return undefined;
    const values = sortedSet(
      containersOf(spec)
        .map(mountOf)
        .filter((value) => value !== 'Default'),
    );
    return {
      reason: 'procMount',
      detail: `${containers(names)} must not set securityContext.procMount to ${quoted(values)}`,
    };
  },
};

const seLinuxOptions: Check = {
  id: 'seLinuxOptions',
  level: 'baseline',
  since: 0,
  check({ spec }, minor) {
    const types = new Set<string>();
    let [user, role] = [false, false];
    const isBad = (options: DeepReadonly<{ type?: string; user?: string; role?: string }> | undefined) => {
      if (!options) return false;
      const badType = !allowed(SELINUX_TYPES, options.type ?? '', minor);
      if (badType) types.add(options.type ?? '');
      if (options.user) user = true;
      if (options.role) role = true;
      return badType || Boolean(options.user) || Boolean(options.role);
    };
    const pod = isBad(spec.securityContext?.seLinuxOptions);
    const names = namesWhere(spec, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
    if (!pod && names.length === 0) return undefined;
    const what = [
      ...(types.size > 0 ? [`${plural('type', 'types', types.size)} ${quoted(sortedSet(types))}`] : []),
      ...(user ? ['user may not be set'] : []),
      ...(role ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters(pod, names)} set forbidden securityContext.seLinuxOptions: ${what.join('; ')}`,
    };
  },
};

const seccompProfile: Check = {
  id: 'seccompProfile_baseline',
  level: 'baseline',
  since: 19,
  check({ spec }) {
    const isBad = (type: string | undefined) => type !== undefined && !['RuntimeDefault', 'Localhost'].includes(type);
    const pod = spec.securityContext?.seccompProfile?.type;
    const typeOf = ({ securityContext }: AnyContainer) => securityContext?.seccompProfile?.type;
    const names = namesWhere(spec, (container) => isBad(typeOf(container)));
    if (!isBad(pod) && names.length === 0) return undefined;
    const values = sortedSet([pod, ...containersOf(spec).map(typeOf)].filter((type): type is string => isBad(type)));
    const set = setters(isBad(pod), names);
    return {
      reason: 'seccompProfile',
      detail: `${set} must not set securityContext.seccompProfile.type to ${quoted(values)}`,
    };
  },
};

const sysctls: Check = {
  id: 'sysctls',
  level: 'baseline',
  since: 0,
  check({ spec }, minor) {
    const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name);
    const bad = names.filter((name) => !allowed(SYSCTLS, name, minor));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
  },
};

const windowsHostProcess: Check = {
  id: 'windowsHostProcess',
  level: 'baseline',
  since: 0,
  check({ spec }) {
    const pod = spec.securityContext?.windowsOptions?.hostProcess === true;
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
    if (!pod && names.length === 0) return undefined;
    const set = setters(pod, names);
    return { reason: 'hostProcess', detail: `${set} must not set securityContext.windowsOptions.hostProcess=true` };
  },
};

/** By their ids: the order of messages. */
export const BASELINE: readonly Check[] = Object.freeze([
  appArmorProfile,
  capabilities,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  seLinuxOptions,
  seccompProfile,
  sysctls,
  windowsHostProcess,
]);
