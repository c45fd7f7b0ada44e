import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { deprecatedNodeLabel } from '../../core/node/deprecated-labels.ts';
import type { StorageClass } from '../../types/storage/v1.generated.ts';
import { validateStorageClass, validateStorageClassUpdate } from './validation.ts';

export const strategy: Strategy<StorageClass> = {
  defaults(draft) {
    draft.reclaimPolicy ??= 'Delete';
    draft.volumeBindingMode ??= 'Immediate';
  },
  validate: validateStorageClass,
  validateUpdate: validateStorageClassUpdate,
  warnings,
};

function warnings({ allowedTopologies }: DeepReadonly<StorageClass>): string[] {
  return (allowedTopologies ?? []).flatMap((term, i) =>
    (term.matchLabelExpressions ?? []).flatMap(({ key }, j) => {
      const message = deprecatedNodeLabel(key);
      return message ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${message}`] : [];
    }),
  );
}
