/** Policies with their bindings and parameters: which of them a request meets. */
import {
  CONDITION,
  compileExpression,
  compileVariables,
  type Expression,
} from '../../../../api/admissionregistration/expressions.ts';
import type {
  MatchCondition,
  MatchResources,
  ParamKind,
  ParamRef,
  Variable,
} from '../../../../api/types/admissionregistration/v1.generated.ts';
import type { Type } from '../../../../libs/cel/types.ts';
import type { AdmissionRequest, DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry } from '../../../../libs/kind/registry.ts';
import { parseApiVersion } from '../../../../libs/machinery/gvk.ts';
import { type LabelSelectorSpec, labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import type { KindSet, ServedResource } from '../../registry/kind-set.ts';
import type { Condition } from '../dynamic/expressions.ts';
import { constraintsOf, match } from '../dynamic/matching.ts';
import type { Form, Subject } from '../dynamic/subject.ts';

/** Objects that change seldom and are asked for with every request. */
export interface Source<T extends ApiObject> {
  /** Another number after each change. */
  version(): number;
  all(): readonly DeepReadonly<T>[];
}

export interface PolicyObject extends ApiObject {
  spec?: {
    failurePolicy?: string;
    paramKind?: ParamKind;
    matchConstraints?: MatchResources;
    matchConditions?: MatchCondition[];
    variables?: Variable[];
  };
}

export interface BindingObject extends ApiObject {
  spec?: { policyName?: string; paramRef?: ParamRef; matchResources?: MatchResources };
}

/** A policy with its expressions compiled. */
export interface CompiledPolicy<P extends PolicyObject> {
  readonly policy: DeepReadonly<P>;
  readonly name: string;
  readonly conditions: readonly Condition[];
  readonly variables: {
    readonly types: ReadonlyMap<string, Type>;
    readonly expressions: ReadonlyMap<string, Expression>;
  };
}

export function compilePolicy<P extends PolicyObject>(policy: DeepReadonly<P>, mutation: boolean): CompiledPolicy<P> {
  const spec = policy.spec as DeepReadonly<NonNullable<PolicyObject['spec']>> | undefined;
  const scope = { params: spec?.paramKind !== undefined, authorizer: true, mutation };
  return {
    policy,
    name: policy.metadata?.name ?? '',
    conditions: (spec?.matchConditions ?? []).map(({ name = '', expression = '' }) => ({
      name,
      source: expression.trim(),
      expression: compileExpression(expression.trim(), scope, CONDITION),
    })),
    variables: compileVariables(spec?.variables ?? [], scope),
  };
}

/** All policies of a kind, each with the bindings that name it; compiled anew when one of them has changed. */
export class Hooks<P extends PolicyObject, B extends BindingObject, C extends CompiledPolicy<P>> {
  readonly #policies: Source<P>;
  readonly #bindings: Source<B>;
  readonly #compile: (policy: DeepReadonly<P>) => C;
  #version = -1;
  #hooks: readonly { readonly compiled: C; readonly bindings: readonly DeepReadonly<B>[] }[] = [];
  #compiled = new Map<DeepReadonly<P>, C>();

  constructor(policies: Source<P>, bindings: Source<B>, compile: (policy: DeepReadonly<P>) => C) {
    this.#policies = policies;
    this.#bindings = bindings;
    this.#compile = compile;
  }

  /** Those that have a binding, by name. */
  get all() {
    const version = this.#policies.version() + this.#bindings.version();
    if (version === this.#version) return this.#hooks;
    this.#version = version;
    const bound = Map.groupBy(this.#bindings.all(), (binding) => binding.spec?.policyName ?? '');
    const compiled = new Map<DeepReadonly<P>, C>();
    const hooks = [];
    for (const policy of this.#policies.all()) {
      const bindings = bound.get(policy.metadata?.name ?? '');
      if (!bindings) continue;
      const one = this.#compiled.get(policy) ?? this.#compile(policy);
      compiled.set(policy, one);
      hooks.push({ compiled: one, bindings: bindings.sort(byName) });
    }
    this.#compiled = compiled;
    this.#hooks = hooks.sort((a, b) => (a.compiled.name < b.compiled.name ? -1 : 1));
    return this.#hooks;
  }
}

const byName = (a: DeepReadonly<ApiObject>, b: DeepReadonly<ApiObject>) =>
  (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;

const POLICY_KINDS: ReadonlySet<string> = new Set([
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);

/** Who somebody is and what they may do: a policy upon these could lock everybody out. */
const REVIEW_GROUPS: ReadonlySet<string> = new Set(['authentication.k8s.io', 'authorization.k8s.io']);

/** Policies say nothing about policies, so that a bad one can always be taken away, and nothing about reviews. */
export function isExempt({ kind }: AdmissionRequest | DeepReadonlyAdmission): boolean {
  if (kind.group === 'admissionregistration.k8s.io') return POLICY_KINDS.has(kind.resource);
  return kind.virtual !== undefined && REVIEW_GROUPS.has(kind.group);
}

/** One binding of a policy that a request meets. */
export interface Meeting<C, B> {
  readonly compiled: C;
  readonly binding: DeepReadonly<B>;
  readonly bindingName: string;
  readonly form: Form;
  /** The parameters, each of which must be content; null: the policy has none. */
  readonly params: readonly (DeepReadonly<ApiObject> | null)[];
  /** Why there are no parameters where there ought to be. */
  readonly error?: string;
}

export interface Meet {
  readonly subject: Subject;
  readonly registry: Registry;
  readonly kinds: KindSet;
}

/** The bindings that a request meets, in their order. */
export async function meetings<P extends PolicyObject, B extends BindingObject, C extends CompiledPolicy<P>>(
  hooks: Hooks<P, B, C>,
  meet: Meet,
): Promise<Meeting<C, B>[]> {
  const found: Meeting<C, B>[] = [];
  for (const { compiled, bindings } of hooks.all) {
    const form = await match(
      constraintsOf(compiled.policy.spec?.matchConstraints),
      meet.subject,
      meet.registry,
      'nothing',
    );
    if (!form) continue;
    for (const binding of bindings) {
      const resources = binding.spec?.matchResources;
      if (resources && !(await match(constraintsOf(resources), meet.subject, meet.registry, 'everything'))) continue;
      const common = { compiled, binding, bindingName: binding.metadata?.name ?? '', form };
      found.push({ ...common, ...(await paramsOf(compiled.policy.spec?.paramKind, binding.spec?.paramRef, meet)) });
    }
  }
  return found;
}

type Params = Pick<Meeting<unknown, unknown>, 'params' | 'error'>;

async function paramsOf(
  paramKind: DeepReadonly<ParamKind> | undefined,
  ref: DeepReadonly<ParamRef> | undefined,
  { kinds, subject, registry }: Meet,
): Promise<Params> {
  if (!paramKind) return { params: [null] };
  const { apiVersion = '', kind = '' } = paramKind as { readonly apiVersion?: string; readonly kind?: string };
  const resource = kinds.served.find((one) => one.apiVersion === apiVersion && one.kind.kind === kind);
  if (!resource) {
    const { group, version } = parseApiVersion(apiVersion);
    const named = `${group === '' ? '' : `${group}/`}${version}, Kind=${kind}`;
    return {
      params: [],
      error: `failed to configure policy: failed to find resource referenced by paramKind: '${named}'`,
    };
  }
  if (!ref) return { params: [null] };
  const wrong = (why: string): Params => ({ params: [], error: `failed to configure binding: ${why}` });
  let namespace = ref.namespace ?? '';
  if (!resource.kind.namespaced && namespace !== '') {
    return wrong('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  }
  if (resource.kind.namespaced && namespace === '') {
    namespace = subject.request.namespace;
    if (namespace === '') {
      return wrong('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
    }
  }
  const params = await find(registry, resource, namespace, ref);
  if (params.length > 0) return { params };
  if (ref.parameterNotFoundAction !== 'Deny') return { params };
  return wrong('no params found for policy binding with `Deny` parameterNotFoundAction');
}

async function find(
  registry: Registry,
  { group, version, kind }: ServedResource,
  namespace: string,
  { name, selector }: DeepReadonly<ParamRef>,
): Promise<readonly DeepReadonly<ApiObject>[]> {
  const ref = { group, version, resource: kind.resource, kind: kind.kind, namespaced: kind.namespaced };
  if (name) {
    const found = await registry.get(ref, namespace, name);
    return found ? [found] : [];
  }
  const compiled = labelSelectorOf(selector as LabelSelectorSpec | undefined);
  return (await registry.list(ref, namespace)).filter(({ metadata }) => compiled.matches(metadata.labels ?? {}));
}
