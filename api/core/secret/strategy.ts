import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Secret } from '../../types/core/v1.generated.ts';

export const strategy: Strategy<Secret> = {};
