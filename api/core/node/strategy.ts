import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Node } from '../../types/core/v1.generated.ts';
import { roundResourceList } from '../pod/resources.ts';
import { nodeWarnings, validateNode, validateNodeStatusUpdate, validateNodeUpdate } from './validation.ts';

export const NOT_READY_TAINT = Object.freeze({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' });

export const strategy: Strategy<Node> = {
  resetFields: ['status'],
  defaults: defaultNode,
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  warnings: nodeWarnings,
  prepareForCreate(_ctx, draft) {
    // Nothing is scheduled to a node before the node controller has seen it ready.
    draft.spec ??= {};
    delete draft.spec.configSource;
    const taints = draft.spec.taints ?? [];
    const { key, effect } = NOT_READY_TAINT;
    if (!taints.some((taint) => taint.key === key && taint.effect === effect)) {
      draft.spec.taints = [...taints, { ...NOT_READY_TAINT }];
    }
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    if (!old.spec?.configSource) delete draft.spec?.configSource;
  },
};

export const statusStrategy: StatusSubresource<Node>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateNodeStatusUpdate,
  defaults: defaultNode,
  prepareForUpdate(_ctx, draft, old) {
    keepAllButStatus(draft, old, ['labels', 'annotations']);
    // Kubelets were once configured through the API.
    if (!old.status?.config) delete draft.status?.config;
  },
};

/** Unless something is set aside, all that a node has can be given to pods. */
function defaultNode({ spec, status }: Node): void {
  if (spec?.podCIDRs?.length && !spec.podCIDR) spec.podCIDR = spec.podCIDRs[0] as string;
  else if (spec?.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR];
  roundResourceList(status?.capacity);
  roundResourceList(status?.allocatable);
  if (status?.capacity && !status.allocatable) status.allocatable = { ...status.capacity };
}
