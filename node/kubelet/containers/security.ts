import type { SeccompProfile } from '../../../api/types/core/v1.generated.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type {
  Image,
  LinuxContainerSecurityContext,
  LinuxSandboxSecurityContext,
  NamespaceOption,
  SecurityProfile,
  UserNamespace,
} from '../../cri/schema.generated.ts';
import { describePod, type NodePod, type PodContainer } from '../pod/objects.ts';
import { ConfigError } from './errors.ts';

/** What a container without `procMount: Unmasked` does not see of the kernel, and what it sees but may not write. */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface SecurityOptions {
  readonly seccompRoot: string;
  /** Where the pod's users are not the host's. */
  readonly userNamespace?: Input<UserNamespace> | undefined;
}

export function namespaceOptions({ spec }: NodePod, users?: Input<UserNamespace>): Input<NamespaceOption> {
  return {
    ...(users && { usernsOptions: users }),
    network: spec?.hostNetwork ? 'NODE' : 'POD',
    pid: spec?.hostPID ? 'NODE' : spec?.shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: spec?.hostIPC ? 'NODE' : 'POD',
  };
}

function seccomp(profile: DeepReadonly<SeccompProfile> | undefined, seccompRoot: string): Input<SecurityProfile> {
  if (profile?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' };
  if (profile?.type !== 'Localhost') return { profileType: 'Unconfined' };
  return { profileType: 'Localhost', localhostRef: `${seccompRoot}/${profile.localhostProfile ?? ''}` };
}

export function sandboxSecurity(
  pod: NodePod,
  { seccompRoot, userNamespace }: SecurityOptions,
): Input<LinuxSandboxSecurityContext> {
  const { securityContext: context } = pod.spec ?? {};
  const privileged = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].some(
    (container) => container.securityContext?.privileged,
  );
  return {
    namespaceOptions: namespaceOptions(pod, userNamespace),
    privileged,
    // The pause process needs no more than the runtime's own profile allows.
    seccomp: seccomp(context?.seccompProfile ?? { type: 'RuntimeDefault' }, seccompRoot),
    ...(context?.runAsUser !== undefined && { runAsUser: { value: Number(context.runAsUser) } }),
    ...(context?.runAsUser !== undefined &&
      context.runAsGroup !== undefined && { runAsGroup: { value: Number(context.runAsGroup) } }),
    supplementalGroups: groups(pod),
    ...(context?.seLinuxOptions && { selinuxOptions: { ...context.seLinuxOptions } }),
  };
}

function groups({ spec }: NodePod): number[] {
  const { supplementalGroups = [], fsGroup } = spec?.securityContext ?? {};
  return [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])].map(Number))];
}

/**
 * The security context of a container: its own, else the pod's, else what the image says. Throws `ConfigError` where
 * `runAsNonRoot` cannot be kept.
 */
export function containerSecurity(
  pod: NodePod,
  container: PodContainer,
  image: Pick<Image, 'uid' | 'username'> | undefined,
  options: SecurityOptions & { readonly targetId?: string },
): Input<LinuxContainerSecurityContext> {
  const own = container.securityContext;
  const all = pod.spec?.securityContext;
  const runAsUser = own?.runAsUser ?? all?.runAsUser;
  const runAsGroup = own?.runAsGroup ?? all?.runAsGroup;
  const user = runAsUser === undefined ? imageUser(image) : { uid: Number(runAsUser) };
  if (own?.runAsNonRoot ?? all?.runAsNonRoot) checkNonRoot(pod, container, runAsUser !== undefined, user);
  const unmasked = own?.procMount === 'Unmasked';
  const namespaces = namespaceOptions(pod, options.userNamespace);
  const seLinux = own?.seLinuxOptions ?? all?.seLinuxOptions;
  return {
    namespaceOptions: options.targetId ? { ...namespaces, pid: 'TARGET', targetId: options.targetId } : namespaces,
    privileged: own?.privileged ?? false,
    readonlyRootfs: own?.readOnlyRootFilesystem ?? false,
    noNewPrivs: own?.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : MASKED_PATHS,
    readonlyPaths: unmasked ? [] : READONLY_PATHS,
    supplementalGroups: groups(pod),
    supplementalGroupsPolicy: all?.supplementalGroupsPolicy === 'Strict' ? 'Strict' : 'Merge',
    seccomp: own?.privileged
      ? { profileType: 'Unconfined' }
      : seccomp(own?.seccompProfile ?? all?.seccompProfile, options.seccompRoot),
    ...(own?.capabilities && {
      capabilities: {
        addCapabilities: [...(own.capabilities.add ?? [])],
        dropCapabilities: [...(own.capabilities.drop ?? [])],
      },
    }),
    ...('uid' in user ? { runAsUser: { value: user.uid } } : { runAsUsername: user.name }),
    ...(runAsGroup !== undefined && { runAsGroup: { value: Number(runAsGroup) } }),
    ...(seLinux && { selinuxOptions: { ...seLinux } }),
  };
}

type User = { readonly uid: number } | { readonly name: string };

function imageUser(image: Pick<Image, 'uid' | 'username'> | undefined): User {
  if (image?.uid) return { uid: image.uid.value };
  return image?.username ? { name: image.username } : { uid: 0 };
}

function checkNonRoot(pod: NodePod, container: PodContainer, said: boolean, user: User): void {
  const where = `(pod: "${describePod(pod)}", container: ${container.name})`;
  if (!('uid' in user)) {
    const name = `container has runAsNonRoot and image has non-numeric user (${user.name})`;
    throw new ConfigError(`${name}, cannot verify user is non-root ${where}`);
  }
  if (user.uid !== 0) return;
  throw new ConfigError(
    said
      ? `container's runAsUser breaks non-root policy ${where}`
      : `container has runAsNonRoot and image will run as root ${where}`,
  );
}
