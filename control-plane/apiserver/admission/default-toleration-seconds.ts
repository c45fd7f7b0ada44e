import type { Pod, Toleration } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const TAINTS = [NOT_READY, UNREACHABLE];
const SECONDS = 300;

/** A pod that says nothing else stays five minutes on a node that is not ready or cannot be reached. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: ({ operation, kind, subresource }) =>
    (operation === 'CREATE' || operation === 'UPDATE') &&
    subresource === '' &&
    kind.resource === 'pods' &&
    kind.group === '',
  admit(_ctx, request) {
    const { spec } = request.object as Pod;
    if (!spec) return;
    const missing = TAINTS.filter((key) => !spec.tolerations?.some((one) => tolerates(one, key)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS }));
    spec.tolerations = [...(spec.tolerations ?? []), ...added];
  },
};

const tolerates = ({ key = '', effect = '' }: Toleration, taint: string) =>
  (key === taint || key === '') && (effect === 'NoExecute' || effect === '');
