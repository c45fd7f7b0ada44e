import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import type { Definition, DefinitionVersion } from './custom-kind.ts';

/** The rules of one version of a custom resource. */
export interface CustomStrategies {
  readonly main: Strategy;
  /** Of the status subresource, where the version has one. */
  readonly status: StatusSubresource['strategy'];
}

export function strategiesOf(_definition: Definition, version: DefinitionVersion): CustomStrategies {
  const hasStatus = version.subresources?.status !== undefined;
  const main: Strategy = {
    generation: 'count',
    allowUnconditionalUpdate: false,
    ...(hasStatus ? { resetFields: ['status'] } : {}),
    prepareForCreate: (_ctx, draft) => {
      if (hasStatus) dropStatus(draft);
    },
    prepareForUpdate: (_ctx, draft, old) => {
      if (hasStatus) keepStatus(draft, old);
    },
    generationChanged: (draft, old) => !sameJson(counted(draft, hasStatus), counted(old, hasStatus)),
  };
  const status: CustomStrategies['status'] = {
    resetFields: ['spec'],
    allowUnconditionalUpdate: false,
    prepareForUpdate: (_ctx, draft, old) => keepAllButStatusAndOwnership(draft, old),
  };
  return { main, status };
}

/** What a change of which counts in `metadata.generation`: everything but metadata, and status where it is a subresource. */
function counted(object: DeepReadonly<ApiObject>, hasStatus: boolean): Record<string, unknown> {
  const left: Record<string, unknown> = { ...object };
  for (const key of ['apiVersion', 'kind', 'metadata']) delete left[key];
  if (hasStatus) delete left['status'];
  return left;
}

/** Writers of the status change the status alone; who owns what is written down beside it. */
function keepAllButStatusAndOwnership(draft: ApiObject, old: DeepReadonly<ApiObject>): void {
  const target = draft as Record<string, unknown>;
  const { status } = target;
  const { managedFields, resourceVersion } = draft.metadata ?? {};
  for (const key of Object.keys(target)) delete target[key];
  Object.assign(target, structuredClone(old));
  const metadata = draft.metadata as Record<string, unknown>;
  metadata['resourceVersion'] = resourceVersion;
  if (managedFields === undefined) delete metadata['managedFields'];
  else metadata['managedFields'] = managedFields;
  if (status === undefined) delete target['status'];
  else target['status'] = status;
}
