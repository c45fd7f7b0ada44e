import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { CustomResourceSubresources } from '../../types/apiextensions/v1.generated.ts';

export function validateJsonPath(path: string, at: field.Path): field.ErrorList {
  return path.startsWith('.') ? [] : [field.invalid(at, path, 'must be a simple json path starting with .')];
}

export function validateSubresources(
  subresources: DeepReadonly<CustomResourceSubresources> | undefined,
  at: field.Path,
): field.ErrorList {
  const scale = subresources?.scale;
  if (!scale) return [];
  const below = at.child('scale');
  const { labelSelectorPath } = scale;
  return [
    ...replicasPath(scale.specReplicasPath, 'spec', below.child('specReplicasPath')),
    ...replicasPath(scale.statusReplicasPath, 'status', below.child('statusReplicasPath')),
    ...(labelSelectorPath ? selectorPath(labelSelectorPath, below.child('labelSelectorPath')) : []),
  ];
}

function replicasPath(path: string, part: 'spec' | 'status', at: field.Path): field.ErrorList {
  if (!path) return [field.required(at)];
  const errors = validateJsonPath(path, at);
  if (errors.length > 0 || path.startsWith(`.${part}.`)) return errors;
  return [field.invalid(at, path, `should be a json path under .${part}`)];
}

function selectorPath(path: string, at: field.Path): field.ErrorList {
  const errors = validateJsonPath(path, at);
  if (errors.length > 0 || path.startsWith('.spec.') || path.startsWith('.status.')) return errors;
  return [field.invalid(at, path, 'should be a json path under either .spec or .status')];
}
