/** Requests for devices: defaults and checks that claims and their templates share. */
import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { cIdentifier, dns1123Label, dns1123Subdomain, qualifiedName } from '../../libs/machinery/names.ts';
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
  ResourceClaimSpec,
} from '../types/resource/v1.generated.ts';
import { validateDeviceExpression } from './device-expressions.ts';

const REQUESTS_MAX = 32;
const SUBREQUESTS_MAX = 8;
export const SELECTORS_MAX = 32;
export const CONFIGS_MAX = 32;
const CONSTRAINTS_MAX = 32;
const TOLERATIONS_MAX = 16;
const EXPRESSION_BYTES_MAX = 10 * 1024;
const PARAMETERS_BYTES_MAX = 10 * 1024;
const MODES = ['All', 'ExactCount'];
const EFFECTS = ['NoExecute', 'NoSchedule', 'None'];
const NOT_A_REQUEST =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

export function defaultClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const { exactly, firstAvailable } of spec?.devices?.requests ?? []) {
    if (exactly) defaultRequest(exactly);
    for (const one of firstAvailable ?? []) defaultRequest(one);
  }
}

function defaultRequest(request: ExactDeviceRequest | DeviceSubRequest): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= 'Equal';
}

/** A list with a limit; beyond it nothing else is looked at. */
export function validateItems<T>(
  items: readonly T[] | null | undefined,
  most: number,
  at: field.Path,
  validate: (item: T, at: field.Path, i: number) => field.ErrorList,
): field.ErrorList {
  if ((items?.length ?? 0) > most) return [field.tooMany(at, items?.length ?? 0, most)];
  return (items ?? []).flatMap((item, i) => validate(item, at.index(i), i));
}

export function validateClaimSpec(spec: DeepReadonly<ResourceClaimSpec> | undefined, at: field.Path): field.ErrorList {
  const devices: DeepReadonly<DeviceClaim> = spec?.devices ?? {};
  const here = at.child('devices');
  const names = requestNames(devices);
  const seen = new Set<string>();
  return [
    ...validateItems(devices.requests, REQUESTS_MAX, here.child('requests'), (request, there) => {
      const name = request.name ?? '';
      const errors = validateDeviceRequest(request, there);
      if (seen.has(name)) errors.push(field.duplicate(there, name));
      seen.add(name);
      return errors;
    }),
    ...validateItems(devices.constraints, CONSTRAINTS_MAX, here.child('constraints'), (constraint, there) =>
      validateConstraint(constraint, names, there),
    ),
    ...validateItems(devices.config, CONFIGS_MAX, here.child('config'), (config, there) => [
      ...validateRequestNames(config.requests, names, there.child('requests')),
      ...validateOpaque(config.opaque, there.child('opaque')),
    ]),
  ];
}

/** `r`, and `r/s` for each alternative. */
export function requestNames(devices: DeepReadonly<DeviceClaim> | undefined): ReadonlySet<string> {
  return new Set(
    (devices?.requests ?? []).flatMap(({ name, firstAvailable }) => [
      name,
      ...(firstAvailable ?? []).map((one) => `${name}/${one.name}`),
    ]),
  );
}

export function validateRequestNames(
  requests: readonly string[] | undefined,
  names: ReadonlySet<string>,
  at: field.Path,
): field.ErrorList {
  return validateItems(requests, REQUESTS_MAX, at, (name, there, i) => {
    const errors = names.has(name) ? [] : [field.invalid(there, name, NOT_A_REQUEST)];
    if ((requests ?? []).indexOf(name) < i) errors.push(field.duplicate(there, name));
    return errors;
  });
}

function validateDeviceRequest(request: DeepReadonly<DeviceRequest>, at: field.Path): field.ErrorList {
  const { name = '', exactly, firstAvailable } = request;
  const errors: field.ErrorList = dns1123Label(name).map((problem) => field.invalid(at.child('name'), name, problem));
  const several = (firstAvailable?.length ?? 0) > 0;
  const rule = 'exactly one of `exactly` or `firstAvailable` is required';
  if (exactly && several) errors.push(field.invalid(at, null, `${rule}, but multiple fields are set`));
  else if (exactly) errors.push(...validateWanted(exactly, at.child('exactly')));
  else if (several) {
    const seen = new Set<string>();
    const validate = (one: DeepReadonly<DeviceSubRequest>, there: field.Path) => {
      const sub = one.name ?? '';
      const wrong = dns1123Label(sub).map((problem) => field.invalid(there.child('name'), sub, problem));
      wrong.push(...validateWanted(one, there));
      if (seen.has(sub)) wrong.push(field.duplicate(there, sub));
      seen.add(sub);
      return wrong;
    };
    errors.push(...validateItems(firstAvailable, SUBREQUESTS_MAX, at.child('firstAvailable'), validate));
  } else errors.push(field.required(at, rule));
  return errors;
}

function validateWanted(wanted: DeepReadonly<ExactDeviceRequest | DeviceSubRequest>, at: field.Path): field.ErrorList {
  const { deviceClassName = '', allocationMode = '', count, selectors, tolerations } = wanted;
  const errors: field.ErrorList = [];
  if (deviceClassName === '') errors.push(field.required(at.child('deviceClassName')));
  else {
    for (const problem of dns1123Subdomain(deviceClassName)) {
      errors.push(field.invalid(at.child('deviceClassName'), deviceClassName, problem));
    }
  }
  errors.push(...validateSelectors(selectors, at.child('selectors')));
  if (allocationMode === 'All') {
    if (Number(count ?? 0) !== 0) {
      errors.push(field.invalid(at.child('count'), count, "must not be specified when allocationMode is 'All'"));
    }
  } else if (allocationMode === 'ExactCount') {
    if (Number(count ?? 0) <= 0) errors.push(field.invalid(at.child('count'), count ?? 0, 'must be greater than zero'));
  } else errors.push(field.notSupported(at.child('allocationMode'), allocationMode, MODES));
  const each = (one: DeepReadonly<DeviceToleration>, there: field.Path) => validateToleration(one, there);
  return [...errors, ...validateItems(tolerations, TOLERATIONS_MAX, at.child('tolerations'), each)];
}

export function validateToleration(toleration: DeepReadonly<DeviceToleration>, at: field.Path): field.ErrorList {
  const { key = '', operator = '', value = '', effect = '' } = toleration;
  const errors: field.ErrorList = [];
  for (const problem of key === '' ? [] : qualifiedName(key)) errors.push(field.invalid(at.child('key'), key, problem));
  if (operator === 'Exists') {
    if (value !== '') errors.push(field.invalid(at.child('value'), value, 'must be empty for operator `Exists`'));
  } else if (operator === 'Equal') {
    if (key === '') errors.push(field.required(at.child('key')));
  } else errors.push(field.notSupported(at.child('operator'), operator, ['Equal', 'Exists']));
  if (effect !== '' && !EFFECTS.includes(effect)) errors.push(field.notSupported(at.child('effect'), effect, EFFECTS));
  return errors;
}

export function validateSelectors(
  selectors: readonly DeepReadonly<DeviceSelector>[] | undefined,
  at: field.Path,
): field.ErrorList {
  return validateItems(selectors, SELECTORS_MAX, at, ({ cel }, there) => {
    if (!cel) return [field.required(there.child('cel'))];
    const expression = there.child('cel', 'expression');
    const source = cel.expression ?? '';
    if (source.length > EXPRESSION_BYTES_MAX) return [field.tooLong(expression, EXPRESSION_BYTES_MAX)];
    return validateDeviceExpression(source, expression);
  });
}

function validateConstraint(
  constraint: DeepReadonly<DeviceConstraint>,
  names: ReadonlySet<string>,
  at: field.Path,
): field.ErrorList {
  const { matchAttribute, distinctAttribute } = constraint;
  const errors = validateRequestNames(constraint.requests, names, at.child('requests'));
  if (matchAttribute !== undefined && distinctAttribute !== undefined) {
    const why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(field.invalid(at, null, why));
  } else if (matchAttribute !== undefined) {
    errors.push(...validateFullyQualifiedName(matchAttribute, at.child('matchAttribute')));
  } else if (distinctAttribute !== undefined) {
    errors.push(...validateFullyQualifiedName(distinctAttribute, at.child('distinctAttribute')));
  } else {
    const why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(field.required(at, why));
  }
  return errors;
}

/** `domain/identifier`, as attributes are named from outside. */
function validateFullyQualifiedName(name: string, at: field.Path): field.ErrorList {
  const errors = validateQualifiedAttribute(name, at);
  if (name !== '' && !name.includes('/')) errors.push(field.invalid(at, name, 'must include a domain'));
  return errors;
}

export function validateQualifiedAttribute(name: string, at: field.Path): field.ErrorList {
  if (name === '') return [field.required(at, 'name required')];
  const parts = name.split('/');
  if (parts.length === 1) return identifierProblems(name).map((problem) => field.invalid(at, name, problem));
  if (parts.length > 2) return [field.invalid(at, name, 'must be formatted as <domain>/<identifier>')];
  const [domain = '', identifier = ''] = parts;
  const errors: field.ErrorList = [];
  if (domain === '') errors.push(field.required(at, 'the domain must not be empty'));
  else for (const problem of dns1123Subdomain(domain)) errors.push(field.invalid(at, domain, problem));
  if (domain.length > 63) errors.push(field.tooLong(at, 63));
  if (identifier === '') errors.push(field.required(at, 'the name must not be empty'));
  else for (const problem of identifierProblems(identifier)) errors.push(field.invalid(at, identifier, problem));
  return errors;
}

function identifierProblems(name: string): string[] {
  const problems = [...cIdentifier(name)];
  if (name.length > 32) problems.push('must be no more than 32 characters');
  return problems;
}

export function validateOpaque(
  opaque: DeepReadonly<OpaqueDeviceConfiguration> | undefined,
  at: field.Path,
): field.ErrorList {
  if (!opaque) return [field.required(at)];
  const errors = validateDriverName(opaque.driver ?? '', at.child('driver'));
  const parameters: unknown = opaque.parameters;
  const there = at.child('parameters');
  if (parameters === undefined || parameters === null) errors.push(field.required(there));
  else if (typeof parameters !== 'object' || Array.isArray(parameters)) {
    errors.push(field.invalid(there, '<value omitted>', 'must be a valid JSON object'));
  } else if (JSON.stringify(parameters).length > PARAMETERS_BYTES_MAX) {
    errors.push(field.tooLong(there, PARAMETERS_BYTES_MAX));
  }
  return errors;
}

/** Drivers are named like domains of at most 63 bytes. */
export function validateDriverName(name: string, at: field.Path): field.ErrorList {
  if (name === '') return [field.required(at)];
  const errors: field.ErrorList = name.length > 63 ? [field.tooLong(at, 63)] : [];
  for (const problem of dns1123Subdomain(name.toLowerCase())) errors.push(field.invalid(at, name, problem));
  return errors;
}
