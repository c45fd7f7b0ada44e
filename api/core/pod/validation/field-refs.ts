/** References to fields of the pod itself: environment variables and files of the downward API. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../../libs/machinery/names.ts';
import { compareQuantity, mustParseQuantity } from '../../../../libs/machinery/quantity.ts';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../types/core/v1.generated.ts';

export const ENV_FIELDS: readonly string[] = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

export const FILE_FIELDS: readonly string[] = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

const KNOWN_FIELDS: readonly string[] = [
  ...FILE_FIELDS,
  ...ENV_FIELDS,
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.host',
  'status.phase',
];

const SUBSCRIPTED = ['metadata.annotations', 'metadata.labels'];

export function validateFieldRef(
  ref: DeepReadonly<ObjectFieldSelector>,
  supported: readonly string[],
  at: field.Path,
): field.ErrorList {
  if (!ref.apiVersion) return [field.required(at.child('apiVersion'))];
  const path = at.child('fieldPath');
  if (!ref.fieldPath) return [field.required(path)];
  const [, name = '', key] = /^(.*)\['(.*)'\]$/.exec(ref.fieldPath) ?? [];
  const cannot = (why: string) => [field.invalid(path, ref.fieldPath, `error converting fieldPath: ${why}`)];
  if (ref.apiVersion !== 'v1') return cannot(`unsupported pod version: ${ref.apiVersion}`);
  if (key !== undefined) {
    if (!SUBSCRIPTED.includes(name)) return cannot(`field label does not support subscript: ${ref.fieldPath}`);
    return qualifiedName(name === SUBSCRIPTED[0] ? key.toLowerCase() : key).map((text) =>
      field.invalid(path, key, text),
    );
  }
  if (!KNOWN_FIELDS.includes(ref.fieldPath)) return cannot(`field label not supported: ${ref.fieldPath}`);
  return supported.includes(ref.fieldPath) ? [] : [field.notSupported(path, ref.fieldPath, supported)];
}

const RESOURCES = ['cpu', 'ephemeral-storage', 'memory'];
const RESOURCE_FIELDS = ['limits', 'requests'].flatMap((kind) => RESOURCES.map((name) => `${kind}.${name}`));
const CPU_DIVISORS = ['1m', '1'];
const BYTE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

export function validateResourceRef(
  ref: DeepReadonly<ResourceFieldSelector>,
  inVolume: boolean,
  at: field.Path,
): field.ErrorList {
  if (inVolume && !ref.containerName) return [field.required(at.child('containerName'))];
  if (!ref.resource) return [field.required(at.child('resource'))];
  const hugePages = /^(limits|requests)\.hugepages-/.test(ref.resource);
  if (!hugePages && !RESOURCE_FIELDS.includes(ref.resource)) {
    return [field.notSupported(at.child('resource'), ref.resource, RESOURCE_FIELDS)];
  }
  return validateDivisor(ref.resource, ref.divisor, hugePages, at.child('divisor'));
}

function validateDivisor(
  resource: string,
  divisor: string | undefined,
  hugePages: boolean,
  at: field.Path,
): field.ErrorList {
  const value = mustParseQuantity(divisor || '0');
  if (compareQuantity(value, mustParseQuantity('0')) === 0) return [];
  const name = resource.slice(resource.indexOf('.') + 1);
  const divisors = name === 'cpu' ? CPU_DIVISORS : BYTE_DIVISORS;
  if (divisors.some((one) => compareQuantity(mustParseQuantity(one), value) === 0)) return [];
  const list = name === 'cpu' ? CPU_DIVISORS.join(' and ') : BYTE_DIVISORS.join(', ');
  const what = hugePages ? 'hugepages' : name === 'ephemeral-storage' ? 'local ephemeral storage' : name;
  return [field.invalid(at, resource, `only divisor's values ${list} are supported with the ${what} resource`)];
}
