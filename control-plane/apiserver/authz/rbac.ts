import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../../api/types/rbac/v1.generated.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import type { Authorizer, Verdict } from './authorizer.ts';

/** What RBAC decides by: the present roles and bindings, and a number that changes with every change of one of them. */
export interface RbacObjects {
  version(): number;
  clusterRoles(): readonly DeepReadonly<ClusterRole>[];
  clusterRoleBindings(): readonly DeepReadonly<ClusterRoleBinding>[];
  roles(): readonly DeepReadonly<Role>[];
  roleBindings(): readonly DeepReadonly<RoleBinding>[];
}

export type Rule = DeepReadonly<PolicyRule>;

/** Rules that somebody has, and where they come from. `namespace` '' is the whole cluster. */
export interface Grant {
  readonly namespace: string;
  readonly rules: readonly Rule[];
  /** `ClusterRoleBinding "cluster-admin" of ClusterRole "cluster-admin" to Group "system:masters"`. */
  readonly by: string;
  /** The role that the binding names does not exist. */
  readonly missingRole?: string;
}

const MASTERS = 'system:masters';

/**
 * Role-based access control (API concept "Using RBAC Authorization"): a request is allowed when a rule of a role that is
 * bound to the user or one of its groups covers it, in its namespace or in the whole cluster. Nothing is ever denied.
 *
 * Bindings are indexed by subject; the index is made anew when a role or binding has changed.
 */
export class RbacAuthorizer implements Authorizer {
  readonly name = 'RBAC';
  readonly #objects: RbacObjects;
  #version = -1;
  #bySubject = new Map<string, Grant[]>();

  constructor(objects: RbacObjects) {
    this.#objects = objects;
  }

  authorize(user: UserInfo, attributes: RequestAttributes): Verdict {
    if (user.groups.includes(MASTERS)) return { decision: 'allow' };
    const missing = new Set<string>();
    for (const grant of this.grants(user, attributes.namespace)) {
      if (grant.missingRole) missing.add(grant.missingRole);
      if (grant.rules.some((rule) => covers(rule, attributes)))
        return { decision: 'allow', reason: `RBAC: allowed by ${grant.by}` };
    }
    if (missing.size === 0) return { decision: 'none' };
    return { decision: 'none', reason: `RBAC: ${aggregate([...missing])}` };
  }

  /** Everything that binds to the user in `namespace`, and in the whole cluster. */
  *grants(user: UserInfo, namespace: string): Generator<Grant> {
    this.#refresh();
    for (const key of subjectKeys(user)) {
      for (const grant of this.#bySubject.get(key) ?? []) {
        if (grant.namespace === '' || grant.namespace === namespace) yield grant;
      }
    }
  }

  #refresh(): void {
    const version = this.#objects.version();
    if (version === this.#version) return;
    this.#version = version;
    this.#bySubject = index(this.#objects);
  }
}

function index(objects: RbacObjects): Map<string, Grant[]> {
  const clusterRoles = new Map(objects.clusterRoles().map((role) => [nameOf(role), role]));
  const roles = new Map(objects.roles().map((role) => [`${role.metadata?.namespace}/${nameOf(role)}`, role]));
  const bySubject = new Map<string, Grant[]>();
  const add = (binding: DeepReadonly<RoleBinding | ClusterRoleBinding>, kind: string, namespace: string) => {
    const { kind: roleKind, name } = binding.roleRef;
    const role = roleKind === 'Role' ? roles.get(`${namespace}/${name}`) : clusterRoles.get(name);
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      if (key === undefined) continue;
      const where = namespace === '' ? `"${nameOf(binding)}"` : `"${nameOf(binding)}/${namespace}"`;
      const by = `${kind} ${where} of ${roleKind} "${name}" to ${subject.kind} "${subject.namespace ? `${subject.name}/${subject.namespace}` : subject.name}"`;
      const missing = role
        ? {}
        : {
            missingRole: `${roleKind === 'Role' ? 'role' : 'clusterrole'}.rbac.authorization.k8s.io "${name}" not found`,
          };
      const grant = { namespace, rules: role?.rules ?? [], by, ...missing };
      const grants = bySubject.get(key);
      if (grants) grants.push(grant);
      else bySubject.set(key, [grant]);
    }
  };
  for (const binding of objects.clusterRoleBindings()) add(binding, 'ClusterRoleBinding', '');
  for (const binding of objects.roleBindings()) add(binding, 'RoleBinding', binding.metadata?.namespace ?? '');
  return bySubject;
}

const nameOf = (object: DeepReadonly<ApiObject>) => object.metadata?.name ?? '';

function subjectKey(subject: DeepReadonly<Subject>, namespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `u:${subject.name}`;
    case 'Group':
      return `g:${subject.name}`;
    case 'ServiceAccount':
      return `u:system:serviceaccount:${subject.namespace || namespace}:${subject.name}`;
    default:
      return undefined;
  }
}

function* subjectKeys(user: UserInfo): Generator<string> {
  yield `u:${user.name}`;
  for (const group of user.groups) yield `g:${group}`;
}

const aggregate = (texts: readonly string[]) => (texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);

/** Whether a rule allows a request. */
export function covers(rule: Rule, attributes: RequestAttributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResourceRequest)
    return (rule.nonResourceURLs ?? []).some((pattern) => matchesPath(pattern, attributes.path));
  const { group, resource, subresource, name } = attributes;
  return (
    hasOrAll(rule.apiGroups, group) &&
    matchesResource(rule.resources ?? [], resource, subresource) &&
    ((rule.resourceNames ?? []).length === 0 || (rule.resourceNames ?? []).includes(name))
  );
}

function hasOrAll(list: readonly string[] | undefined, value: string): boolean {
  return (list ?? []).some((item) => item === '*' || item === value);
}

function matchesResource(resources: readonly string[], resource: string, subresource: string): boolean {
  const wanted = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(
    (item) => item === '*' || item === wanted || (subresource !== '' && item === `*/${subresource}`),
  );
}

/** `/healthz`, `/api/*`, `*`. */
function matchesPath(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1));
}
