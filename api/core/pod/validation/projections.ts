/** Files that volumes make of keys, fields and tokens. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from '../../../types/core/v1.generated.ts';
import { FILE_FIELDS, validateFieldRef, validateResourceRef } from './field-refs.ts';
import { fileMode, ownPath } from './paths.ts';

const TOKEN_SECONDS_MIN = 600;
const TOKEN_SECONDS_MAX = 2 ** 32;

export function validateKeyPaths(items: DeepReadonly<KeyToPath[]>, at: field.Path): field.ErrorList {
  return items.flatMap((item, i) => validateKeyPath(item, at.index(i)));
}

function validateKeyPath({ key, path, mode }: DeepReadonly<KeyToPath>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!key) errors.push(field.required(at.child('key')));
  if (!path) errors.push(field.required(at.child('path')));
  errors.push(...ownPath(path ?? '', at.child('path')));
  if (mode !== undefined) errors.push(...fileMode(mode, at.child('mode')));
  return errors;
}

/** Errors name no item: upstream's do not either. */
export function validateDownwardItems(items: DeepReadonly<DownwardAPIVolumeFile[]>, at: field.Path): field.ErrorList {
  return items.flatMap((item) => validateDownwardItem(item, at));
}

function validateDownwardItem(item: DeepReadonly<DownwardAPIVolumeFile>, at: field.Path): field.ErrorList {
  const { path, fieldRef, resourceFieldRef, mode } = item;
  const errors: field.ErrorList = [];
  if (!path) errors.push(field.required(at.child('path')));
  errors.push(...ownPath(path ?? '', at.child('path')));
  if (fieldRef) {
    errors.push(...validateFieldRef(fieldRef, FILE_FIELDS, at.child('fieldRef')));
    if (resourceFieldRef) {
      errors.push(field.invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    }
  } else if (resourceFieldRef) {
    errors.push(...validateResourceRef(resourceFieldRef, true, at.child('resourceFieldRef')));
  } else errors.push(field.required(at, 'one of fieldRef and resourceFieldRef is required'));
  if (mode !== undefined) errors.push(...fileMode(mode, at.child('mode')));
  return errors;
}

/** Several sources share one directory: each says one thing, and no two files have one path. */
export function validateProjected(sources: DeepReadonly<VolumeProjection[]>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const paths = new Set<string>();
  const claim = (path: string | undefined, owner: string) => {
    if (!path) return;
    if (paths.has(path)) errors.push(field.invalid(at, owner, 'conflicting duplicate paths'));
    else paths.add(path);
  };
  sources.forEach((source, i) => {
    const here = at.child('sources').index(i);
    let count = 0;
    const begin = (name: string): field.Path => {
      const place = here.child(name);
      if (++count > 1) errors.push(field.forbidden(place, 'may not specify more than 1 volume type per source'));
      return place;
    };
    for (const name of ['secret', 'configMap'] as const) {
      const keys = source[name];
      if (!keys) continue;
      const place = begin(name);
      if (!keys.name) errors.push(field.required(place.child('name')));
      (keys.items ?? []).forEach((item, k) => {
        errors.push(...validateKeyPath(item, place.child('items').index(k)));
        claim(item.path, keys.name ?? '');
      });
    }
    if (source.downwardAPI) {
      const place = begin('downwardAPI');
      for (const item of source.downwardAPI.items ?? []) {
        errors.push(...validateDownwardItem(item, place));
        claim(item.path, 'path');
      }
    }
    const token = source.serviceAccountToken;
    if (token) errors.push(...validateToken(token, begin('serviceAccountToken')));
  });
  return errors;
}

function validateToken(
  { path, expirationSeconds }: DeepReadonly<NonNullable<VolumeProjection['serviceAccountToken']>>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const seconds = Number(expirationSeconds ?? 0);
  const here = at.child('expirationSeconds');
  if (seconds < TOKEN_SECONDS_MIN) {
    errors.push(field.invalid(here, expirationSeconds ?? 0, 'may not specify a duration less than 10 minutes'));
  }
  if (seconds > TOKEN_SECONDS_MAX) {
    errors.push(field.invalid(here, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'));
  }
  if (!path) errors.push(field.required(at.child('path')));
  else errors.push(...ownPath(path, at.child('path')));
  return errors;
}
