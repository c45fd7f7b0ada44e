import type { ObjectSubresource } from '../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { formatLabelSelector, type LabelSelectorSpec } from '../../libs/machinery/labels.ts';
import type { Scale } from '../types/autoscaling/v1.generated.ts';

interface Scalable extends ApiObject {
  spec?: { replicas?: number; selector?: LabelSelectorSpec | Record<string, string> };
  status?: { replicas?: number };
}

/**
 * `scale` of a workload with `spec.replicas`, `status.replicas` and a selector: the view that `kubectl scale` and
 * autoscalers use without knowing the kind.
 */
export function scaleSubresource(plainSelector = false): ObjectSubresource<Scalable, Scale> {
  return {
    form: 'object',
    gvk: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    type: 'autoscaling.v1.Scale',
    view: ({ spec, status }) => ({
      spec: spec?.replicas ? { replicas: spec.replicas } : {},
      status: { replicas: status?.replicas ?? 0, ...selectorOf(spec?.selector, plainSelector) },
    }),
    validate(scale: DeepReadonly<Scale>) {
      const replicas = scale.spec?.replicas ?? 0;
      return replicas < 0 ? [field.invalid('spec.replicas', replicas, 'must be greater than or equal to 0')] : [];
    },
    write(draft, scale) {
      draft.spec = { ...draft.spec, replicas: scale.spec?.replicas ?? 0 };
    },
    ownedPaths: [['spec', 'replicas']],
  };
}

function selectorOf(
  selector: DeepReadonly<LabelSelectorSpec | Record<string, string>> | undefined,
  plain: boolean,
): { selector?: string } {
  const text = formatLabelSelector((plain ? { matchLabels: selector } : selector) as LabelSelectorSpec | undefined);
  return text === '' || text === '<none>' ? {} : { selector: text };
}
