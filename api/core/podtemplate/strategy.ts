import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PodTemplate } from '../../types/core/v1.generated.ts';
import { dropDisabledFields } from '../pod/prepare.ts';
import { defaultPodSpec } from '../pod/spec-defaults.ts';

export const strategy: Strategy<PodTemplate> = {
  generation: 'count',
  deleteReturnsObject: true,
  defaults(draft) {
    if (draft.template?.spec) defaultPodSpec(draft.template.spec);
  },
  prepareForCreate: (_ctx, draft) => dropDisabledFields(draft.template?.spec),
  prepareForUpdate: (_ctx, draft, old) => dropDisabledFields(draft.template?.spec, old.template?.spec),
};
