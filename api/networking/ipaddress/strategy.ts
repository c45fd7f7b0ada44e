import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { IPAddress } from '../../types/networking/v1.generated.ts';

export const strategy: Strategy<IPAddress> = {};
