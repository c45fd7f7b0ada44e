import { type NodePod, nameOf, namespaceOf } from '../pod/objects.ts';

/** The name that the pod's processes see: 63 letters, as the kernel takes 64. */
export function podHostname(pod: NodePod): string {
  const { hostnameOverride, hostname } = pod.spec ?? {};
  if (hostnameOverride) return hostnameOverride;
  return (hostname || nameOf(pod)).slice(0, 63).replace(/[-.]+$/, '');
}

/** The pod's name in DNS, where its subdomain gives it one. */
export function podDomain(pod: NodePod, clusterDomain: string): string {
  const { subdomain, hostnameOverride } = pod.spec ?? {};
  return subdomain && !hostnameOverride ? `${subdomain}.${namespaceOf(pod)}.svc.${clusterDomain}` : '';
}

const HEADER = '# Kubernetes-managed hosts file.\n';
const LOCAL = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

/** The pod's `/etc/hosts`. `hostFile`: the node's, which pods on its network see. */
export function hostsFile(
  pod: NodePod,
  options: { readonly podIps: readonly string[]; readonly clusterDomain: string; readonly hostFile: string },
): string {
  const aliases = (pod.spec?.hostAliases ?? []).map(
    ({ ip, hostnames = [] }) => `${ip}\t${(hostnames ?? []).join('\t')}`,
  );
  const more = aliases.length > 0 ? `\n# Entries added by HostAliases.\n${aliases.join('\n')}\n` : '';
  if (pod.spec?.hostNetwork) {
    return `# Kubernetes-managed hosts file (host network).\n${options.hostFile}${more}`;
  }
  const hostname = podHostname(pod);
  const domain = podDomain(pod, options.clusterDomain);
  const names = domain === '' ? hostname : `${hostname}.${domain}\t${hostname}`;
  return `${HEADER}${[...LOCAL, ...options.podIps.map((ip) => `${ip}\t${names}`)].join('\n')}\n${more}`;
}
