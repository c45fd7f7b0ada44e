/** How messages show a whole pod spec: as the API server holds it, where the host's namespaces are part of the security context. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import { internalForm } from '../../../meta/internal-form.ts';
import { builtinSchema } from '../../../schema/builtin.ts';
import type { PodSpec } from '../../../types/core/v1.generated.ts';

const SPEC_ORDER: readonly string[] = [
  'Volumes',
  'InitContainers',
  'Containers',
  'EphemeralContainers',
  'RestartPolicy',
  'TerminationGracePeriodSeconds',
  'ActiveDeadlineSeconds',
  'DNSPolicy',
  'NodeSelector',
  'ServiceAccountName',
  'AutomountServiceAccountToken',
  'NodeName',
  'SecurityContext',
  'ImagePullSecrets',
  'Hostname',
  'Subdomain',
  'SetHostnameAsFQDN',
  'Affinity',
  'SchedulerName',
  'Tolerations',
  'HostAliases',
  'PriorityClassName',
  'Priority',
  'PreemptionPolicy',
  'DNSConfig',
  'ReadinessGates',
  'RuntimeClassName',
  'Overhead',
  'EnableServiceLinks',
  'TopologySpreadConstraints',
  'OS',
  'SchedulingGates',
  'ResourceClaims',
  'Resources',
  'HostnameOverride',
  'SchedulingGroup',
];
const SECURITY_ORDER: readonly string[] = [
  'SELinuxOptions',
  'WindowsOptions',
  'RunAsUser',
  'RunAsGroup',
  'RunAsNonRoot',
  'SupplementalGroups',
  'SupplementalGroupsPolicy',
  'FSGroup',
  'FSGroupChangePolicy',
  'Sysctls',
  'SeccompProfile',
  'AppArmorProfile',
  'SELinuxChangePolicy',
];

export function internalPodSpec(spec: DeepReadonly<PodSpec>): Record<string, unknown> {
  const flat = internalForm('core.v1.PodSpec', spec, { 'core.v1.Volume': volumeOrder() });
  const security = internalForm('core.v1.PodSecurityContext', spec.securityContext);
  const host = {
    HostNetwork: flat['HostNetwork'],
    HostPID: flat['HostPID'],
    HostIPC: flat['HostIPC'],
    ShareProcessNamespace: flat['ShareProcessNamespace'],
    HostUsers: flat['HostUsers'],
  };
  flat['SecurityContext'] = spec.securityContext ? { ...host, ...picked(security, SECURITY_ORDER) } : null;
  return picked(flat, SPEC_ORDER);
}

/** Of the sources of volumes one stands elsewhere. */
function volumeOrder(): readonly string[] {
  const names = builtinSchema()
    .get('core.v1.Volume')
    .fields.map(({ name }) => name)
    .filter((name) => name !== 'quobyte');
  return names.toSpliced(names.indexOf('rbd') + 1, 0, 'quobyte');
}

const picked = (form: Readonly<Record<string, unknown>>, order: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(order.map((name) => [name, form[name] ?? null]));
