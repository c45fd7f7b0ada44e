import type { Random } from '../../../libs/base/random.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { priority } from './priority.ts';
import { serviceAccountAdmission } from './service-account.ts';

/** The plugins that are on by default, in upstream's order. */
export function standardAdmission(random: Random): AdmissionPlugin[] {
  return [namespaceLifecycle, serviceAccountAdmission(random), priority, defaultTolerationSeconds];
}
