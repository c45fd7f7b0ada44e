import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { IMMUTABLE } from '../../meta/immutable.ts';
import type {
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceTaint,
  ResourceSlice,
} from '../../types/resource/v1.generated.ts';
import { validateDriverName, validateItems, validateQualifiedAttribute } from '../requests.ts';
import { validatePoolName } from '../resourceclaim/validation.ts';

const DEVICES_MAX = 128;
const ATTRIBUTES_MAX = 32;
const COUNTER_SETS_MAX = 8;
const TAINTS_MAX = 16;
const TEXT_BYTES_MAX = 64;
const EFFECTS = ['NoExecute', 'NoSchedule', 'None'];
const PLACES = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\da-zA-Z-]+(\.[\da-zA-Z-]+)*)?(\+[\da-zA-Z-]+(\.[\da-zA-Z-]+)*)?$/;

export function validateResourceSlice({ spec }: DeepReadonly<ResourceSlice>): field.ErrorList {
  const at = field.path('spec');
  const errors = validateDriverName(spec?.driver ?? '', at.child('driver'));
  const { name = '', resourceSliceCount = 0, generation = 0 } = spec?.pool ?? {};
  const pool = at.child('pool');
  errors.push(...validatePoolName(name, pool.child('name')));
  if (resourceSliceCount <= 0) {
    errors.push(field.invalid(pool.child('resourceSliceCount'), resourceSliceCount, 'must be greater than zero'));
  }
  if (generation < 0)
    errors.push(field.invalid(pool.child('generation'), generation, 'must be greater than or equal to zero'));
  const nodeName = spec?.nodeName;
  if (nodeName) {
    for (const problem of dns1123Subdomain(nodeName))
      errors.push(field.invalid(at.child('nodeName'), nodeName, problem));
  }
  const rule = `exactly one of ${PLACES.map((place) => `\`${place}\``).join(', ')} is required`;
  const places = PLACES.filter((place) => spec?.[place]).map((place) => `\`${place}\``);
  if (places.length === 0) errors.push(field.required(at, rule));
  else if (places.length > 1) {
    errors.push(field.invalid(at, `{${places.join(', ')}}`, `${rule}, but multiple fields are set`));
  }
  if ((spec?.sharedCounters?.length ?? 0) > 0 && (spec?.devices?.length ?? 0) > 0) {
    errors.push(field.invalid(at, '', 'only one of `sharedCounters` or `devices` is allowed'));
  }
  const names = new Set<string>();
  errors.push(
    ...validateItems(spec?.devices, DEVICES_MAX, at.child('devices'), (device, there) => {
      const wrong = validateDevice(device, there);
      if (names.has(device.name)) wrong.push(field.duplicate(there, device.name));
      names.add(device.name);
      return wrong;
    }),
  );
  const sets = new Set<string>();
  errors.push(
    ...validateItems(spec?.sharedCounters, COUNTER_SETS_MAX, at.child('sharedCounters'), (set, there) => {
      const wrong = validateCounterSet(set, there);
      if (sets.has(set.name)) wrong.push(field.duplicate(there, set.name));
      sets.add(set.name);
      return wrong;
    }),
  );
  return errors;
}

/** Which driver offers what where is fixed; the devices themselves may change. */
export function validateResourceSliceUpdate(
  slice: DeepReadonly<ResourceSlice>,
  old: DeepReadonly<ResourceSlice>,
): field.ErrorList {
  const at = field.path('spec');
  const errors = validateResourceSlice(slice);
  const fixed = (value: unknown, was: unknown, there: field.Path) => {
    if (!sameValue(value, was)) errors.push(field.invalid(there, value ?? null, IMMUTABLE));
  };
  fixed(slice.spec?.driver, old.spec?.driver, at.child('driver'));
  fixed(slice.spec?.pool?.name, old.spec?.pool?.name, at.child('pool', 'name'));
  fixed(slice.spec?.nodeName, old.spec?.nodeName, at.child('nodeName'));
  return errors;
}

function validateDevice(device: DeepReadonly<Device>, at: field.Path): field.ErrorList {
  const name = device.name ?? '';
  const errors: field.ErrorList = dns1123Label(name).map((problem) => field.invalid(at.child('name'), name, problem));
  const { attributes = {}, capacity = {} } = device;
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  if (count > ATTRIBUTES_MAX) {
    const why = `the total number of attributes and capacities must not exceed ${ATTRIBUTES_MAX}`;
    errors.push(field.invalid(at, count, why));
  }
  for (const [key, attribute] of Object.entries(attributes)) {
    errors.push(...validateQualifiedAttribute(key, at.child('attributes')));
    errors.push(...validateAttribute(attribute, at.child('attributes').key(key)));
  }
  for (const key of Object.keys(capacity)) errors.push(...validateQualifiedAttribute(key, at.child('capacity')));
  return [...errors, ...validateItems(device.taints, TAINTS_MAX, at.child('taints'), validateTaint)];
}

function validateAttribute(attribute: DeepReadonly<DeviceAttribute>, at: field.Path): field.ErrorList {
  const set = Object.entries(attribute).filter(([, value]) => value !== undefined && value !== null);
  if (set.length !== 1) return [field.invalid(at, '', 'exactly one value must be specified')];
  const errors: field.ErrorList = [];
  const { string, version } = attribute;
  if (string !== undefined && string.length > TEXT_BYTES_MAX)
    errors.push(field.tooLong(at.child('string'), TEXT_BYTES_MAX));
  if (version !== undefined) {
    if (!SEMVER.test(version)) {
      const why = 'must be a string compatible with semver.org spec 2.0.0';
      errors.push(field.invalid(at.child('version'), version, why));
    }
    if (version.length > TEXT_BYTES_MAX) errors.push(field.tooLong(at.child('version'), TEXT_BYTES_MAX));
  }
  return errors;
}

function validateTaint(taint: DeepReadonly<DeviceTaint>, at: field.Path): field.ErrorList {
  const { key = '', value = '', effect = '' } = taint;
  const errors: field.ErrorList = qualifiedName(key).map((problem) => field.invalid(at.child('key'), key, problem));
  for (const problem of labelValue(value)) errors.push(field.invalid(at.child('value'), value, problem));
  if (effect === '') errors.push(field.required(at.child('effect')));
  else if (!EFFECTS.includes(effect)) errors.push(field.notSupported(at.child('effect'), effect, EFFECTS));
  return errors;
}

function validateCounterSet({ name = '', counters }: DeepReadonly<CounterSet>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name')));
  else for (const problem of dns1123Label(name)) errors.push(field.invalid(at.child('name'), name, problem));
  const keys = Object.keys(counters ?? {});
  if (keys.length === 0) errors.push(field.required(at.child('counters')));
  for (const key of keys) {
    for (const problem of dns1123Label(key)) errors.push(field.invalid(at.child('counters'), key, problem));
  }
  return errors;
}
