import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { LimitRange, LimitRangeItem } from '../../types/core/v1.generated.ts';
import { roundResourceList } from '../pod/resources.ts';
import { validateLimitRange } from './validation.ts';

export const strategy: Strategy<LimitRange> = {
  allowCreateOnUpdate: true,
  validate: validateLimitRange,
  validateUpdate: validateLimitRange,
  defaults(draft) {
    for (const item of draft.spec?.limits ?? []) {
      const lists = [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio];
      for (const list of lists) roundResourceList(list);
      if (item.type === 'Container') defaultContainerLimits(item);
    }
  },
};

/** A maximum is also what a container gets that says nothing, and what it then requests; else it requests the minimum. */
function defaultContainerLimits(item: LimitRangeItem): void {
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
}
