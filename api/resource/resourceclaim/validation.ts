import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label, dns1123Subdomain } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateCanonicalCidr } from '../../meta/addresses.ts';
import { IMMUTABLE } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from '../../types/resource/v1.generated.ts';
import {
  CONFIGS_MAX,
  requestNames,
  validateDriverName,
  validateItems,
  validateOpaque,
  validateRequestNames,
} from '../requests.ts';

const RESERVED_MAX = 256;
const RESULTS_MAX = 32;
const DEVICES_MAX = 256;

/** A status says what was allocated, to whom it is reserved, and how the devices are. */
export function validateClaimStatus(
  claim: DeepReadonly<ResourceClaim>,
  old: DeepReadonly<ResourceClaim>,
): field.ErrorList {
  const at = field.path('status');
  const { allocation, reservedFor, devices } = claim.status ?? {};
  const errors: field.ErrorList = [];
  const names = requestNames(claim.spec?.devices);
  if (allocation) errors.push(...validateAllocation(allocation, names, at.child('allocation')));
  const uids = new Set<string>();
  errors.push(
    ...validateItems(reservedFor, RESERVED_MAX, at.child('reservedFor'), (reference, there) => {
      const wrong = validateConsumer(reference, there);
      if (uids.has(reference.uid)) wrong.push(field.duplicate(there, reference.uid));
      uids.add(reference.uid);
      return wrong;
    }),
  );
  const allocated = new Set(
    (allocation?.devices?.results ?? []).map((one) => `${one.driver}/${one.pool}/${one.device}`),
  );
  const told = new Set<string>();
  errors.push(
    ...validateItems(devices, DEVICES_MAX, at.child('devices'), (device, there) => {
      const id = `${device.driver}/${device.pool}/${device.device}`;
      const wrong = validateDeviceStatus(device, there);
      if (told.has(id)) wrong.push(field.duplicate(there, id));
      told.add(id);
      if (!allocated.has(id)) wrong.push(field.invalid(there, id, 'must be an allocated device in the claim'));
      return wrong;
    }),
  );
  if ((reservedFor?.length ?? 0) > 0 && !allocation) {
    errors.push(field.forbidden(at.child('reservedFor'), 'may not be specified when `allocated` is not set'));
  }
  const before = old.status?.allocation;
  if (before && allocation && !sameValue(before, allocation)) {
    const shown = field.verbatim(internalJson('resource.v1.AllocationResult', allocation));
    errors.push(field.invalid(at.child('allocation'), shown, IMMUTABLE));
  }
  return errors;
}

function validateConsumer(reference: DeepReadonly<ResourceClaimConsumerReference>, at: field.Path): field.ErrorList {
  return (['resource', 'name', 'uid'] as const).flatMap((part) =>
    reference[part] ? [] : [field.required(at.child(part))],
  );
}

function validateAllocation(
  allocation: DeepReadonly<AllocationResult>,
  names: ReadonlySet<string>,
  at: field.Path,
): field.ErrorList {
  const here = at.child('devices');
  return [
    ...validateItems(allocation.devices?.results, RESULTS_MAX, here.child('results'), (result, there) => {
      const errors = validateRequestNames([result.request ?? ''], names, there.child('request')).map((error) => ({
        ...error,
        field: String(there.child('request')),
      }));
      errors.push(...validateDriverName(result.driver ?? '', there.child('driver')));
      errors.push(...validatePoolName(result.pool ?? '', there.child('pool')));
      const device = result.device ?? '';
      if (device === '') errors.push(field.required(there.child('device')));
      else
        for (const problem of dns1123Label(device)) errors.push(field.invalid(there.child('device'), device, problem));
      return errors;
    }),
    ...validateItems(allocation.devices?.config, 2 * CONFIGS_MAX, here.child('config'), (config, there) => {
      const errors: field.ErrorList = [];
      if (!config.source) errors.push(field.required(there.child('source')));
      else if (config.source !== 'FromClaim' && config.source !== 'FromClass') {
        errors.push(field.notSupported(there.child('source'), config.source, ['FromClaim', 'FromClass']));
      }
      errors.push(...validateRequestNames(config.requests, names, there.child('requests')));
      return [...errors, ...validateOpaque(config.opaque, there.child('opaque'))];
    }),
  ];
}

/** Pools are named by a path of domains. */
export function validatePoolName(name: string, at: field.Path): field.ErrorList {
  if (name === '') return [field.required(at)];
  const errors: field.ErrorList = name.length > 253 ? [field.tooLong(at, 253)] : [];
  for (const part of name.split('/')) {
    for (const problem of dns1123Subdomain(part)) errors.push(field.invalid(at, part, problem));
  }
  return errors;
}

function validateDeviceStatus(device: DeepReadonly<AllocatedDeviceStatus>, at: field.Path): field.ErrorList {
  const errors = [
    ...validateDriverName(device.driver ?? '', at.child('driver')),
    ...validatePoolName(device.pool ?? '', at.child('pool')),
  ];
  const name = device.device ?? '';
  if (name === '') errors.push(field.required(at.child('device')));
  else for (const problem of dns1123Label(name)) errors.push(field.invalid(at.child('device'), name, problem));
  if ((device.conditions?.length ?? 0) > 8)
    errors.push(field.tooMany(at.child('conditions'), device.conditions?.length ?? 0, 8));
  (device.networkData?.ips ?? []).forEach((ip, i) => {
    errors.push(...validateAddressWithPrefix(ip, at.child('networkData', 'ips').index(i)));
  });
  return errors;
}

/** An interface's address keeps its host part: `192.0.2.5/24`. */
function validateAddressWithPrefix(text: string, at: field.Path): field.ErrorList {
  return validateCanonicalCidr(text, at).filter(({ detail }) => detail.startsWith('must be a valid'));
}
