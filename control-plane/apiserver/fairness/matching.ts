import type {
  FlowSchema,
  NonResourcePolicyRule,
  ResourcePolicyRule,
  Subject,
} from '../../../api/types/flowcontrol/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';

type Schema = DeepReadonly<FlowSchema>;

/** The first schema whose rules fit, by precedence and then by name; `sorted` is in that order. */
export function matchSchema(
  sorted: readonly Schema[],
  user: UserInfo,
  attributes: RequestAttributes,
): Schema | undefined {
  return sorted.find(({ spec }) =>
    (spec.rules ?? []).some(
      (rule) =>
        (rule.subjects ?? []).some((subject) => isSubject(subject, user)) &&
        (attributes.isResourceRequest
          ? (rule.resourceRules ?? []).some((one) => fitsResource(one, attributes))
          : (rule.nonResourceRules ?? []).some((one) => fitsPath(one, attributes))),
    ),
  );
}

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
      if (!serviceAccount) return false;
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
