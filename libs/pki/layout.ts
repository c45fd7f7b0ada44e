/**
 * The credentials of a cluster and where they lie. Names are those that kubeadm uses, where it has them, so that whoever
 * knows a kubeadm cluster finds their way. All files are PEM, mode 0600, in `<dir>/pki`, mode 0700.
 *
 * | files                          | what                                                                       |
 * | ------------------------------ | -------------------------------------------------------------------------- |
 * | `ca.crt` `ca.key`              | the cluster's authority: everything below that is not said otherwise        |
 * | `apiserver.crt` `.key`         | what the API server shows to its clients                                    |
 * | `apiserver-kubelet-client.*`   | as whom the API server speaks to kubelets (logs, exec)                      |
 * | `front-proxy-ca.*`             | the authority of the aggregation layer: whom extension servers believe      |
 * | `front-proxy-client.*`         | as whom the API server speaks to extension servers (issued by the former)   |
 * | `sa.key` `sa.pub`              | signs service account tokens                                                |
 * | `admin.*`                      | the user `admin`, group `system:masters`                         |
 * | `controller-manager.*`         | the user `system:kube-controller-manager`                                   |
 * | `scheduler.*`                  | the user `system:kube-scheduler`                                            |
 * | `kube-proxy.*`                 | the user `system:kube-proxy`                                                |
 * | `kubelet.*`                    | the user `system:node:<name>`, group `system:nodes`, where there is a node  |
 *
 * A backup of the cluster needs `ca.*`, `front-proxy-ca.*` and `sa.key`; all the rest is made anew.
 */
import type { CertificateRequest, Subject, SubjectNames } from '../base/keys.ts';

/** What a leaf certificate of the cluster is to say. */
export interface LeafSpec {
  /** Names the files: `<name>.crt` and `<name>.key`. */
  readonly name: string;
  readonly authority: 'ca' | 'front-proxy-ca';
  readonly subject: Subject;
  readonly names?: SubjectNames;
  readonly usages: CertificateRequest['usages'];
}

export interface LeafNames {
  /** Makes the kubelet's certificate; undefined: no node here. */
  readonly nodeName?: string;
  /** How clients on other machines reach the API server: host names and addresses, beside the standard ones. */
  readonly names?: SubjectNames;
  /** The first address of each service range. */
  readonly serviceIps?: readonly string[];
  /** The suffix of service names. */
  readonly dnsDomain?: string;
}

const CLIENT = ['digital signature', 'key encipherment', 'client auth'] as const;
const SERVER = ['digital signature', 'key encipherment', 'server auth'] as const;

export function leafSpecs({
  nodeName,
  names,
  serviceIps = ['10.96.0.1'],
  dnsDomain = 'cluster.local',
}: LeafNames): LeafSpec[] {
  const client = (name: string, commonName: string, ...organizations: string[]): LeafSpec => ({
    name,
    authority: 'ca',
    subject: organizations.length > 0 ? { commonName, organizations } : { commonName },
    usages: CLIENT,
  });
  const service = 'kubernetes.default';
  return [
    {
      name: 'apiserver',
      authority: 'ca',
      subject: { commonName: 'kube-apiserver' },
      names: {
        dns: unique(['kubernetes', service, `${service}.svc`, `${service}.svc.${dnsDomain}`, 'localhost'], names?.dns),
        ip: unique(['127.0.0.1', '::1'], serviceIps, names?.ip),
      },
      usages: SERVER,
    },
    client('apiserver-kubelet-client', 'kube-apiserver-kubelet-client', 'system:masters'),
    { ...client('front-proxy-client', 'front-proxy-client'), authority: 'front-proxy-ca' },
    client('admin', 'admin', 'system:masters'),
    client('controller-manager', 'system:kube-controller-manager'),
    client('scheduler', 'system:kube-scheduler'),
    client('kube-proxy', 'system:kube-proxy'),
    ...(nodeName === undefined ? [] : [client('kubelet', `system:node:${nodeName}`, 'system:nodes')]),
  ];
}

const unique = (...lists: readonly (readonly string[] | undefined)[]): string[] => [
  ...new Set(lists.flatMap((list) => list ?? [])),
];
