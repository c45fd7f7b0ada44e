import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { CSIDriver } from '../../types/storage/v1.generated.ts';
import { validateCSIDriver, validateCSIDriverUpdate } from './validation.ts';

export const strategy: Strategy<CSIDriver> = {
  generation: 'count-updates',
  defaults(draft) {
    draft.spec ??= {};
    const { spec } = draft;
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  validate: validateCSIDriver,
  validateUpdate: validateCSIDriverUpdate,
};
