import * as field from '../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, pathSegmentName } from '../../libs/machinery/names.ts';

/** A reference to some object of the same namespace by group, kind and name. */
export interface TypedReference {
  readonly apiGroup?: string | null;
  readonly kind?: string;
  readonly name?: string;
}

export function validateTypedReference({ apiGroup, kind, name }: TypedReference, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (apiGroup !== undefined && apiGroup !== null) {
    for (const problem of dns1123Subdomain(apiGroup))
      errors.push(field.invalid(at.child('apiGroup'), apiGroup, problem));
  }
  for (const [part, text] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if (!text) errors.push(field.required(at.child(part)));
    else for (const problem of pathSegmentName(text)) errors.push(field.invalid(at.child(part), text, problem));
  }
  return errors;
}
