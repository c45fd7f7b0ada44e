/** Objects that a server takes, one for each kind with rules of its own: what is changed a little gets far. */

const pod = { containers: [{ name: 'a', image: 'registry.example/app:1', ports: [{ containerPort: 80 }] }] };
const template = { metadata: { labels: { app: 'a' } }, spec: pod };
const selector = { matchLabels: { app: 'a' } };

/** By resource; apiVersion, kind and names are added by who uses them. */
export const TEMPLATES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = Object.freeze({
  pods: { spec: pod },
  deployments: { spec: { replicas: 1, selector, template } },
  replicasets: { spec: { replicas: 1, selector, template } },
  statefulsets: { spec: { serviceName: 's', selector, template } },
  daemonsets: { spec: { selector, template } },
  jobs: { spec: { template: { spec: { ...pod, restartPolicy: 'Never' } } } },
  cronjobs: {
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template: { spec: { ...pod, restartPolicy: 'Never' } } } } },
  },
  services: { spec: { selector: { app: 'a' }, type: 'NodePort', ports: [{ port: 80, targetPort: 'http' }] } },
  configmaps: { data: { k: 'v' }, binaryData: { b: 'AAAA' } },
  secrets: { stringData: { k: 'v' }, type: 'Opaque' },
  serviceaccounts: {},
  persistentvolumeclaims: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  persistentvolumes: {
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } },
  },
  horizontalpodautoscalers: {
    spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } },
  },
  ingresses: { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
  networkpolicies: { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
  poddisruptionbudgets: { spec: { minAvailable: 1, selector } },
  roles: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  clusterroles: { rules: [{ nonResourceURLs: ['/x'], verbs: ['get'] }] },
  rolebindings: {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'a' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
  },
  resourcequotas: { spec: { hard: { pods: '1000' } } },
  limitranges: { spec: { limits: [{ type: 'Container', default: { cpu: '1' } }] } },
  storageclasses: { provisioner: 'd.example.com' },
  priorityclasses: { value: 100 },
  leases: { spec: { holderIdentity: 'a', leaseDurationSeconds: 10 } },
  nodes: { spec: { podCIDR: '10.0.0.0/24' }, status: { capacity: { cpu: '1' } } },
  endpointslices: { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] },
  endpoints: { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
  events: {
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
    reason: 'R',
    message: 'm',
    type: 'Normal',
  },
  customresourcedefinitions: {
    metadata: { name: 'things.fuzz.example.com' },
    spec: {
      group: 'fuzz.example.com',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {}, scale: { specReplicasPath: '.spec.n', statusReplicasPath: '.status.n' } },
          additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    n: { type: 'integer', default: 1, minimum: 0 },
                    list: {
                      type: 'array',
                      items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
                      'x-kubernetes-list-type': 'map',
                      'x-kubernetes-list-map-keys': ['k'],
                    },
                    any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                    q: { 'x-kubernetes-int-or-string': true },
                  },
                  'x-kubernetes-validations': [{ rule: '!has(self.n) || self.n < 1000', message: 'too many' }],
                },
                status: { type: 'object', properties: { n: { type: 'integer' } } },
              },
            },
          },
        },
      ],
    },
  },
  things: { spec: { n: 2, list: [{ k: 'a' }], any: { x: [1] }, q: '50%' } },
  selfsubjectaccessreviews: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
  tokenreviews: { spec: { token: 'x' } },
  certificatesigningrequests: {
    spec: { request: 'AAAA', signerName: 'example.com/x', usages: ['digital signature'] },
  },
});
