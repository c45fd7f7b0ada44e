import { formatTime } from '../../../libs/base/clock.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { changeStatusAlone, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import {
  dns1035Label,
  dns1123Subdomain,
  pathSegmentName,
  port as portProblems,
} from '../../../libs/machinery/names.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import type { APIService } from '../../types/apiregistration/v1.generated.ts';

const GROUP_PRIORITY_MAX = 20_000;
const VERSION_PRIORITY_MAX = 1000;

export const strategy: Strategy<APIService> = {
  plainFinalizers: true,
  resetFields: ['status'],
  validateName: pathSegmentName,
  defaults({ spec }) {
    if (spec?.service) spec.service.port ??= 443;
  },
  prepareForCreate(ctx, draft) {
    draft.status = {};
    // What this server serves itself is there as long as the server is.
    if (draft.spec?.service) return;
    draft.status.conditions = [
      {
        type: 'Available',
        status: 'True',
        lastTransitionTime: formatTime(ctx.nowMs),
        reason: 'Local',
        message: 'Local APIServices are always available',
      },
    ];
  },
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateAPIService,
  validateUpdate: validateAPIService,
};

export const statusStrategy: StatusSubresource<APIService>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
};

function validateAPIService(draft: DeepReadonly<APIService>): field.ErrorList {
  const at = field.path('spec');
  const { group = '', version = '', service, insecureSkipTLSVerify, caBundle } = draft.spec ?? {};
  const { groupPriorityMinimum = 0, versionPriority = 0 } = draft.spec ?? {};
  const name = draft.metadata?.name ?? '';
  const errors: field.ErrorList = [];
  const wanted = `${version}.${group}`;
  if (name !== wanted) {
    const why = `must be \`spec.version+"."+spec.group\`: ${quote(wanted)}`;
    errors.push(field.invalid('metadata.name', name, why));
  }
  if (group === '') {
    if (version !== 'v1') {
      errors.push(field.required(at.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
    }
  } else for (const problem of dns1123Subdomain(group)) errors.push(field.invalid(at.child('group'), group, problem));
  for (const problem of dns1035Label(version)) errors.push(field.invalid(at.child('version'), version, problem));
  const inRange = (value: number, most: number, part: string) => {
    if (value > 0 && value <= most) return;
    errors.push(field.invalid(at.child(part), value, `must be positive and less than ${most}`));
  };
  inRange(groupPriorityMinimum, GROUP_PRIORITY_MAX, 'groupPriorityMinimum');
  inRange(versionPriority, VERSION_PRIORITY_MAX, 'versionPriority');
  const insecure = at.child('insecureSkipTLSVerify');
  if (!service) {
    if (caBundle)
      errors.push(field.invalid(at.child('caBundle'), field.omitted, 'local APIServices may not have a caBundle'));
    if (insecureSkipTLSVerify) {
      errors.push(field.invalid(insecure, true, 'local APIServices may not have insecureSkipTLSVerify'));
    }
    return errors;
  }
  if (!service.namespace) errors.push(field.required(at.child('service', 'namespace')));
  if (!service.name) errors.push(field.required(at.child('service', 'name')));
  const port = service.port ?? 443;
  for (const problem of portProblems(port)) {
    errors.push(field.invalid(at.child('service', 'port'), port, `port is not valid: ${problem}`));
  }
  if (insecureSkipTLSVerify && caBundle) {
    errors.push(field.invalid(insecure, true, 'may not be true if caBundle is present'));
  }
  return errors;
}
