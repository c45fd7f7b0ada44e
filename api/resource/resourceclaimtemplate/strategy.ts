import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ResourceClaimTemplate } from '../../types/resource/v1.generated.ts';

export const strategy: Strategy<ResourceClaimTemplate> = {};
