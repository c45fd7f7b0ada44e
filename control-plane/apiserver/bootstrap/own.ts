/**
 * What a cluster of Tutti's has beside what every API server makes: the rights by which nodes join with a bootstrap
 * token (upstream leaves them to kubeadm), those of parts that are Tutti's alone, and the `cluster-info` that tells who
 * the cluster is before one has a certificate.
 */
import { configMaps } from '../../../api/resources.ts';
import { encodeBase64 } from '../../../libs/base/base64.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { encodeYaml } from '../../../libs/machinery/codec/yaml.ts';
import type { BootstrapBinding, BootstrapRole } from './cluster-roles.ts';
import { type Wanted, wanted } from './wanted.ts';

/** The group of nodes that join: what bootstrap tokens for nodes say in `auth-extra-groups`. */
export const JOINING_GROUP = 'system:bootstrappers:tutti:default-node-token';

export const ownClusterRoles: readonly BootstrapRole[] = [
  { name: 'tutti:get-nodes', rules: ['get | core | nodes'] },
  {
    name: 'tutti:kubelet-serving-approver',
    rules: [
      'get list watch | certificates.k8s.io | certificatesigningrequests',
      'update | certificates.k8s.io | certificatesigningrequests/approval',
      'approve | certificates.k8s.io | signers | kubernetes.io/kubelet-serving',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'tutti:local-path-provisioner',
    rules: ['get list watch | core | nodes', 'create | storage.k8s.io | storageclasses'],
  },
  {
    name: 'tutti:local-path-node',
    rules: ['list watch | core | persistentvolumes', 'get | core | namespaces | kube-system'],
  },
  {
    name: 'tutti:node-dns',
    rules: ['list watch | core | namespaces services', 'list watch | discovery.k8s.io | endpointslices'],
  },
];

export const ownClusterRoleBindings: readonly BootstrapBinding[] = [
  { name: 'tutti:kubelet-bootstrap', role: 'system:node-bootstrapper', subjects: [`group ${JOINING_GROUP}`] },
  {
    name: 'tutti:node-autoapprove-bootstrap',
    role: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    subjects: [`group ${JOINING_GROUP}`],
  },
  {
    name: 'tutti:node-autoapprove-certificate-rotation',
    role: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    subjects: ['group system:nodes'],
  },
  { name: 'tutti:get-nodes', role: 'tutti:get-nodes', subjects: [`group ${JOINING_GROUP}`] },
  {
    name: 'tutti:kubelet-serving-approver',
    role: 'tutti:kubelet-serving-approver',
    subjects: ['sa kube-system/kubelet-serving-approver'],
  },
  {
    name: 'tutti:persistent-volume-provisioner',
    role: 'system:persistent-volume-provisioner',
    subjects: ['sa kube-system/local-path-provisioner'],
  },
  {
    name: 'tutti:local-path-provisioner',
    role: 'tutti:local-path-provisioner',
    subjects: ['sa kube-system/local-path-provisioner'],
  },
  { name: 'tutti:local-path-node', role: 'tutti:local-path-node', subjects: ['group system:nodes'] },
  // Nodes that joined bring Services and DNS along as themselves.
  { name: 'tutti:node-proxier', role: 'system:node-proxier', subjects: ['group system:nodes'] },
  { name: 'tutti:node-dns', role: 'tutti:node-dns', subjects: ['group system:nodes'] },
];

export const ownRoles: readonly BootstrapRole[] = [
  { name: 'tutti:cluster-info', namespace: 'kube-public', rules: ['get | core | configmaps | cluster-info'] },
  { name: 'tutti:node-config', namespace: 'kube-system', rules: ['get | core | configmaps | tutti-node-config'] },
];

export const ownRoleBindings: readonly BootstrapBinding[] = [
  {
    name: 'tutti:cluster-info',
    namespace: 'kube-public',
    role: 'role/tutti:cluster-info',
    subjects: ['user system:anonymous'],
  },
  {
    name: 'tutti:node-config',
    namespace: 'kube-system',
    role: 'role/tutti:node-config',
    subjects: ['group system:nodes', `group ${JOINING_GROUP}`],
  },
];

/** Where the cluster is and whom to trust, for who has nothing but a token. The bootstrap signer signs it. */
export function clusterInfo(server: string, authorityPem: string): Wanted {
  const authority = encodeBase64(authorityPem);
  const kubeconfig = encodeYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: '', cluster: { server, 'certificate-authority-data': authority } }],
    contexts: [],
    'current-context': '',
    users: [],
  });
  const repair = (draft: ApiObject & { data?: Record<string, string> }) => {
    if (draft.data?.kubeconfig === kubeconfig) return false;
    draft.data = { ...draft.data, kubeconfig };
    return true;
  };
  const object = { metadata: { name: 'cluster-info', namespace: 'kube-public' }, data: { kubeconfig } } as ApiObject;
  return wanted(configMaps, object, { repair });
}
