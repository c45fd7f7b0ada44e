import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { CSINode } from '../../types/storage/v1.generated.ts';

export const strategy: Strategy<CSINode> = {};
