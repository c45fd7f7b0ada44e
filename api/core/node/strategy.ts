import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Node } from '../../types/core/v1.generated.ts';

export const NOT_READY_TAINT = Object.freeze({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' });

export const strategy: Strategy<Node> = {
  resetFields: ['status'],
  defaults: defaultAllocatable,
  prepareForCreate(_ctx, draft) {
    // Nothing is scheduled to a node before the node controller has seen it ready.
    draft.spec ??= {};
    const taints = draft.spec.taints ?? [];
    const { key, effect } = NOT_READY_TAINT;
    if (!taints.some((taint) => taint.key === key && taint.effect === effect)) {
      draft.spec.taints = [...taints, { ...NOT_READY_TAINT }];
    }
  },
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

export const statusStrategy: StatusSubresource<Node>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultAllocatable,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};

/** Unless something is set aside, all that a node has can be given to pods. */
function defaultAllocatable({ status }: Node): void {
  if (!status?.capacity || status.allocatable) return;
  status.allocatable = { ...status.capacity };
}
