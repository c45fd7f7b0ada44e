/**
 * The roles and bindings that every cluster has (API concept "Default roles and role bindings"), in a short form:
 *
 *     'get list watch | core apps | pods deployments | some-name'      verbs | groups | resources | names
 *     'get : /healthz /livez'                                          verbs : paths
 *     'group system:masters', 'user system:kube-scheduler', 'sa kube-system/job-controller'
 */

export interface BootstrapRole {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly rules?: readonly string[];
  /** Labels whose roles make up this one. */
  readonly aggregates?: readonly string[];
}

export interface BootstrapBinding {
  readonly name: string;
  readonly namespace?: string;
  /** A ClusterRole, or `role/<name>` of the binding's namespace. */
  readonly role: string;
  readonly subjects: readonly string[];
}

export const clusterRoles: readonly BootstrapRole[] = [
  { name: 'admin', aggregates: ['rbac.authorization.k8s.io/aggregate-to-admin'] },
  { name: 'cluster-admin', rules: ['* | * | *', '* : *'] },
  {
    name: 'edit',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' },
    aggregates: ['rbac.authorization.k8s.io/aggregate-to-edit'],
  },
  {
    name: 'system:aggregate-to-admin',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' },
    rules: [
      'create | authorization.k8s.io | localsubjectaccessreviews',
      'create delete deletecollection get list patch update watch | rbac.authorization.k8s.io | rolebindings roles',
    ],
  },
  {
    name: 'system:aggregate-to-edit',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' },
    rules: [
      'get list watch | core | pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy',
      'impersonate | core | serviceaccounts',
      'create delete deletecollection patch update | core | pods pods/attach pods/exec pods/portforward pods/proxy',
      'create | core | pods/eviction',
      'create delete deletecollection patch update | core | configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
      'create | core | serviceaccounts/token',
      'create delete deletecollection patch update | core events.k8s.io | events',
      'create delete deletecollection patch update | apps | daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
      'create delete deletecollection patch update | autoscaling | horizontalpodautoscalers',
      'create delete deletecollection patch update | batch | cronjobs jobs',
      'create delete deletecollection patch update | extensions | daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale',
      'create delete deletecollection patch update | policy | poddisruptionbudgets',
      'create delete deletecollection patch update | networking.k8s.io | ingresses networkpolicies',
      'create delete deletecollection get list patch update watch | coordination.k8s.io | leases',
      'create delete deletecollection patch update | resource.k8s.io | resourceclaims resourceclaimtemplates',
    ],
  },
  {
    name: 'system:aggregate-to-view',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' },
    rules: [
      'get list watch | core | configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
      'get list watch | core | bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
      'get list watch | core | namespaces',
      'get list watch | core events.k8s.io | events',
      'get list watch | discovery.k8s.io | endpointslices',
      'get list watch | apps | controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
      'get list watch | autoscaling | horizontalpodautoscalers horizontalpodautoscalers/status',
      'get list watch | batch | cronjobs cronjobs/status jobs jobs/status',
      'get list watch | extensions | daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale',
      'get list watch | policy | poddisruptionbudgets poddisruptionbudgets/status',
      'get list watch | networking.k8s.io | ingresses ingresses/status networkpolicies',
      'get list watch | resource.k8s.io | resourceclaims resourceclaims/status resourceclaimtemplates',
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: ['create | authentication.k8s.io | tokenreviews', 'create | authorization.k8s.io | subjectaccessreviews'],
  },
  {
    name: 'system:basic-user',
    rules: [
      'create | authorization.k8s.io | selfsubjectaccessreviews selfsubjectrulesreviews',
      'create | authentication.k8s.io | selfsubjectreviews',
    ],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    rules: ['create | certificates.k8s.io | certificatesigningrequests/nodeclient'],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    rules: ['create | certificates.k8s.io | certificatesigningrequests/selfnodeclient'],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-approver',
    rules: ['approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client'],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver',
    rules: ['approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet'],
  },
  {
    name: 'system:certificates.k8s.io:kubelet-serving-approver',
    rules: ['approve | certificates.k8s.io | signers | kubernetes.io/kubelet-serving'],
  },
  {
    name: 'system:certificates.k8s.io:legacy-unknown-approver',
    rules: ['approve | certificates.k8s.io | signers | kubernetes.io/legacy-unknown'],
  },
  {
    name: 'system:controller:attachdetach-controller',
    rules: [
      'list watch | core | persistentvolumeclaims persistentvolumes',
      'get list watch | core | nodes',
      'patch update | core | nodes/status',
      'list watch | core | pods',
      'create patch update | core events.k8s.io | events',
      'create delete get list watch | storage.k8s.io | volumeattachments',
      'get list watch | storage.k8s.io | csidrivers',
      'get list watch | storage.k8s.io | csinodes',
    ],
  },
  {
    name: 'system:controller:certificate-controller',
    rules: [
      'delete get list watch | certificates.k8s.io | certificatesigningrequests',
      'update | certificates.k8s.io | certificatesigningrequests/approval certificatesigningrequests/status',
      'approve | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client-kubelet',
      'sign | certificates.k8s.io | signers | kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown',
      'create | authorization.k8s.io | subjectaccessreviews',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:clusterrole-aggregation-controller',
    rules: ['escalate get list patch update watch | rbac.authorization.k8s.io | clusterroles'],
  },
  {
    name: 'system:controller:cronjob-controller',
    rules: [
      'get list update watch | batch | cronjobs',
      'create delete get list patch update watch | batch | jobs',
      'update | batch | cronjobs/status',
      'update | batch | cronjobs/finalizers',
      'delete list watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:daemon-set-controller',
    rules: [
      'get list watch | apps extensions | daemonsets',
      'update | apps extensions | daemonsets/status',
      'update | apps extensions | daemonsets/finalizers',
      'list watch | core | nodes',
      'create delete list patch watch | core | pods',
      'create | core | pods/binding',
      'create delete get list patch update watch | apps | controllerrevisions',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:deployment-controller',
    rules: [
      'get list update watch | apps extensions | deployments',
      'update | apps extensions | deployments/status',
      'update | apps extensions | deployments/finalizers',
      'create delete get list patch update watch | apps extensions | replicasets',
      'get list update watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:device-taint-eviction-controller',
    rules: [
      'delete get list watch | core | pods',
      'patch update | core | pods/status',
      'get list watch | resource.k8s.io | resourceclaims',
      'get list watch | resource.k8s.io | resourceslices',
      'get list watch | resource.k8s.io | deviceclasses',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:disruption-controller',
    rules: [
      'get list watch | apps extensions | deployments',
      'get list watch | apps extensions | replicasets',
      'get list watch | core | replicationcontrollers',
      'get list watch | policy | poddisruptionbudgets',
      'get list watch | apps | statefulsets',
      'update | policy | poddisruptionbudgets/status',
      'patch update | core | pods/status',
      'get | * | */scale',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:endpoint-controller',
    rules: [
      'get list watch | core | pods services',
      'create delete get list update watch | core | endpoints',
      'create | core | endpoints/restricted',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:endpointslice-controller',
    rules: [
      'get list watch | core | nodes pods services',
      'update | core | services/finalizers',
      'create delete get list update watch | discovery.k8s.io | endpointslices',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:endpointslicemirroring-controller',
    rules: [
      'get list watch | core | endpoints services',
      'update | core | services/finalizers',
      'update | core | endpoints/finalizers',
      'create delete get list update watch | discovery.k8s.io | endpointslices',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:ephemeral-volume-controller',
    rules: [
      'get list watch | core | pods',
      'update | core | pods/finalizers',
      'create get list watch | core | persistentvolumeclaims',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:expand-controller',
    rules: [
      'get list patch update watch | core | persistentvolumes',
      'patch update | core | persistentvolumeclaims/status',
      'get list watch | core | persistentvolumeclaims',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:generic-garbage-collector',
    rules: ['delete get list patch update watch | * | *', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:horizontal-pod-autoscaler',
    rules: [
      'get list watch | autoscaling | horizontalpodautoscalers',
      'update | autoscaling | horizontalpodautoscalers/status',
      'get update | * | */scale',
      'list watch | core | pods',
      'list watch | metrics.k8s.io | pods',
      'get list watch | custom.metrics.k8s.io | *',
      'get list watch | external.metrics.k8s.io | *',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:job-controller',
    rules: [
      'get list patch update watch | batch | jobs',
      'update | batch | jobs/status',
      'update | batch | jobs/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:legacy-service-account-token-cleaner',
    rules: [
      'get | core | configmaps | kube-apiserver-legacy-service-account-token-tracking',
      'delete patch | core | secrets',
    ],
  },
  {
    name: 'system:controller:namespace-controller',
    rules: [
      'delete get list watch | core | namespaces',
      'update | core | namespaces/finalize namespaces/status',
      'delete deletecollection get list watch | * | *',
    ],
  },
  {
    name: 'system:controller:node-controller',
    rules: [
      'delete get list patch update watch | core | nodes',
      'patch update | core | nodes/status',
      'patch update | core | pods/status',
      'delete get list watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:persistent-volume-binder',
    rules: [
      'create delete get list update watch | core | persistentvolumes',
      'update | core | persistentvolumes/status',
      'get list update watch | core | persistentvolumeclaims',
      'update | core | persistentvolumeclaims/status',
      'create delete get list watch | core | pods',
      'get list watch | storage.k8s.io | storageclasses',
      'list watch | core | nodes',
      'create patch update | core events.k8s.io | events',
      'watch | core | events',
    ],
  },
  {
    name: 'system:controller:pod-garbage-collector',
    rules: ['delete list watch | core | pods', 'get list watch | core | nodes', 'patch | core | pods/status'],
  },
  {
    name: 'system:controller:pv-protection-controller',
    rules: ['get list update watch | core | persistentvolumes', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:pvc-protection-controller',
    rules: [
      'get list update watch | core | persistentvolumeclaims',
      'update | core | persistentvolumeclaims/status',
      'get list watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:replicaset-controller',
    rules: [
      'get list update watch | apps extensions | replicasets',
      'update | apps extensions | replicasets/status',
      'update | apps extensions | replicasets/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:replication-controller',
    rules: [
      'get list update watch | core | replicationcontrollers',
      'update | core | replicationcontrollers/status',
      'update | core | replicationcontrollers/finalizers',
      'create delete list patch watch | core | pods',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:resource-claim-controller',
    rules: [
      'get list watch | core | pods',
      'update | core | pods/finalizers',
      'create delete get list watch | resource.k8s.io | resourceclaims',
      'patch update | resource.k8s.io | resourceclaims resourceclaims/status',
      'patch update | core | pods/status',
      'create patch update | core events.k8s.io | events',
      'patch update | resource.k8s.io | resourceclaims/binding',
    ],
  },
  {
    name: 'system:controller:resourcequota-controller',
    rules: [
      'list watch | * | *',
      'update | core | resourcequotas/status',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:root-ca-cert-publisher',
    rules: ['create update | core | configmaps', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:route-controller',
    rules: [
      'list watch | core | nodes',
      'patch | core | nodes/status',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:selinux-warning-controller',
    rules: [
      'create patch update | core events.k8s.io | events',
      'get list watch | core | persistentvolumes',
      'get list watch | core | persistentvolumeclaims',
      'get list watch | core | pods',
      'get list watch | storage.k8s.io | csidrivers',
    ],
  },
  {
    name: 'system:controller:service-account-controller',
    rules: ['create | core | serviceaccounts', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:service-cidrs-controller',
    rules: [
      'get list patch update watch | networking.k8s.io | servicecidrs',
      'patch update | networking.k8s.io | servicecidrs/finalizers',
      'patch update | networking.k8s.io | servicecidrs/status',
      'get list watch | networking.k8s.io | ipaddresses',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:service-controller',
    rules: [
      'get list watch | core | services',
      'patch update | core | services/status',
      'list watch | core | nodes',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:statefulset-controller',
    rules: [
      'list watch | core | pods',
      'get list watch | apps | statefulsets',
      'update | apps | statefulsets/status',
      'update | apps | statefulsets/finalizers',
      'create delete get patch update | core | pods',
      'create delete get list patch update watch | apps | controllerrevisions',
      'create get list watch | core | persistentvolumeclaims',
      'delete update | core | persistentvolumeclaims',
      'update | core | pods/finalizers',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:ttl-after-finished-controller',
    rules: ['delete get list watch | batch | jobs', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:ttl-controller',
    rules: ['list patch update watch | core | nodes', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:controller:validatingadmissionpolicy-status-controller',
    rules: [
      'get list watch | admissionregistration.k8s.io | validatingadmissionpolicies',
      'get patch update | admissionregistration.k8s.io | validatingadmissionpolicies/status',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:controller:volumeattributesclass-protection-controller',
    rules: [
      'get list watch | core | persistentvolumeclaims',
      'get list watch | core | persistentvolumes',
      'get list update watch | storage.k8s.io | volumeattributesclasses',
      'create patch update | core events.k8s.io | events',
    ],
  },
  {
    name: 'system:discovery',
    rules: ['get : /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'],
  },
  {
    name: 'system:heapster',
    rules: ['get list watch | core | events namespaces nodes pods', 'get list watch | extensions | deployments'],
  },
  { name: 'system:kube-aggregator', rules: ['get list watch | core | endpoints services'] },
  {
    name: 'system:kube-controller-manager',
    rules: [
      'create patch update | core events.k8s.io | events',
      'create | coordination.k8s.io | leases',
      'get update | coordination.k8s.io | leases | kube-controller-manager',
      'create | core | secrets serviceaccounts',
      'delete | core | secrets',
      'get | core | configmaps namespaces secrets serviceaccounts',
      'update | core | secrets serviceaccounts',
      'create | authentication.k8s.io | tokenreviews',
      'create | authorization.k8s.io | subjectaccessreviews',
      'list watch | * | *',
      'create | core | serviceaccounts/token',
    ],
  },
  { name: 'system:kube-dns', rules: ['list watch | core | endpoints services'] },
  {
    name: 'system:kube-scheduler',
    rules: [
      'create patch update | core events.k8s.io | events',
      'create | coordination.k8s.io | leases',
      'get list update watch | coordination.k8s.io | leases | kube-scheduler',
      'create delete deletecollection get list patch update watch | coordination.k8s.io | leasecandidates',
      'get list watch | core | nodes',
      'delete get list watch | core | pods',
      'create | core | bindings pods/binding',
      'patch update | core | pods/status',
      'get list watch | core | replicationcontrollers services',
      'get list watch | apps extensions | replicasets',
      'get list watch | apps | statefulsets',
      'get list watch | policy | poddisruptionbudgets',
      'get list watch | core | persistentvolumeclaims persistentvolumes',
      'create | authentication.k8s.io | tokenreviews',
      'create | authorization.k8s.io | subjectaccessreviews',
      'get list watch | storage.k8s.io | csinodes',
      'get list watch | storage.k8s.io | volumeattachments',
      'get list watch | core | namespaces',
      'get list watch | storage.k8s.io | csidrivers',
      'get list watch | storage.k8s.io | csistoragecapacities',
      'get list watch | resource.k8s.io | deviceclasses',
      'get list patch update watch | resource.k8s.io | resourceclaims',
      'get list patch update watch | resource.k8s.io | resourceclaims/status',
      'update | core | pods/finalizers',
      'get list watch | resource.k8s.io | resourceslices',
      'create delete | resource.k8s.io | resourceclaims',
      'patch update | resource.k8s.io | resourceclaims/binding',
    ],
  },
  {
    name: 'system:kubelet-api-admin',
    rules: [
      'get list watch | core | nodes',
      'proxy | core | nodes',
      '* | core | nodes/log nodes/metrics nodes/proxy nodes/stats',
      '* | core | nodes/configz nodes/healthz nodes/pods',
    ],
  },
  {
    name: 'system:monitoring',
    rules: [
      'get : /flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz',
      'get | core | nodes/metrics',
    ],
  },
  {
    name: 'system:node',
    rules: [
      'create | authentication.k8s.io | tokenreviews',
      'create | authorization.k8s.io | localsubjectaccessreviews subjectaccessreviews',
      'get list watch | core | services',
      'create get list watch | core | nodes',
      'patch update | core | nodes/status',
      'patch update | core | nodes',
      'create patch update | core events.k8s.io | events',
      'get list watch | core | pods',
      'create delete | core | pods',
      'patch update | core | pods/status',
      'create | core | pods/eviction',
      'get list watch | core | configmaps secrets',
      'get | core | persistentvolumeclaims persistentvolumes',
      'get | core | endpoints',
      'create get list watch | certificates.k8s.io | certificatesigningrequests',
      'create delete get patch update | coordination.k8s.io | leases',
      'get | storage.k8s.io | volumeattachments',
      'create | core | serviceaccounts/token',
      'get patch update | core | persistentvolumeclaims/status',
      'get list watch | storage.k8s.io | csidrivers',
      'create delete get patch update | storage.k8s.io | csinodes',
      'get list watch | node.k8s.io | runtimeclasses',
      'get | resource.k8s.io | resourceclaims',
      'deletecollection | resource.k8s.io | resourceslices',
      'get | core | serviceaccounts',
    ],
  },
  {
    name: 'system:node-bootstrapper',
    rules: ['create get list watch | certificates.k8s.io | certificatesigningrequests'],
  },
  {
    name: 'system:node-problem-detector',
    rules: ['get | core | nodes', 'patch | core | nodes/status', 'create patch update | core events.k8s.io | events'],
  },
  {
    name: 'system:node-proxier',
    rules: [
      'list watch | core | endpoints services',
      'get list watch | core | nodes',
      'create patch update | core events.k8s.io | events',
      'list watch | networking.k8s.io | servicecidrs',
      'list watch | discovery.k8s.io | endpointslices',
    ],
  },
  {
    name: 'system:persistent-volume-provisioner',
    rules: [
      'create delete get list watch | core | persistentvolumes',
      'get list update watch | core | persistentvolumeclaims',
      'get list watch | storage.k8s.io | storageclasses',
      'watch | core | events',
      'create patch update | core events.k8s.io | events',
    ],
  },
  { name: 'system:public-info-viewer', rules: ['get : /healthz /livez /readyz /version /version/'] },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      'get : /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
    ],
  },
  {
    name: 'system:volume-scheduler',
    rules: [
      'get list patch update watch | core | persistentvolumes',
      'get list watch | storage.k8s.io | storageclasses',
      'get list patch update watch | core | persistentvolumeclaims',
    ],
  },
  {
    name: 'view',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' },
    aggregates: ['rbac.authorization.k8s.io/aggregate-to-view'],
  },
];
