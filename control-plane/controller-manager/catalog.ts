import { validatingAdmissionPolicyStatusController } from '../../api/admissionregistration/validatingadmissionpolicy/controller/controller.ts';
import { daemonSetController } from '../../api/apps/daemonset/controller/controller.ts';
import { deploymentController } from '../../api/apps/deployment/controller/controller.ts';
import { replicaSetController } from '../../api/apps/replicaset/controller/controller.ts';
import { statefulSetController } from '../../api/apps/statefulset/controller/controller.ts';
import { horizontalController } from '../../api/autoscaling/horizontalpodautoscaler/controller/controller.ts';
import { cronJobController } from '../../api/batch/cronjob/controller/controller.ts';
import { jobController } from '../../api/batch/job/controller/controller.ts';
import { orphanedJobPodsController } from '../../api/batch/job/controller/orphaned-pods.ts';
import { ttlAfterFinishedController } from '../../api/batch/job/controller/ttl-after-finished.ts';
import { csrApprovingController } from '../../api/certificates/certificatesigningrequest/controller/approving.ts';
import { csrCleanerController } from '../../api/certificates/certificatesigningrequest/controller/cleaning.ts';
import {
  type ServingApprovalSettings,
  servingApprovingController,
} from '../../api/certificates/certificatesigningrequest/controller/serving-approving.ts';
import {
  csrSigningController,
  type SigningSettings,
} from '../../api/certificates/certificatesigningrequest/controller/signing.ts';
import { rootCaController } from '../../api/core/configmap/controller/root-ca.ts';
import { endpointsController, orphanedEndpointsController } from '../../api/core/endpoints/controller/controller.ts';
import { type IpamSettings, nodeIpamController } from '../../api/core/node/controller/ipam.ts';
import { nodeLifecycleController } from '../../api/core/node/controller/lifecycle.ts';
import { taintEvictionController } from '../../api/core/node/controller/taint-eviction.ts';
import { nodeTtlController } from '../../api/core/node/controller/ttl.ts';
import { persistentVolumeBinder } from '../../api/core/persistentvolume/controller/bind.ts';
import { pvProtectionController } from '../../api/core/persistentvolume/controller/protection.ts';
import { ephemeralVolumeController } from '../../api/core/persistentvolumeclaim/controller/ephemeral.ts';
import { pvcProtectionController } from '../../api/core/persistentvolumeclaim/controller/protection.ts';
import { podGarbageController } from '../../api/core/pod/controller/pod-garbage.ts';
import { replicationControllerController } from '../../api/core/replicationcontroller/controller/controller.ts';
import { ResourceQuotaController } from '../../api/core/resourcequota/controller/controller.ts';
import { bootstrapSignerController } from '../../api/core/secret/controller/bootstrap-signer.ts';
import { tokenCleanerController } from '../../api/core/secret/controller/token-cleaner.ts';
import { loadBalancerController } from '../../api/core/service/controller/load-balancer.ts';
import { serviceAccountController } from '../../api/core/serviceaccount/controller/controller.ts';
import { type TokensSettings, tokensController } from '../../api/core/serviceaccount/controller/tokens.ts';
import {
  endpointSliceController,
  endpointSliceMirroringController,
} from '../../api/discovery/endpointslice/controller/controller.ts';
import { serviceCidrController } from '../../api/networking/servicecidr/controller/controller.ts';
import { disruptionController } from '../../api/policy/poddisruptionbudget/controller/controller.ts';
import { staleDisruptionController } from '../../api/policy/poddisruptionbudget/controller/stale-disruption.ts';
import { clusterRoleAggregationController } from '../../api/rbac/clusterrole/controller/aggregation.ts';
import { vacProtectionController } from '../../api/storage/volumeattributesclass/controller/protection.ts';
import { Controller, type RunningController } from '../../libs/client/controller.ts';
import type { ControllerEnvironment, PlannedAction, Reconciler } from '../../libs/kind/reconciler.ts';
import { GarbageCollector } from './garbage-collector/garbage-collector.ts';
import { namespaceController } from './namespace.ts';

/** A controller, and who it is. */
export interface CatalogEntry {
  readonly name: string;
  /** Makes it; it does nothing before `start`. */
  make(env: ControllerEnvironment): RunningController & { start(): void };
  /** Its service account in `kube-system`, whose role says what it may do; '' for the manager itself. */
  readonly account: string;
  /** Who its events say they are from; default: the account. */
  readonly source?: string;
}

const entry = <O, A extends PlannedAction>(
  reconciler: Reconciler<O, A>,
  account: string,
  source?: string,
): CatalogEntry => ({
  name: reconciler.name,
  make: (env) => new Controller(reconciler, env),
  account,
  ...(source ? { source } : {}),
});

/** What a cluster's controllers must be told. */
export interface ManagerSettings {
  /** The authority's certificate, which pods get as `kube-root-ca.crt`. Without it nothing is published. */
  readonly rootAuthorityPem?: string;
  /** How long a node may be silent; default 50 s. */
  readonly nodeMonitorGraceMs?: number;
  /** Where nodes' pod networks come from. Without it nodes get none. */
  readonly nodeIpam?: IpamSettings;
  /** Services of type LoadBalancer get the nodes' addresses. Without it somebody else gives them theirs. */
  readonly balanceOnNodes?: boolean;
  /** Fills Secrets of service accounts with tokens. Without it they stay empty. */
  readonly serviceAccountTokens?: TokensSettings;
  /** Signs what is approved for Kubernetes' own signers. Without it nothing is signed. */
  readonly signing?: SigningSettings;
  /** Approves serving certificates of kubelets. Without it that is an administrator's, as upstream. */
  readonly servingApproval?: ServingApprovalSettings;
}

/** Every controller, under upstream's accounts; those left out whose settings are not there. */
export function controllersOf(settings: ManagerSettings): readonly CatalogEntry[] {
  return [
    entry(replicaSetController, 'replicaset-controller'),
    entry(replicationControllerController, 'replication-controller'),
    entry(deploymentController, 'deployment-controller'),
    entry(daemonSetController, 'daemon-set-controller', 'daemonset-controller'),
    entry(statefulSetController, 'statefulset-controller'),
    entry(jobController, 'job-controller'),
    entry(orphanedJobPodsController, 'job-controller'),
    entry(cronJobController(), 'cronjob-controller'),
    entry(ttlAfterFinishedController, 'ttl-after-finished-controller'),
    {
      name: 'resourcequota',
      make: (env) => new ResourceQuotaController(env),
      account: 'resourcequota-controller',
    },
    entry(podGarbageController(), 'pod-garbage-collector'),
    entry(horizontalController(), 'horizontal-pod-autoscaler'),
    entry(disruptionController, 'disruption-controller', 'controllermanager'),
    entry(staleDisruptionController, 'disruption-controller', 'controllermanager'),
    entry(endpointsController(), 'endpoint-controller'),
    entry(orphanedEndpointsController, 'endpoint-controller'),
    entry(endpointSliceController(), 'endpointslice-controller', 'endpoint-slice-controller'),
    entry(endpointSliceMirroringController, 'endpointslicemirroring-controller', 'endpoint-slice-mirroring-controller'),
    entry(nodeLifecycleController(settings.nodeMonitorGraceMs), 'node-controller'),
    ...(settings.nodeIpam ? [entry(nodeIpamController(settings.nodeIpam), 'node-controller', 'cidrAllocator')] : []),
    ...(settings.balanceOnNodes ? [entry(loadBalancerController, 'service-controller')] : []),
    entry(taintEvictionController(), 'node-controller', 'taint-eviction-controller'),
    entry(namespaceController, 'namespace-controller'),
    {
      name: 'garbage-collector',
      make: (env) => new GarbageCollector(env),
      account: 'generic-garbage-collector',
      source: 'garbage-collector-controller',
    },
    entry(serviceAccountController, 'service-account-controller'),
    entry(nodeTtlController(), 'ttl-controller'),
    entry(persistentVolumeBinder, 'persistent-volume-binder', 'persistentvolume-controller'),
    entry(pvProtectionController(), 'pv-protection-controller'),
    entry(pvcProtectionController, 'pvc-protection-controller'),
    entry(vacProtectionController, 'volumeattributesclass-protection-controller'),
    entry(serviceCidrController, 'service-cidrs-controller', 'service-cidr-controller'),
    entry(ephemeralVolumeController, 'ephemeral-volume-controller', 'ephemeral_volume'),
    entry(validatingAdmissionPolicyStatusController, 'validatingadmissionpolicy-status-controller'),
    entry(clusterRoleAggregationController, 'clusterrole-aggregation-controller'),
    ...(settings.serviceAccountTokens ? [entry(tokensController(settings.serviceAccountTokens), '')] : []),
    entry(bootstrapSignerController, 'bootstrap-signer'),
    entry(tokenCleanerController, 'token-cleaner'),
    entry(csrApprovingController, 'certificate-controller'),
    entry(csrCleanerController, 'certificate-controller'),
    ...(settings.signing ? [entry(csrSigningController(settings.signing), 'certificate-controller')] : []),
    ...(settings.servingApproval
      ? [entry(servingApprovingController(settings.servingApproval), 'kubelet-serving-approver')]
      : []),
    ...(settings.rootAuthorityPem
      ? [entry(rootCaController(settings.rootAuthorityPem), 'root-ca-cert-publisher')]
      : []),
  ];
}
