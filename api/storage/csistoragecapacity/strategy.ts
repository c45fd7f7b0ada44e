import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain } from '../../../libs/machinery/names.ts';
import { mustParseQuantity, signOfQuantity } from '../../../libs/machinery/quantity.ts';
import { deprecatedNodeLabel } from '../../core/node/deprecated-labels.ts';
import { NOT_NEGATIVE, validateImmutable } from '../../meta/immutable.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import type { CSIStorageCapacity } from '../../types/storage/v1.generated.ts';

export const strategy: Strategy<CSIStorageCapacity> = {
  validate: validateCapacity,
  validateUpdate: (draft, old) => [
    ...validateCapacity(draft),
    ...validateImmutable(draft.nodeTopology, old.nodeTopology, 'nodeTopology'),
    ...validateImmutable(draft.storageClassName, old.storageClassName, 'storageClassName'),
  ],
  warnings: ({ nodeTopology }) => {
    const at = 'nodeTopology';
    const keys: [string, string][] = [
      ...(nodeTopology?.matchExpressions ?? []).map(({ key }, i): [string, string] => [
        `${at}.matchExpressions[${i}].key`,
        key,
      ]),
      ...Object.keys(nodeTopology?.matchLabels ?? {}).map((key): [string, string] => [`${at}.matchLabels.${key}`, key]),
    ];
    return keys.flatMap(([path, key]) => {
      const message = deprecatedNodeLabel(key);
      return message ? [`${path}: ${message}`] : [];
    });
  },
};

function validateCapacity({ nodeTopology, storageClassName = '', capacity }: DeepReadonly<CSIStorageCapacity>) {
  const errors = validateLabelSelector(nodeTopology, field.path('nodeTopology'));
  for (const problem of dns1123Subdomain(storageClassName)) {
    errors.push(field.invalid('storageClassName', storageClassName, problem));
  }
  if (capacity !== undefined && signOfQuantity(mustParseQuantity(capacity)) < 0) {
    errors.push(field.invalid('capacity', capacity, NOT_NEGATIVE));
  }
  return errors;
}
