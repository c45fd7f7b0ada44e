import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ConfigMap } from '../../types/core/v1.generated.ts';
import { validateConfigMap, validateConfigMapUpdate } from './validation.ts';

export const strategy: Strategy<ConfigMap> = {
  validate: validateConfigMap,
  validateUpdate: validateConfigMapUpdate,
};
