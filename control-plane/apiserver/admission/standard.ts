import type { Random } from '../../../libs/base/random.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import { defaultIngressClass, defaultStorageClass } from './default-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { deviceAdminAccess } from './device-admin-access.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { priority } from './priority.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use.ts';

/** The plugins that are on by default, in upstream's order. */
export function standardAdmission(random: Random): AdmissionPlugin[] {
  return [
    namespaceLifecycle,
    nodeRestriction,
    serviceAccountAdmission(random),
    priority,
    defaultTolerationSeconds,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    defaultIngressClass,
    deviceAdminAccess,
  ];
}
