import type { Input } from '../../../libs/grpc/protobuf.ts';
import { podLogDirectory } from '../../cri/logs.ts';
import type { PodSandboxConfig, Protocol, UserNamespace } from '../../cri/schema.generated.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from '../pod/objects.ts';
import type { Resolver } from './dns.ts';
import { podDomain, podHostname } from './hostname.ts';
import { podLabels } from './labels.ts';
import { sandboxSecurity } from './security.ts';

export interface SandboxConfigOptions {
  readonly attempt: number;
  readonly podLogsDirectory: string;
  readonly resolver: Resolver;
  readonly clusterDomain: string;
  readonly cgroupParent: string;
  readonly seccompRoot: string;
  readonly userNamespace?: Input<UserNamespace> | undefined;
}

export function sandboxConfig(pod: NodePod, options: SandboxConfigOptions): Input<PodSandboxConfig> {
  const [name, namespace, uid] = [nameOf(pod), namespaceOf(pod), uidOf(pod)];
  const { spec, metadata } = pod;
  const hostname = podHostname(pod);
  const domain = podDomain(pod, options.clusterDomain);
  const fqdn = spec?.setHostnameAsFQDN && domain !== '' ? `${hostname}.${domain}` : hostname;
  const ports = (spec?.containers ?? []).flatMap(({ ports: all }) => all ?? []);
  return {
    metadata: { name, namespace, uid, attempt: options.attempt },
    // On the node's network the name is the node's; runtimes refuse another.
    hostname: spec?.hostNetwork ? '' : fqdn,
    logDirectory: podLogDirectory(options.podLogsDirectory, namespace, name, uid),
    dnsConfig: options.resolver,
    portMappings: spec?.hostNetwork
      ? []
      : ports.map(({ containerPort, hostPort, hostIP, protocol }) => ({
          protocol: (protocol ?? 'TCP') as Protocol,
          containerPort,
          hostPort: hostPort ?? 0,
          hostIp: hostIP ?? '',
        })),
    labels: { ...metadata?.labels, ...podLabels(pod) },
    annotations: { ...metadata?.annotations },
    linux: {
      cgroupParent: options.cgroupParent,
      securityContext: sandboxSecurity(pod, options),
      sysctls: Object.fromEntries((spec?.securityContext?.sysctls ?? []).map((one) => [one.name, one.value])),
    },
  };
}
