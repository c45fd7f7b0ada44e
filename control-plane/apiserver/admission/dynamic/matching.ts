/** Which requests the rules and selectors of policies, bindings and webhooks are about. */
import { namespaces } from '../../../../api/resources.ts';
import type {
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../../../../api/types/admissionregistration/v1.generated.ts';
import type { LabelSelector } from '../../../../api/types/meta/v1.generated.ts';
import type { DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry } from '../../../../libs/kind/registry.ts';
import { notFound } from '../../../../libs/machinery/errors.ts';
import { type LabelSelectorSpec, labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import type { Form, Subject } from './subject.ts';

type Rule = DeepReadonly<NamedRuleWithOperations | RuleWithOperations>;

/** Whether a rule is about a request upon this version of its resource. */
export function ruleMatches(rule: Rule, { resource }: Form, request: DeepReadonlyAdmission): boolean {
  const has = (list: readonly string[] | undefined, value: string) =>
    (list ?? []).some((item) => item === '*' || item === value);
  const names = 'resourceNames' in rule ? (rule.resourceNames ?? []) : [];
  return (
    scopeMatches(rule.scope, request) &&
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, resource.group) &&
    has(rule.apiVersions, resource.version) &&
    (rule.resources ?? []).some((text) => resourceMatches(text, resource.resource, request.subresource)) &&
    (names.length === 0 || names.includes(request.name))
  );
}

function scopeMatches(scope: string | undefined, { namespace }: DeepReadonlyAdmission): boolean {
  if (scope === 'Namespaced') return namespace !== '';
  return scope !== 'Cluster' || namespace === '';
}

/** `pods`, `pods/exec`, `pods/*`, `*` (no subresources), `*∕scale`, `*∕*`. */
function resourceMatches(text: string, resource: string, subresource: string): boolean {
  const slash = text.indexOf('/');
  const [wantedResource, wantedSub] = slash === -1 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)];
  return (wantedResource === '*' || wantedResource === resource) && (wantedSub === '*' || wantedSub === subresource);
}

export interface Constraints {
  readonly rules: readonly Rule[];
  readonly excluded?: readonly Rule[];
  /** False: other versions of the same resource do not count. */
  readonly equivalent: boolean;
  readonly namespaceSelector: DeepReadonly<LabelSelector> | undefined;
  readonly objectSelector: DeepReadonly<LabelSelector> | undefined;
}

export function constraintsOf(resources: DeepReadonly<MatchResources> | undefined): Constraints {
  return {
    rules: resources?.resourceRules ?? [],
    excluded: resources?.excludeResourceRules ?? [],
    equivalent: resources?.matchPolicy !== 'Exact',
    namespaceSelector: resources?.namespaceSelector,
    objectSelector: resources?.objectSelector,
  };
}

/** The version of the resource by which constraints match, or undefined. No rules match everything, for bindings. */
export async function match(
  constraints: Constraints,
  subject: Subject,
  registry: Registry,
  emptyRules: 'everything' | 'nothing',
): Promise<Form | undefined> {
  const { rules, excluded = [], equivalent } = constraints;
  const find = (list: readonly Rule[]) => {
    const forms = equivalent ? [subject.asSent, ...subject.equivalents] : [subject.asSent];
    return forms.find((form) => list.some((rule) => ruleMatches(rule, form, subject.request)));
  };
  if (find(excluded)) return undefined;
  const form = rules.length === 0 && emptyRules === 'everything' ? subject.asSent : find(rules);
  if (!form || !objectSelected(constraints.objectSelector, subject.request)) return undefined;
  return (await namespaceSelected(constraints.namespaceSelector, subject.request, registry)) ? form : undefined;
}

const isEmpty = (selector: DeepReadonly<LabelSelector> | undefined) =>
  !selector || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);

/** Labels are looked at as they were sent, whatever version is going to be shown. */
function objectSelected(
  selector: DeepReadonly<LabelSelector> | undefined,
  { object, oldObject, body }: DeepReadonlyAdmission,
): boolean {
  if (isEmpty(selector)) return true;
  const compiled = labelSelectorOf(selector as LabelSelectorSpec);
  const selected = (one: DeepReadonly<ApiObject> | undefined) => {
    const shown = one && body?.show ? (body.show(one) as DeepReadonly<ApiObject>) : one;
    return shown?.metadata !== undefined && compiled.matches(shown.metadata.labels ?? {});
  };
  return selected(object) || selected(oldObject);
}

async function namespaceSelected(
  selector: DeepReadonly<LabelSelector> | undefined,
  request: DeepReadonlyAdmission,
  registry: Registry,
): Promise<boolean> {
  if (isEmpty(selector)) return true;
  const labels = await namespaceLabels(request, registry);
  return labels === undefined || labelSelectorOf(selector as LabelSelectorSpec).matches(labels);
}

/** The labels of the request's namespace, or of the namespace that it is about; undefined for other cluster-wide things. */
async function namespaceLabels(
  { kind, operation, subresource, name, namespace, object }: DeepReadonlyAdmission,
  registry: Registry,
): Promise<Readonly<Record<string, string>> | undefined> {
  const isNamespace = kind.group === '' && kind.resource === 'namespaces';
  if (!isNamespace && namespace === '') return undefined;
  if (isNamespace && subresource === '' && object && (operation === 'CREATE' || operation === 'UPDATE')) {
    return object.metadata?.labels ?? {};
  }
  const wanted = isNamespace ? name : namespace;
  const found = await registry.get(namespaces, '', wanted);
  if (!found) throw notFound(namespaces, wanted);
  return found.metadata.labels ?? {};
}
