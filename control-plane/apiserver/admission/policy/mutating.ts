/** MutatingAdmissionPolicy: policies in CEL that change what is written. */
import {
  APPLY_CONFIGURATION,
  compileExpression,
  type Expression,
  JSON_PATCHES,
} from '../../../../api/admissionregistration/expressions.ts';
import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
} from '../../../../api/types/admissionregistration/v1.generated.ts';
import { jsonOfValue, valueOfJson } from '../../../../libs/cel/json.ts';
import { ListValue, type Value } from '../../../../libs/cel/values.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry } from '../../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { type StructureNode, Structures } from '../../../../libs/machinery/apply/structure.ts';
import { checkTyped, mergeTyped } from '../../../../libs/machinery/apply/typed.ts';
import { ApiError } from '../../../../libs/machinery/errors.ts';
import { applyJsonPatch, type JsonPatchOperation } from '../../../../libs/machinery/patch/json-patch.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { SchemaSet } from '../../../../libs/machinery/schema/ir.ts';
import type { KindSet } from '../../registry/kind-set.ts';
import { takeOver } from '../dynamic/change.ts';
import {
  type Decide,
  matchConditions,
  POLICY_COST_MAX,
  run,
  type Values,
  valuesOf,
  variablesValue,
} from '../dynamic/expressions.ts';
import { ReinvocationNotes } from '../dynamic/reinvocation.ts';
import { type Form, type Subject, subjectOf } from '../dynamic/subject.ts';
import { refused } from '../refusal.ts';
import { type CompiledPolicy, compilePolicy, Hooks, isExempt, type Meeting, meetings, type Source } from './hooks.ts';

const NAME = 'MutatingAdmissionPolicy';

type Policy = MutatingAdmissionPolicy;
type Binding = MutatingAdmissionPolicyBinding;
type Json = Readonly<Record<string, unknown>>;

interface CompiledMutation {
  readonly type: string;
  readonly source: string;
  readonly expression: Expression;
}

interface Compiled extends CompiledPolicy<Policy> {
  readonly mutations: readonly CompiledMutation[];
}

function compile(policy: DeepReadonly<Policy>): Compiled {
  const base = compilePolicy<Policy>(policy, true);
  const { types } = base.variables;
  const scope = { params: policy.spec?.paramKind !== undefined, authorizer: true, variables: types, mutation: true };
  return {
    ...base,
    mutations: (policy.spec?.mutations ?? []).map(({ patchType = '', applyConfiguration, jsonPatch }) => {
      const isApply = patchType === 'ApplyConfiguration';
      const source = ((isApply ? applyConfiguration : jsonPatch)?.expression ?? '').trim();
      const wanted = isApply ? APPLY_CONFIGURATION : JSON_PATCHES;
      return { type: patchType, source, expression: compileExpression(source, scope, wanted) };
    }),
  };
}

export interface MutatingPolicyOptions {
  readonly kinds: KindSet;
  /** The built-in schema. */
  readonly schema: SchemaSet;
  readonly policies: Source<Policy>;
  readonly bindings: Source<Binding>;
  readonly decide: Decide;
}

/** Why a mutation did not come about; told as the policy's failure. */
class MutationError extends Error {
  override readonly name = 'MutationError';
}

export function mutatingAdmissionPolicies(options: MutatingPolicyOptions): AdmissionPlugin {
  const { kinds, schema, policies, bindings, decide } = options;
  const hooks = new Hooks<Policy, Binding, Compiled>(policies, bindings, compile);

  async function mutate(
    ctx: RequestContext,
    request: AdmissionRequest,
    registry: Registry,
    meeting: Meeting<Compiled, Binding>,
    params: Value,
  ): Promise<'unmatched' | 'same' | 'changed'> {
    const { compiled, form } = meeting;
    const subject = () => subjectOf(kinds, request as Parameters<typeof subjectOf>[1]);
    const given = { ...(await valuesOf(ctx, subject(), form, registry, decide)), params };
    const matched = matchConditions(compiled.conditions, given);
    if (matched.error !== undefined) throw new MutationError(matched.error);
    if (!matched.matches) return 'unmatched';
    const budget = { left: POLICY_COST_MAX };
    let changed = false;
    for (const mutation of compiled.mutations) {
      const now = subject();
      await now.prepare(form, ctx.ends.signal);
      const { object } = now.show(form);
      // Each mutation sees what those before it have made.
      const seen: Values = { ...given, object: valueOfJson(object) };
      const { types, expressions } = compiled.variables;
      const values = { ...seen, variables: variablesValue(types, expressions, seen, budget) };
      const found = run(mutation.source, mutation.expression, values, budget);
      if (found.error !== undefined) throw new MutationError(found.error);
      const next = patched(mutation, found.value, object as Json, now, form, schema);
      if (next === undefined || sameValue(next, object)) continue;
      await takeOver(ctx, request, now, form, next, schema);
      changed = true;
    }
    return changed ? 'changed' : 'same';
  }

  return {
    name: NAME,
    handles: (request) => request.operation !== 'DELETE' && !isExempt(request) && hooks.all.length > 0,
    async admit(ctx, request, registry) {
      const notes = ReinvocationNotes.of(request, NAME);
      const subject = subjectOf(kinds, request as Parameters<typeof subjectOf>[1]);
      for (const meeting of await meetings(hooks, { subject, registry, kinds })) {
        const { compiled, bindingName } = meeting;
        const refuse = (why: string) => {
          if (compiled.policy.spec?.failurePolicy === 'Ignore') return;
          throw broken(request, `policy '${compiled.name}' with binding '${bindingName}' denied request: ${why}`);
        };
        if (meeting.error !== undefined) {
          refuse(meeting.error);
          continue;
        }
        for (const [i, params] of meeting.params.entries()) {
          const key = `${compiled.name}/${bindingName}/${i}`;
          if (!notes.shallCall(request, key)) continue;
          try {
            const came = await mutate(ctx, request, registry, meeting, valueOfJson(params));
            if (came === 'unmatched') continue;
            if (compiled.policy.spec?.reinvocationPolicy === 'IfNeeded') notes.called(key);
            if (came === 'changed') {
              notes.requireEarlierOnes();
              if (request.again) request.again.wanted = true;
            }
          } catch (error) {
            if (error instanceof ApiError) throw error;
            refuse((error as Error).message);
          }
        }
      }
      notes.finish(request);
    },
  };
}

/** A policy that failed: 403, though the reason is that of an invalid object. */
function broken(request: AdmissionRequest, text: string): ApiError {
  const { status } = refused(request as Parameters<typeof refused>[0], '');
  return new ApiError({
    ...status,
    message: text,
    reason: 'Invalid',
    details: { ...status.details, causes: [{ message: text }] },
  });
}

/** The object as a mutation wants it; undefined where a patch's test says that nothing is to be done. */
function patched(
  { type }: CompiledMutation,
  value: Value,
  object: Json,
  subject: Subject,
  form: Form,
  builtin: SchemaSet,
): unknown {
  if (type === 'JSONPatch') return patchedByJson(value, object);
  const { request } = subject;
  const resource = subject.resourceOf(form);
  const [schema, name] = request.body ? [builtin, request.body.type] : [resource?.schema, resource?.served.type];
  if (!schema || name === undefined) throw new MutationError('the kind is not served any more');
  const structure = new Structures(schema).of({ k: 'ref', name });
  const applied = { ...(jsonOfValue(value) as Json), apiVersion: object['apiVersion'], kind: object['kind'] };
  checkTyped(structure, applied);
  const atomic = atomicPath(structure, applied, '');
  if (atomic !== undefined) {
    throw new MutationError(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic}`,
    );
  }
  return mergeTyped(structure, object, applied);
}

function patchedByJson(value: Value, object: Json): unknown {
  const operations = value instanceof ListValue ? (jsonOfValue(value) as JsonPatchOperation[]) : [];
  let document: unknown = object;
  for (const operation of operations) {
    if (operation.op !== 'test') {
      document = applyJsonPatch(document, [operation]);
      continue;
    }
    try {
      applyJsonPatch(document, [operation]);
    } catch {
      return undefined;
    }
  }
  return document;
}

/** The first part of an applied object that is owned as a whole: such parts cannot be changed by merging. */
function atomicPath(node: StructureNode, value: unknown, at: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ((node.kind === 'struct' || node.kind === 'map' || node.kind === 'any') && node.atomic) return at;
  if (node.kind === 'list') {
    if (node.listType === 'atomic') return at;
    if (!Array.isArray(value)) return undefined;
    return value.map((item, i) => atomicPath(node.of, item, `${at}[${i}]`)).find((path) => path !== undefined);
  }
  if (node.kind === 'scalar' || node.kind === 'any') return undefined;
  for (const [name, one] of Object.entries(value)) {
    const below = node.kind === 'map' ? node.of : node.fields.get(name)?.node;
    const found = below && atomicPath(below, one, `${at}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
