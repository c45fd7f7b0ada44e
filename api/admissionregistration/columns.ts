import type { Column } from '../../libs/kind/column.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../libs/machinery/labels.ts';
import { UNSET } from '../meta/columns.ts';
import type {
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../types/admissionregistration/v1.generated.ts';

/** `v1/ConfigMap` */
export function paramKindText(paramKind: DeepReadonly<ParamKind> | undefined): string {
  return paramKind ? `${paramKind.apiVersion ?? ''}/${paramKind.kind ?? ''}` : UNSET;
}

/** `namespace/name`, or the selector. */
function paramRefText(ref: DeepReadonly<ParamRef> | undefined): string {
  if (!ref) return UNSET;
  const what = ref.name ? ref.name : formatLabelSelector(ref.selector);
  return ref.namespace ? `${ref.namespace}/${what}` : what;
}

type PolicyBinding = MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding;

/** The table of what puts policies into force. */
export const policyBindingColumns: readonly Column<PolicyBinding>[] = [
  nameColumn as Column<PolicyBinding>,
  {
    name: 'PolicyName',
    type: 'string',
    description: 'The policy that is put into force',
    value: ({ spec }) => spec?.policyName ?? '',
  },
  {
    name: 'ParamRef',
    type: 'string',
    description: 'The objects that set the policy’s parameters here',
    value: ({ spec }) => paramRefText(spec?.paramRef),
  },
  ageColumn as Column<PolicyBinding>,
];

type WebhookConfiguration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** The table of configurations of webhooks. */
export const webhookConfigurationColumns: readonly Column<WebhookConfiguration>[] = [
  nameColumn as Column<WebhookConfiguration>,
  {
    name: 'Webhooks',
    type: 'integer',
    description: 'How many webhooks the configuration has',
    value: ({ webhooks }) => webhooks?.length ?? 0,
  },
  ageColumn as Column<WebhookConfiguration>,
];
