import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { StorageClass } from '../../types/storage/v1.generated.ts';

export const strategy: Strategy<StorageClass> = {};
