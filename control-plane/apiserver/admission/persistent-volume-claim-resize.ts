import { storageClasses } from '../../../api/resources.ts';
import type { PersistentVolumeClaim } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { forbidden } from '../../../libs/machinery/errors.ts';
import { compareQuantity, mustParseQuantity } from '../../../libs/machinery/quantity.ts';

const BOUND_ONLY = 'Only bound persistent volume claims can be expanded';
const NOT_EXPANDABLE =
  'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';

/** A claim grows only when it is bound and its class says that its volumes can grow. */
export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: 'PersistentVolumeClaimResize',
  handles: ({ operation, kind, subresource }) =>
    operation === 'UPDATE' && subresource === '' && kind.resource === 'persistentvolumeclaims' && kind.group === '',
  async validate(_ctx, { object, oldObject, kind, name }, registry) {
    const [claim, old] = [object, oldObject] as [
      DeepReadonly<PersistentVolumeClaim>,
      DeepReadonly<PersistentVolumeClaim>,
    ];
    const size = ({ spec }: DeepReadonly<PersistentVolumeClaim>) =>
      mustParseQuantity(spec?.resources?.requests?.storage ?? '0');
    if (compareQuantity(size(claim), size(old)) <= 0) return;
    if (old.status?.phase !== 'Bound') throw forbidden(kind, name, BOUND_ONLY);
    const className = claim.spec?.storageClassName ?? '';
    const found = className === '' ? undefined : await registry.get(storageClasses, '', className);
    if (!found?.allowVolumeExpansion) throw forbidden(kind, name, NOT_EXPANDABLE);
  },
};
