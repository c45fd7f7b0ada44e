import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { definitionTerminating } from '../../../libs/machinery/errors.ts';
import type * as field from '../../../libs/machinery/field-errors.ts';
import type { GroupResource } from '../../../libs/machinery/gvk.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import { validateUpdateMetadata } from '../registry/metadata.ts';
import type { VersionRules } from './rules.ts';

/** The rules of one version of a custom resource. */
export interface CustomStrategies {
  readonly main: Strategy;
  /** Of the status subresource, where the version has one. */
  readonly status: StatusSubresource['strategy'];
}

/** `terminating`: this resource's definition is on its way out, so nothing new comes to be. */
export function strategiesOf(rules: VersionRules, hasStatus: boolean, terminating?: GroupResource): CustomStrategies {
  const check = (draft: DeepReadonly<ApiObject>, old: DeepReadonly<ApiObject> | undefined, part: 'all' | 'status') =>
    rules.check(draft, old, part);
  const main: Strategy = {
    generation: 'count',
    allowUnconditionalUpdate: false,
    ...(hasStatus ? { resetFields: ['status'] } : {}),
    defaults: rules.defaults,
    prepareForCreate: (_ctx, draft) => {
      if (terminating) throw definitionTerminating(terminating, 'create');
      if (!hasStatus) return;
      dropStatus(draft);
      // What a status is by default, it is from the beginning.
      rules.defaults(draft);
    },
    prepareForUpdate: (_ctx, draft, old) => {
      if (hasStatus) keepStatus(draft, old);
    },
    generationChanged: (draft, old) => !sameJson(counted(draft, hasStatus), counted(old, hasStatus)),
    validate: (draft, ctx) => told(check(draft, undefined, 'all'), ctx.warnings),
    // Upstream checks the metadata of custom resources twice, and tells what it finds as often.
    validateUpdate: (draft, old, ctx) => [
      ...validateUpdateMetadata(draft, old, true),
      ...told(check(draft, old, 'all'), ctx.warnings),
    ],
  };
  const status: CustomStrategies['status'] = {
    resetFields: ['spec', 'metadata'],
    allowUnconditionalUpdate: false,
    defaults: rules.defaults,
    prepareForUpdate: (_ctx, draft, old) => keepAllButStatusAndOwnership(draft, old),
    validateUpdate: (draft, old, ctx) => told(check(draft, old, 'status'), ctx.warnings),
  };
  return { main, status };
}

function told(
  verdict: { readonly errors: field.ErrorList; readonly warnings: readonly string[] },
  warnings: { add(text: string): void },
): field.ErrorList {
  for (const text of verdict.warnings) warnings.add(text);
  return verdict.errors;
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
