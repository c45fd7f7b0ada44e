import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Ingress } from '../../types/networking/v1.generated.ts';
import { CLASS_ANNOTATION, validateIngress, validateIngressStatus, validateIngressUpdate } from './validation.ts';

export const strategy: Strategy<Ingress> = {
  generation: 'count',
  resetFields: ['status'],
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateIngress,
  validateUpdate: validateIngressUpdate,
  warnings({ metadata, spec }, old) {
    const annotated = metadata?.annotations?.[CLASS_ANNOTATION] !== undefined;
    if (old || !annotated || spec?.ingressClassName !== undefined) return [];
    return [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`];
  },
};

export const statusStrategy: StatusSubresource<Ingress>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
  validateUpdate: validateIngressStatus,
};
