import { mutatingAdmissionPolicy } from '../../../api/admissionregistration/mutatingadmissionpolicy/kind.ts';
import { mutatingAdmissionPolicyBinding } from '../../../api/admissionregistration/mutatingadmissionpolicybinding/kind.ts';
import { mutatingWebhookConfiguration } from '../../../api/admissionregistration/mutatingwebhookconfiguration/kind.ts';
import { validatingAdmissionPolicy } from '../../../api/admissionregistration/validatingadmissionpolicy/kind.ts';
import { validatingAdmissionPolicyBinding } from '../../../api/admissionregistration/validatingadmissionpolicybinding/kind.ts';
import { validatingWebhookConfiguration } from '../../../api/admissionregistration/validatingwebhookconfiguration/kind.ts';
import { limitRange } from '../../../api/core/limitrange/kind.ts';
import { namespace as namespaceKind } from '../../../api/core/namespace/kind.ts';
import { resourceQuota as quota } from '../../../api/core/resourcequota/kind.ts';
import { priorityClass } from '../../../api/scheduling/priorityclass/kind.ts';
import type { Namespace } from '../../../api/types/core/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { Caches } from '../cache/caches.ts';
import { objectKey } from '../cache/keys.ts';
import type { CelObserver } from '../cel-observer.ts';
import type { KindSet } from '../registry/kind-set.ts';
import type { WebhookClient } from '../webhook/client.ts';
import { mutatingWebhooks } from '../webhook/mutating.ts';
import type { WebhookObserver } from '../webhook/review.ts';
import { validatingWebhooks } from '../webhook/validating.ts';
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from './certificates.ts';
import { defaultIngressClass, defaultStorageClass } from './default-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { deviceAdminAccess } from './device-admin-access.ts';
import type { Decide } from './dynamic/expressions.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeDeclaredFeatures } from './node-declared-features.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { mutatingAdmissionPolicies } from './policy/mutating.ts';
import { validatingAdmissionPolicies } from './policy/validating.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { cachedSource, cacheOf } from './source.ts';
import { storageObjectInUseProtection } from './storage-object-in-use.ts';

export interface AdmissionOptions {
  readonly random: Random;
  readonly keys: Keys;
  readonly kinds: KindSet;
  /** The built-in schema. */
  readonly schema: SchemaSet;
  /** The watch caches, once the server has them. */
  readonly caches: () => Caches;
  /** What users may do, for policies that ask. */
  readonly decide: Decide;
  readonly webhookClient: WebhookClient;
  readonly clock: Clock;
  /** Counts what webhooks take. */
  readonly observed?: WebhookObserver;
  /** Is told how long policies take. */
  readonly cel?: CelObserver;
}

/** The plugins that are on by default, in upstream's order. */
export function standardAdmission(options: AdmissionOptions): AdmissionPlugin[] {
  const { random, keys, kinds, schema, caches, decide, webhookClient: client, clock, observed, cel } = options;
  const webhooks = { kinds, client, random: random.fork('webhooks'), decide, clock, observed };
  // What most clusters have none of is not looked for with every write.
  const some = (kind: object) => {
    const cache = cacheOf(caches, kind);
    return () => cache().size > 0;
  };
  const namespaceCache = cacheOf(caches, namespaceKind);
  return [
    namespaceLifecycle(
      (name) =>
        namespaceCache()
          .get(objectKey(namespaceKind, '', name))
          ?.object() as DeepReadonly<Namespace> | undefined,
    ),
    limitRanger(some(limitRange)),
    serviceAccountAdmission(random),
    nodeRestriction(keys),
    podSecurity,
    priority(cachedSource(caches, priorityClass)),
    defaultTolerationSeconds,
    defaultStorageClass,
    storageObjectInUseProtection,
    persistentVolumeClaimResize,
    runtimeClass,
    certificateApproval(decide),
    certificateSigning(decide),
    clusterTrustBundleAttest(decide),
    certificateSubjectRestriction(keys),
    defaultIngressClass,
    podTopologyLabels,
    nodeDeclaredFeatures,
    deviceAdminAccess,
    mutatingAdmissionPolicies({
      kinds,
      schema,
      decide,
      policies: cachedSource(caches, mutatingAdmissionPolicy),
      bindings: cachedSource(caches, mutatingAdmissionPolicyBinding),
    }),
    mutatingWebhooks({ ...webhooks, schema, configurations: cachedSource(caches, mutatingWebhookConfiguration) }),
    validatingAdmissionPolicies({
      kinds,
      decide,
      ...(cel && { cel }),
      policies: cachedSource(caches, validatingAdmissionPolicy),
      bindings: cachedSource(caches, validatingAdmissionPolicyBinding),
    }),
    validatingWebhooks({ ...webhooks, configurations: cachedSource(caches, validatingWebhookConfiguration) }),
    resourceQuota(some(quota)),
  ];
}
