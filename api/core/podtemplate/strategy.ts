import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import type { PodTemplate } from '../../types/core/v1.generated.ts';
import { dropDisabledFields } from '../pod/prepare.ts';
import { defaultPodSpec } from '../pod/spec-defaults.ts';
import { validatePodTemplate } from '../pod/validation/pod.ts';
import { templateWarnings } from '../pod/warnings.ts';

export const strategy: Strategy<PodTemplate> = {
  generation: 'count',
  deleteReturnsObject: true,
  defaults(draft) {
    if (draft.template?.spec) defaultPodSpec(draft.template.spec);
  },
  prepareForCreate: (_ctx, draft) => dropDisabledFields(draft.template?.spec),
  prepareForUpdate: (_ctx, draft, old) => dropDisabledFields(draft.template?.spec, old.template?.spec),
  validate: ({ template }) => validatePodTemplate(template ?? { spec: { containers: [] } }, path('template')),
  validateUpdate: ({ template }) => validatePodTemplate(template ?? { spec: { containers: [] } }, path('template')),
  warnings: (draft, old) => templateWarnings(draft, old, draft.template, path('template')),
};
