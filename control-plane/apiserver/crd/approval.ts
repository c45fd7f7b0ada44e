import { approvalOf, PROTECTED_GROUP_MESSAGE } from '../../../api/apiextensions/customresourcedefinition/approval.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import type { Definition } from './custom-kind.ts';
import type { Condition } from './names.ts';

const TYPE = 'KubernetesAPIApprovalPolicyConformant';

/** What the status says of a definition in a group of the Kubernetes community; undefined for all other groups. */
export function conditionApproval(definition: Definition): Omit<Condition, 'lastTransitionTime'> | undefined {
  const approval = approvalOf(definition.spec.group, definition.metadata?.annotations);
  switch (approval?.state) {
    case undefined:
      return undefined;
    case 'approved':
      return { type: TYPE, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${approval.value}` };
    case 'bypassed':
      return {
        type: TYPE,
        status: 'False',
        reason: 'UnapprovedAnnotation',
        message: `not approved: ${quote(approval.value)}`,
      };
    case 'missing':
      return { type: TYPE, status: 'False', reason: 'MissingAnnotation', message: PROTECTED_GROUP_MESSAGE };
    case 'invalid':
      return { type: TYPE, status: 'False', reason: 'InvalidAnnotation', message: approval.reason };
  }
}
