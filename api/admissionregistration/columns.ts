import type { DeepReadonly } from '../../libs/kind/object.ts';
import { formatLabelSelector } from '../../libs/machinery/labels.ts';
import { UNSET } from '../meta/columns.ts';
import type { ParamKind, ParamRef } from '../types/admissionregistration/v1.generated.ts';

/** `v1/ConfigMap` */
export function paramKindText(paramKind: DeepReadonly<ParamKind> | undefined): string {
  return paramKind ? `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}` : UNSET;
}

/** `namespace/name`, or the selector. */
export function paramRefText(ref: DeepReadonly<ParamRef> | undefined): string {
  if (!ref) return UNSET;
  const what = ref.name ? ref.name : formatLabelSelector(ref.selector);
  return ref.namespace ? `${ref.namespace}/${what}` : what;
}
