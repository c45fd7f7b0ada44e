import type { Kind, StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { unknownPath } from '../../../libs/machinery/errors.ts';
import { subresourceOf } from './kind-set.ts';

export type UpdateRules = StatusSubresource['strategy'] | Strategy;

/** The rules of a change through the main resource (`''`) or one of its `status`-like subresources. Throws 404 for others. */
export function rulesOf(kind: Kind, subresource: string): UpdateRules {
  if (subresource === '') return kind.strategy;
  const found = subresourceOf(kind, subresource);
  if (found?.form !== 'status') throw unknownPath();
  return found.strategy;
}
