import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ControllerRevision } from '../../types/apps/v1.generated.ts';

export const strategy: Strategy<ControllerRevision> = {};
