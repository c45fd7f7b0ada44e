import { formatTime } from '../../../libs/base/clock.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { dropStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { CertificateSigningRequest } from '../../types/certificates/v1.generated.ts';
import { validateCertificateSigningRequest, validateStatusUpdate } from './validation.ts';

type Request = CertificateSigningRequest;

export const strategy: Strategy<Request> = {
  resetFields: ['spec', 'status'],
  validateName: pathSegmentName,
  prepareForCreate(ctx, draft) {
    dropStatus(draft);
    setRequester(ctx, draft);
  },
  prepareForUpdate(_ctx, draft, old) {
    // What was asked for, and what became of it, is not for later writers to say.
    draft.spec = structuredClone(old.spec) as Request['spec'];
    takeStatus(draft, old);
  },
  validate: validateCertificateSigningRequest,
};

/** Who asks is who is authenticated, whatever the object says. */
function setRequester(ctx: RequestContext, draft: Request): void {
  const spec = draft.spec ?? (draft.spec = {} as Request['spec']);
  const { name, uid, groups, extra } = ctx.user;
  for (const part of ['username', 'uid', 'groups', 'extra'] as const) delete spec[part];
  spec.username = name;
  if (uid) spec.uid = uid;
  if (groups.length > 0) spec.groups = [...groups];
  const entries = Object.entries(extra);
  if (entries.length > 0) spec.extra = Object.fromEntries(entries.map(([key, values]) => [key, [...values]]));
}

function takeStatus(draft: Request, old: DeepReadonly<Request>): void {
  if (old.status === undefined) delete draft.status;
  else draft.status = structuredClone(old.status) as Request['status'];
}

/** New and changed conditions tell when. */
function stampConditions(ctx: RequestContext, draft: Request, old: DeepReadonly<Request>): void {
  const now = formatTime(ctx.nowMs);
  for (const condition of draft.status?.conditions ?? []) {
    const was = old.status?.conditions?.find(({ type }) => type === condition.type);
    condition.lastUpdateTime ??= was?.lastUpdateTime ?? now;
    if (condition.lastTransitionTime) continue;
    condition.lastTransitionTime = was && was.status === condition.status ? (was.lastTransitionTime ?? now) : now;
  }
}

export const statusStrategy: StatusSubresource<Request>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate(ctx, draft, old) {
    draft.spec = structuredClone(old.spec) as Request['spec'];
    keepDecisions(draft, old);
    stampConditions(ctx, draft, old);
  },
  validateUpdate: (draft, old) => validateStatusUpdate(draft, old, 'status'),
};

/** Decisions are made through `approval`; here those that are there stay. */
function keepDecisions(draft: Request, old: DeepReadonly<Request>): void {
  const decided = (type: string) => type === 'Approved' || type === 'Denied';
  const kept = (old.status?.conditions ?? []).filter(({ type }) => decided(type));
  const conditions = draft.status?.conditions ?? [];
  const own = conditions.filter(({ type }) => decided(type));
  const missing = kept.filter(({ type }) => !own.some((one) => one.type === type));
  if (missing.length === 0 && sameValue(own, kept)) return;
  draft.status ??= {};
  draft.status.conditions = [...(structuredClone(missing) as typeof conditions), ...conditions];
}

export const approvalStrategy: StatusSubresource<Request>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate(ctx, draft, old) {
    const { conditions } = draft.status ?? {};
    draft.spec = structuredClone(old.spec) as Request['spec'];
    takeStatus(draft, old);
    if (conditions || draft.status) draft.status = { ...draft.status, conditions };
    if (!conditions) delete draft.status?.conditions;
    stampConditions(ctx, draft, old);
  },
  validateUpdate: (draft, old) => validateStatusUpdate(draft, old, 'approval'),
};
