import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import type { DeviceClass } from '../../types/resource/v1.generated.ts';
import { CONFIGS_MAX, validateItems, validateOpaque, validateSelectors } from '../requests.ts';

export const strategy: Strategy<DeviceClass> = {
  generation: 'count',
  validate: validateDeviceClass,
  validateUpdate: validateDeviceClass,
};

function validateDeviceClass({ spec }: DeepReadonly<DeviceClass>): field.ErrorList {
  const at = field.path('spec');
  const errors = [
    ...validateSelectors(spec?.selectors, at.child('selectors')),
    ...validateItems(spec?.config, CONFIGS_MAX, at.child('config'), ({ opaque }, there) =>
      validateOpaque(opaque, there.child('opaque')),
    ),
  ];
  const name = spec?.extendedResourceName;
  if (name !== undefined && !isExtendedResource(name)) {
    errors.push(field.invalid(at.child('extendedResourceName'), name, 'must be a valid extended resource name'));
  }
  return errors;
}

/** `example.com/gpu`: a name with a domain that is neither Kubernetes' own nor a quota's. */
function isExtendedResource(name: string): boolean {
  if (!name.includes('/') || name.startsWith('requests.') || /(^|\.)kubernetes\.io\//.test(name)) return false;
  return qualifiedName(`requests.${name}`).length === 0;
}
