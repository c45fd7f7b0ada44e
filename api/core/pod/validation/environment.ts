/** Environment variables of containers. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { configMapKey, dns1123Subdomain, envVarName } from '../../../../libs/machinery/names.ts';
import type { EnvFromSource, EnvVar, EnvVarSource } from '../../../types/core/v1.generated.ts';
import { ENV_FIELDS, validateFieldRef, validateResourceRef } from './field-refs.ts';
import { ownPath } from './paths.ts';
import type { Volumes } from './volumes.ts';

export function validateEnv(variables: DeepReadonly<EnvVar[]>, volumes: Volumes, at: field.Path): field.ErrorList {
  return variables.flatMap((variable, i) => {
    const here = at.index(i);
    const name = variable.name ?? '';
    const errors =
      name === ''
        ? [field.required(here.child('name'))]
        : envVarName(name).map((text) => field.invalid(here.child('name'), name, text));
    if (variable.valueFrom) {
      errors.push(...validateValueFrom(variable.valueFrom, variable.value ?? '', volumes, here.child('valueFrom')));
    }
    return errors;
  });
}

function validateValueFrom(
  from: DeepReadonly<EnvVarSource>,
  value: string,
  volumes: Volumes,
  at: field.Path,
): field.ErrorList {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  const errors: field.ErrorList = [];
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, ENV_FIELDS, at.child('fieldRef')));
  if (resourceFieldRef) errors.push(...validateResourceRef(resourceFieldRef, false, at.child('resourceFieldRef')));
  if (configMapKeyRef) errors.push(...validateKeyRef(configMapKeyRef, at.child('configMapKeyRef')));
  if (secretKeyRef) errors.push(...validateKeyRef(secretKeyRef, at.child('secretKeyRef')));
  if (fileKeyRef) errors.push(...validateFileKeyRef(fileKeyRef, volumes, at.child('fileKeyRef')));
  const count = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length;
  if (count === 0) {
    const names = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    errors.push(field.invalid(at, '', `must specify one of: ${names}`));
  } else if (value !== '') errors.push(field.invalid(at, '', 'may not be specified when `value` is not empty'));
  else if (count > 1) errors.push(field.invalid(at, '', 'may not have more than one field specified at a time'));
  return errors;
}

/** A key of a ConfigMap or Secret. */
export function validateKeyRef(
  ref: { readonly name?: string; readonly key?: string },
  at: field.Path,
): field.ErrorList {
  const { name = '', key = '' } = ref;
  const errors = dns1123Subdomain(name).map((text) => field.invalid(at.child('name'), name, text));
  if (key === '') errors.push(field.required(at.child('key')));
  else for (const text of configMapKey(key)) errors.push(field.invalid(at.child('key'), key, text));
  return errors;
}

function validateFileKeyRef(
  ref: DeepReadonly<NonNullable<EnvVarSource['fileKeyRef']>>,
  volumes: Volumes,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const { key, volumeName, path } = ref;
  if (!key) errors.push(field.required(at.child('key')));
  else for (const text of envVarName(key)) errors.push(field.invalid(at.child('key'), key, text));
  const volume = volumes.get(volumeName ?? '');
  if (!volumeName) errors.push(field.required(at.child('volumeName')));
  else if (!volume) errors.push(field.notFound(at.child('volumeName'), volumeName));
  else if (!volume.emptyDir) {
    errors.push(field.invalid(at.child('volumeName'), volumeName, 'must reference an emptyDir volume'));
  }
  if (!path) errors.push(field.required(at.child('path')));
  else errors.push(...ownPath(path, at.child('path')));
  return errors;
}

export function validateEnvFrom(sources: DeepReadonly<EnvFromSource[]>, at: field.Path): field.ErrorList {
  return sources.flatMap(({ prefix, configMapRef, secretRef }, i) => {
    const here = at.index(i);
    const errors: field.ErrorList = [];
    if (prefix) for (const text of envVarName(prefix)) errors.push(field.invalid(here.child('prefix'), prefix, text));
    for (const [name, ref] of Object.entries({ configMapRef, secretRef })) {
      if (!ref) continue;
      const place = here.child(name, 'name');
      if (!ref.name) errors.push(field.required(place));
      else for (const text of dns1123Subdomain(ref.name)) errors.push(field.invalid(place, ref.name, text));
    }
    if (configMapRef && secretRef) {
      errors.push(field.invalid(here, '', 'may not have more than one field specified at a time'));
    } else if (!configMapRef && !secretRef) {
      errors.push(field.invalid(here, '', 'must specify one of: `configMapRef` or `secretRef`'));
    }
    return errors;
  });
}
