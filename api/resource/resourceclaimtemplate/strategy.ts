import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import { validateMatchLabels } from '../../meta/label-selector.ts';
import type { ObjectMeta } from '../../types/meta/v1.generated.ts';
import type { ResourceClaimTemplate } from '../../types/resource/v1.generated.ts';
import { defaultClaimSpec, validateClaimSpec } from '../requests.ts';

export const strategy: Strategy<ResourceClaimTemplate> = {
  defaults: ({ spec }) => defaultClaimSpec(spec?.spec),
  validate: validateTemplate,
  validateUpdate(draft, old) {
    const shown = field.verbatim(internalJson('resource.v1.ResourceClaimTemplateSpec', draft.spec));
    return validateImmutable(draft.spec, old.spec, 'spec', shown);
  },
};

function validateTemplate({ spec }: DeepReadonly<ResourceClaimTemplate>): field.ErrorList {
  const at = field.path('spec');
  return [
    ...validateTemplateMetadata((spec?.metadata ?? {}) as DeepReadonly<ObjectMeta>, at.child('metadata')),
    ...validateClaimSpec(spec?.spec, at.child('spec')),
  ];
}

/** Of a claim's metadata a template may say its labels and annotations. */
function validateTemplateMetadata(metadata: DeepReadonly<ObjectMeta>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const [name, value] of Object.entries(metadata)) {
    if (name === 'labels' || name === 'annotations' || !value) continue;
    errors.push(field.forbidden(at.child(name), 'cannot be set'));
  }
  errors.push(...validateMatchLabels(metadata.labels ?? {}, at.child('labels')));
  for (const key of Object.keys(metadata.annotations ?? {})) {
    for (const problem of qualifiedName(key.toLowerCase()))
      errors.push(field.invalid(at.child('annotations'), key, problem));
  }
  return errors;
}
