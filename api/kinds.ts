/**
 * The built-in kinds that a server serves when nothing else is said. Each is told whole in its folder.
 */
import type { Kind } from '../libs/kind/kind.ts';
import { mutatingAdmissionPolicy } from './admissionregistration/mutatingadmissionpolicy/kind.ts';
import { mutatingAdmissionPolicyBinding } from './admissionregistration/mutatingadmissionpolicybinding/kind.ts';
import { mutatingWebhookConfiguration } from './admissionregistration/mutatingwebhookconfiguration/kind.ts';
import { validatingAdmissionPolicy } from './admissionregistration/validatingadmissionpolicy/kind.ts';
import { validatingAdmissionPolicyBinding } from './admissionregistration/validatingadmissionpolicybinding/kind.ts';
import { validatingWebhookConfiguration } from './admissionregistration/validatingwebhookconfiguration/kind.ts';
import { customResourceDefinition } from './apiextensions/customresourcedefinition/kind.ts';
import { apiService } from './apiregistration/apiservice/kind.ts';
import { controllerRevision } from './apps/controllerrevision/kind.ts';
import { daemonSet } from './apps/daemonset/kind.ts';
import { deployment } from './apps/deployment/kind.ts';
import { replicaSet } from './apps/replicaset/kind.ts';
import { statefulSet } from './apps/statefulset/kind.ts';
import { horizontalPodAutoscaler } from './autoscaling/horizontalpodautoscaler/kind.ts';
import { cronJob } from './batch/cronjob/kind.ts';
import { job } from './batch/job/kind.ts';
import { certificateSigningRequest } from './certificates/certificatesigningrequest/kind.ts';
import { lease } from './coordination/lease/kind.ts';
import { binding } from './core/binding/kind.ts';
import { configMap } from './core/configmap/kind.ts';
import { endpoints } from './core/endpoints/kind.ts';
import { event } from './core/event/kind.ts';
import { limitRange } from './core/limitrange/kind.ts';
import { namespace } from './core/namespace/kind.ts';
import { node } from './core/node/kind.ts';
import { persistentVolume } from './core/persistentvolume/kind.ts';
import { persistentVolumeClaim } from './core/persistentvolumeclaim/kind.ts';
import { pod } from './core/pod/kind.ts';
import { podTemplate } from './core/podtemplate/kind.ts';
import { replicationController } from './core/replicationcontroller/kind.ts';
import { resourceQuota } from './core/resourcequota/kind.ts';
import { secret } from './core/secret/kind.ts';
import { service } from './core/service/kind.ts';
import { serviceAccount } from './core/serviceaccount/kind.ts';
import { endpointSlice } from './discovery/endpointslice/kind.ts';
import { flowSchema } from './flowcontrol/flowschema/kind.ts';
import { priorityLevelConfiguration } from './flowcontrol/prioritylevelconfiguration/kind.ts';
import { ingress } from './networking/ingress/kind.ts';
import { ingressClass } from './networking/ingressclass/kind.ts';
import { ipAddress } from './networking/ipaddress/kind.ts';
import { networkPolicy } from './networking/networkpolicy/kind.ts';
import { serviceCIDR } from './networking/servicecidr/kind.ts';
import { runtimeClass } from './node/runtimeclass/kind.ts';
import { podDisruptionBudget } from './policy/poddisruptionbudget/kind.ts';
import { clusterRole } from './rbac/clusterrole/kind.ts';
import { clusterRoleBinding } from './rbac/clusterrolebinding/kind.ts';
import { role } from './rbac/role/kind.ts';
import { roleBinding } from './rbac/rolebinding/kind.ts';
import { deviceClass } from './resource/deviceclass/kind.ts';
import { resourceClaim } from './resource/resourceclaim/kind.ts';
import { resourceClaimTemplate } from './resource/resourceclaimtemplate/kind.ts';
import { resourceSlice } from './resource/resourceslice/kind.ts';
import { priorityClass } from './scheduling/priorityclass/kind.ts';
import { csiDriver } from './storage/csidriver/kind.ts';
import { csiNode } from './storage/csinode/kind.ts';
import { csiStorageCapacity } from './storage/csistoragecapacity/kind.ts';
import { storageClass } from './storage/storageclass/kind.ts';
import { volumeAttachment } from './storage/volumeattachment/kind.ts';
import { volumeAttributesClass } from './storage/volumeattributesclass/kind.ts';

export const builtinKinds: readonly Kind[] = Object.freeze([
  mutatingAdmissionPolicy as unknown as Kind,
  mutatingAdmissionPolicyBinding as unknown as Kind,
  mutatingWebhookConfiguration as unknown as Kind,
  validatingAdmissionPolicy as unknown as Kind,
  validatingAdmissionPolicyBinding as unknown as Kind,
  validatingWebhookConfiguration as unknown as Kind,
  customResourceDefinition as unknown as Kind,
  apiService as unknown as Kind,
  controllerRevision as unknown as Kind,
  daemonSet as unknown as Kind,
  deployment as unknown as Kind,
  replicaSet as unknown as Kind,
  statefulSet as unknown as Kind,
  horizontalPodAutoscaler as unknown as Kind,
  cronJob as unknown as Kind,
  job as unknown as Kind,
  certificateSigningRequest as unknown as Kind,
  lease as unknown as Kind,
  binding as unknown as Kind,
  configMap as unknown as Kind,
  endpoints as unknown as Kind,
  event as unknown as Kind,
  limitRange as unknown as Kind,
  namespace as unknown as Kind,
  node as unknown as Kind,
  persistentVolume as unknown as Kind,
  persistentVolumeClaim as unknown as Kind,
  pod as unknown as Kind,
  podTemplate as unknown as Kind,
  replicationController as unknown as Kind,
  resourceQuota as unknown as Kind,
  secret as unknown as Kind,
  service as unknown as Kind,
  serviceAccount as unknown as Kind,
  endpointSlice as unknown as Kind,
  flowSchema as unknown as Kind,
  priorityLevelConfiguration as unknown as Kind,
  ingress as unknown as Kind,
  ingressClass as unknown as Kind,
  ipAddress as unknown as Kind,
  networkPolicy as unknown as Kind,
  serviceCIDR as unknown as Kind,
  runtimeClass as unknown as Kind,
  podDisruptionBudget as unknown as Kind,
  clusterRole as unknown as Kind,
  clusterRoleBinding as unknown as Kind,
  role as unknown as Kind,
  roleBinding as unknown as Kind,
  deviceClass as unknown as Kind,
  resourceClaim as unknown as Kind,
  resourceClaimTemplate as unknown as Kind,
  resourceSlice as unknown as Kind,
  priorityClass as unknown as Kind,
  csiDriver as unknown as Kind,
  csiNode as unknown as Kind,
  csiStorageCapacity as unknown as Kind,
  storageClass as unknown as Kind,
  volumeAttachment as unknown as Kind,
  volumeAttributesClass as unknown as Kind,
]);
