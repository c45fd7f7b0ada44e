import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import type { CSIDriver, TokenRequest } from '../../types/storage/v1.generated.ts';
import { validateCSIDriverName } from '../parameters.ts';

const FS_GROUP_POLICIES = ['File', 'None', 'ReadWriteOnceWithFSType'];
const LIFECYCLE_MODES = ['Persistent', 'Ephemeral'];
const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;
const UPDATE_PERIOD_SECONDS_MIN = 10;

export function validateCSIDriver(driver: DeepReadonly<CSIDriver>): field.ErrorList {
  return [...validateCSIDriverName(driver.metadata?.name ?? '', field.path('name')), ...validateSpec(driver)];
}

export function validateCSIDriverUpdate(
  driver: DeepReadonly<CSIDriver>,
  old: DeepReadonly<CSIDriver>,
): field.ErrorList {
  const at = field.path('spec');
  return [
    ...validateCSIDriver(driver),
    ...validateImmutable(driver.spec?.attachRequired, old.spec?.attachRequired, at.child('attachedRequired')),
    ...validateImmutable(
      driver.spec?.volumeLifecycleModes,
      old.spec?.volumeLifecycleModes,
      at.child('volumeLifecycleModes'),
    ),
  ];
}

function validateSpec({ spec }: DeepReadonly<CSIDriver>): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  for (const name of ['attachRequired', 'podInfoOnMount', 'storageCapacity'] as const) {
    if (spec?.[name] === undefined) errors.push(field.required(at.child(name)));
  }
  const policy = spec?.fsGroupPolicy;
  if (policy !== undefined && !FS_GROUP_POLICIES.includes(policy)) {
    errors.push(field.notSupported(at.child('fsGroupPolicy'), policy, FS_GROUP_POLICIES));
  }
  errors.push(...validateTokenRequests(spec?.tokenRequests ?? [], at.child('tokenRequests')));
  for (const mode of spec?.volumeLifecycleModes ?? []) {
    if (LIFECYCLE_MODES.includes(mode)) continue;
    errors.push(field.notSupported(at.child('volumeLifecycleModes'), mode, LIFECYCLE_MODES));
  }
  if (spec?.seLinuxMount === undefined) errors.push(field.required(at.child('seLinuxMount')));
  const period = spec?.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < UPDATE_PERIOD_SECONDS_MIN) {
    const why = `must be greater than or equal to ${UPDATE_PERIOD_SECONDS_MIN} seconds`;
    errors.push(field.invalid(at.child('nodeAllocatableUpdatePeriodSeconds'), period, why));
  }
  return errors;
}

function validateTokenRequests(requests: readonly DeepReadonly<TokenRequest>[], at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const audiences = new Set<string>();
  requests.forEach(({ audience = '', expirationSeconds: seconds }, i) => {
    const here = at.index(i);
    if (audiences.has(audience)) errors.push(field.duplicate(here.child('audience'), audience));
    audiences.add(audience);
    if (seconds === undefined) return;
    const time = here.child('expirationSeconds');
    if (seconds < TOKEN_SECONDS_MIN) {
      errors.push(field.invalid(time, seconds, 'may not specify a duration less than 10 minutes'));
    }
    if (seconds > TOKEN_SECONDS_MAX) {
      errors.push(field.invalid(time, seconds, 'may not specify a duration larger than 2^32 seconds'));
    }
  });
  return errors;
}
