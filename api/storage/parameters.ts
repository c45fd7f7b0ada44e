/** What StorageClasses and VolumeAttributesClasses say to drivers: names of drivers and parameters for them. */
import * as field from '../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, qualifiedName } from '../../libs/machinery/names.ts';

const PARAMETERS_MAX = 512;
const PARAMETERS_BYTES_MAX = 256 * 1024;
const DRIVER_NAME_BYTES_MAX = 63;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** A provisioner is named like a label key, in any case. */
export function validateProvisioner(provisioner: string, at: field.Path): field.ErrorList {
  if (provisioner === '') return [field.required(at)];
  const name = provisioner.toLowerCase();
  return qualifiedName(name).map((problem) => field.invalid(at, name, problem));
}

export function validateParameters(
  parameters: Readonly<Record<string, string>> | undefined,
  mayBeEmpty: boolean,
  at: field.Path,
): field.ErrorList {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > PARAMETERS_MAX) return [field.tooLong(at, PARAMETERS_MAX)];
  const errors: field.ErrorList = [];
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') errors.push(field.invalid(at, key, 'field can not be empty.'));
    bytes += bytesOf(key) + bytesOf(value);
  }
  if (bytes > PARAMETERS_BYTES_MAX) errors.push(field.tooLong(at, PARAMETERS_BYTES_MAX));
  if (!mayBeEmpty && entries.length === 0) {
    errors.push(field.required(at, 'must contain at least one key/value pair'));
  }
  return errors;
}

/** CSI drivers are named like domains, in any case, in at most 63 bytes. */
export function validateCSIDriverName(name: string, at: field.Path): field.ErrorList {
  if (name === '') return [field.required(at)];
  const errors: field.ErrorList = [];
  if (bytesOf(name) > DRIVER_NAME_BYTES_MAX) errors.push(field.tooLong(at, DRIVER_NAME_BYTES_MAX));
  for (const problem of dns1123Subdomain(name.toLowerCase())) errors.push(field.invalid(at, name, problem));
  return errors;
}
