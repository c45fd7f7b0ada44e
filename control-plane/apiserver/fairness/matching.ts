import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../../api/types/flowcontrol/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';

type Schema = DeepReadonly<FlowSchema>;

interface Candidate {
  readonly schema: Schema;
  readonly rule: DeepReadonly<PolicyRulesWithSubjects>;
}

/** Finds the schemas of requests. Made anew when a schema changes. */
export class SchemaMatcher {
  readonly #sorted: readonly Schema[];
  /** The rules with a subject that a user is, whatever is asked for: a user asks many times, as the same object. */
  readonly #candidates = new WeakMap<UserInfo, readonly Candidate[]>();

  /** `sorted`: by precedence and then by name (`sortSchemas`). */
  constructor(sorted: readonly Schema[]) {
    this.#sorted = sorted;
  }

  /** The first schema of which a rule fits. */
  match(user: UserInfo, attributes: RequestAttributes): Schema | undefined {
    let candidates = this.#candidates.get(user);
    if (!candidates) this.#candidates.set(user, (candidates = this.#candidatesOf(user)));
    // Every request comes by: walked by index, without an object for each step.
    for (let at = 0; at < candidates.length; at++) {
      const { schema, rule } = candidates[at] as Candidate;
      if (fits(rule, attributes)) return schema;
    }
    return undefined;
  }

  #candidatesOf(user: UserInfo): Candidate[] {
    const found: Candidate[] = [];
    for (let i = 0; i < this.#sorted.length; i++) {
      const schema = this.#sorted[i] as Schema;
      const rules = schema.spec.rules ?? NONE;
      for (let j = 0; j < rules.length; j++) {
        const rule = rules[j] as DeepReadonly<PolicyRulesWithSubjects>;
        if (rule.subjects?.some((subject) => isSubject(subject, user))) found.push({ schema, rule });
      }
    }
    return found;
  }
}

function fits(rule: DeepReadonly<PolicyRulesWithSubjects>, attributes: RequestAttributes): boolean {
  if (attributes.isResourceRequest) {
    const rules = rule.resourceRules ?? NONE;
    for (let at = 0; at < rules.length; at++) {
      if (fitsResource(rules[at] as DeepReadonly<ResourcePolicyRule>, attributes)) return true;
    }
  } else {
    for (const one of rule.nonResourceRules ?? NONE) if (fitsPath(one, attributes)) return true;
  }
  return false;
}

const NONE: readonly never[] = Object.freeze([]);

/** In the order in which they are asked. */
export function sortSchemas(schemas: readonly Schema[]): Schema[] {
  const precedence = ({ spec }: Schema) => spec.matchingPrecedence ?? 0;
  const name = ({ metadata }: Schema) => metadata.name ?? '';
  return [...schemas].sort((a, b) => precedence(a) - precedence(b) || (name(a) < name(b) ? -1 : 1));
}

/** What tells the flows of one schema apart: a user, a namespace, or nothing. */
export function flowOf({ metadata, spec }: Schema, user: UserInfo, { namespace }: RequestAttributes): string {
  const by = spec.distinguisherMethod?.type;
  return `${metadata.name}/${by === 'ByUser' ? user.name : by === 'ByNamespace' ? namespace : ''}`;
}

function isSubject({ kind, user: one, group, serviceAccount }: DeepReadonly<Subject>, user: UserInfo): boolean {
  switch (kind) {
    case 'User':
      return one !== undefined && (one.name === '*' || one.name === user.name);
    case 'Group':
      return group !== undefined && (group.name === '*' || user.groups.includes(group.name));
    case 'ServiceAccount': {
      if (!serviceAccount || !user.name.startsWith('system:serviceaccount:')) return false;
      const prefix = `system:serviceaccount:${serviceAccount.namespace}:`;
      return serviceAccount.name === '*'
        ? user.name.startsWith(prefix)
        : user.name === `${prefix}${serviceAccount.name}`;
    }
    default:
      return false;
  }
}

const has = (all: readonly string[] | null | undefined, one: string): boolean =>
  all !== undefined && all !== null && (all.includes('*') || all.includes(one));

function fitsResource(rule: DeepReadonly<ResourcePolicyRule>, attributes: RequestAttributes): boolean {
  const { verb, group, resource, subresource, namespace } = attributes;
  if (!has(rule.verbs, verb) || !has(rule.apiGroups, group)) return false;
  if (!has(rule.resources, subresource ? `${resource}/${subresource}` : resource)) return false;
  return namespace === '' ? rule.clusterScope === true : has(rule.namespaces, namespace);
}

function fitsPath(rule: DeepReadonly<NonResourcePolicyRule>, { verb, path }: RequestAttributes): boolean {
  return (
    has(rule.verbs, verb) &&
    (rule.nonResourceURLs ?? []).some((url) =>
      url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : path === url || path === `${url}/`,
    )
  );
}
