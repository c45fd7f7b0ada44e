import { formatTime } from '../../../../libs/base/clock.ts';
import type { ActionSubresource, StatusSubresource } from '../../../../libs/kind/kind.ts';
import type { ApiObject } from '../../../../libs/kind/object.ts';
import type { Registry, SharedDraft } from '../../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { badRequest, conflict, uidPrecondition, unclassified } from '../../../../libs/machinery/errors.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { pods } from '../../../resources.ts';
import type { Binding, Pod } from '../../../types/core/v1.generated.ts';

/** Assigns the pod to a node: the scheduler's last word. */
export const binding: ActionSubresource<Binding> = {
  form: 'action',
  gvk: { group: '', version: 'v1', kind: 'Binding' },
  type: 'core.v1.Binding',
  run: (ctx, registry, body) => bindPod(ctx, registry, body, ctx.attributes.name),
};

/** The answer to an action that says no more than that it was done. */
export const DONE: ApiObject = Object.freeze({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 201,
}) as ApiObject;

/** Throws `ApiError`: 400 another name than the path's, 404, 409 dying, gated or bound already, 500 a bad target. */
export async function bindPod(
  ctx: RequestContext,
  registry: Registry,
  body: Binding,
  name: string,
): Promise<ApiObject> {
  if (body.metadata?.name !== name) throw badRequest('name in URL does not match name in Binding object');
  const errors = targetErrors(body);
  if (errors.length > 0) throw unclassified(field.aggregate(errors));
  const { namespace } = ctx.attributes;
  const wanted = body.metadata;
  await registry.update(
    ctx,
    pods,
    namespace,
    name,
    (pod) => {
      if (wanted.uid && wanted.uid !== pod.metadata.uid)
        throw uidPrecondition(pods, namespace, name, wanted.uid, pod.metadata.uid ?? '');
      assign(pod, body, name, ctx.nowMs);
    },
    { rules },
  );
  return DONE;
}

/** What a binding changes is not up to the checks of an ordinary update. */
const rules: StatusSubresource<Pod>['strategy'] = Object.freeze({});

function targetErrors({ target }: Binding): field.ErrorList {
  const at = field.path('target');
  const errors: field.ErrorList = [];
  if (target?.kind && target.kind !== 'Node') {
    errors.push(field.notSupported(at.child('kind'), target.kind, ['Node', '<empty>']));
  }
  if (!target?.name) errors.push(field.required(at.child('name')));
  return errors;
}

function assign(pod: SharedDraft<Pod>, body: Binding, name: string, nowMs: number): void {
  const refuse = (why: string) => conflict({ group: '', resource: 'pods/binding' }, name, why);
  const { metadata, spec, status } = pod;
  if (metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (spec.nodeName) throw refuse(`pod ${name} is already assigned to node "${spec.nodeName}"`);
  if ((spec.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec = { ...spec, nodeName: body.target.name as string };
  for (const name of ['annotations', 'labels'] as const) {
    if (body.metadata?.[name]) metadata[name] = { ...metadata[name], ...body.metadata[name] };
  }
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(nowMs) };
  pod.status = { ...status, conditions: [...others, scheduled] };
}
