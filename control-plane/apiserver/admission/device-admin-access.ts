import { namespaces } from '../../../api/resources.ts';
import type {
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '../../../api/types/resource/v1.generated.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { invalid } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';

const LABEL = 'resource.kubernetes.io/admin-access';
const WHY = `admin access to devices requires the \`${LABEL}: true\` label on the containing namespace`;

/** Devices that others use may be had as well, but only in namespaces that an administrator has marked. */
export const deviceAdminAccess: AdmissionPlugin = {
  name: 'DeviceAdminAccess',
  handles: ({ operation, kind, subresource }) =>
    operation === 'CREATE' &&
    subresource === '' &&
    kind.group === 'resource.k8s.io' &&
    (kind.resource === 'resourceclaims' || kind.resource === 'resourceclaimtemplates'),
  async validate(_ctx, { object, kind, namespace, name }, registry) {
    const isTemplate = kind.resource === 'resourceclaimtemplates';
    const spec: DeepReadonly<ResourceClaimSpec> | undefined = isTemplate
      ? (object as DeepReadonly<ResourceClaimTemplate>).spec?.spec
      : (object as DeepReadonly<ResourceClaim>).spec;
    const at = field.path('spec', ...(isTemplate ? ['spec'] : []), 'devices', 'requests');
    const asked = (spec?.devices?.requests ?? []).flatMap((request, i) =>
      request.exactly?.adminAccess ? [field.forbidden(at.index(i).child('adminAccess'), WHY)] : [],
    );
    if (asked.length === 0) return;
    const found = await registry.get(namespaces, '', namespace);
    if (found?.metadata.labels?.[LABEL] !== 'true') throw invalid({ group: kind.group, kind: kind.kind }, name, asked);
  },
};
