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
  clusterRole(name: string): DeepReadonly<ClusterRole> | undefined;
  role(namespace: string, name: string): DeepReadonly<Role> | undefined;
  clusterRoleBindings(): readonly DeepReadonly<ClusterRoleBinding>[];
  roleBindings(): readonly DeepReadonly<RoleBinding>[];
}

export type Rule = DeepReadonly<PolicyRule>;
type Binding = DeepReadonly<RoleBinding | ClusterRoleBinding>;

/**
 * Rules that somebody has, and where they come from; the verdict on whoever they cover. `namespace` '' is the whole
 * cluster. A cluster starts with many, and most are never asked: what is said of one is put together when it is.
 */
class Grant implements Verdict {
  readonly decision = 'allow';
  readonly namespace: string;
  /** What the same user or group has besides. No lists: literals that outlive their making hold ended clusters. */
  readonly next: Grant | undefined;
  readonly #objects: RbacObjects;
  readonly #binding: Binding;
  readonly #subject: DeepReadonly<Subject>;
  #rules: readonly Rule[] | undefined;
  #isMissing = false;

  constructor(
    objects: RbacObjects,
    namespace: string,
    binding: Binding,
    subject: DeepReadonly<Subject>,
    next: Grant | undefined,
  ) {
    this.#objects = objects;
    this.namespace = namespace;
    this.next = next;
    this.#binding = binding;
    this.#subject = subject;
  }

  get rules(): readonly Rule[] {
    if (this.#rules === undefined) {
      const { kind, name } = this.#binding.roleRef;
      const role = kind === 'Role' ? this.#objects.role(this.namespace, name) : this.#objects.clusterRole(name);
      this.#isMissing = role === undefined;
      this.#rules = role?.rules ?? [];
    }
    return this.#rules;
  }

  /** The role that the binding names and that does not exist. */
  get missingRole(): string | undefined {
    if (this.rules.length > 0 || !this.#isMissing) return undefined;
    const { kind, name } = this.#binding.roleRef;
    return `${kind === 'Role' ? 'role' : 'clusterrole'}.rbac.authorization.k8s.io "${name}" not found`;
  }

  /** `RBAC: allowed by ClusterRoleBinding "cluster-admin" of ClusterRole "cluster-admin" to Group "system:masters"`. */
  get reason(): string {
    const { kind, name } = this.#binding.roleRef;
    const binding = nameOf(this.#binding);
    const by = this.namespace === '' ? `ClusterRoleBinding "${binding}"` : `RoleBinding "${binding}/${this.namespace}"`;
    const { kind: whose, name: who, namespace } = this.#subject;
    return `RBAC: allowed by ${by} of ${kind} "${name}" to ${whose} "${namespace ? `${who}/${namespace}` : who}"`;
  }
}

const MASTERS = 'system:masters';
const ALLOWED: Verdict = { decision: 'allow' };

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
  #grants: Grants = { users: new Map(), groups: new Map() };

  constructor(objects: RbacObjects) {
    this.#objects = objects;
  }

  authorize(user: UserInfo, attributes: RequestAttributes): Verdict {
    if (user.groups.includes(MASTERS)) return ALLOWED;
    this.#refresh();
    const { users, groups } = this.#grants;
    let grant = firstCovering(users.get(user.name), attributes);
    for (let at = 0; !grant && at < user.groups.length; at++)
      grant = firstCovering(groups.get(user.groups[at] as string), attributes);
    if (grant) return grant;
    const missing = new Set<string>();
    for (const { missingRole } of this.grants(user, attributes.namespace)) if (missingRole) missing.add(missingRole);
    if (missing.size === 0) return { decision: 'none' };
    return { decision: 'none', reason: `RBAC: ${aggregate([...missing])}` };
  }

  /** Everything that binds to the user in `namespace`, and in the whole cluster. */
  *grants(user: UserInfo, namespace: string): Generator<Grant> {
    this.#refresh();
    const { users, groups } = this.#grants;
    for (const first of [users.get(user.name), ...user.groups.map((group) => groups.get(group))]) {
      for (let grant = first; grant; grant = grant.next) if (appliesIn(grant, namespace)) yield grant;
    }
  }

  #refresh(): void {
    const version = this.#objects.version();
    if (version === this.#version) return;
    this.#version = version;
    this.#grants = index(this.#objects);
  }
}

/** What is bound to users and to groups, by their names: the first of what each has. */
interface Grants {
  readonly users: ReadonlyMap<string, Grant>;
  readonly groups: ReadonlyMap<string, Grant>;
}

const appliesIn = (grant: Grant, namespace: string): boolean => grant.namespace === '' || grant.namespace === namespace;

/** Asked for every request, so it makes nothing while it looks. */
function firstCovering(first: Grant | undefined, attributes: RequestAttributes): Grant | undefined {
  for (let grant = first; grant; grant = grant.next) {
    if (!appliesIn(grant, attributes.namespace)) continue;
    const { rules } = grant;
    for (let j = 0; j < rules.length; j++) if (covers(rules[j] as Rule, attributes)) return grant;
  }
  return undefined;
}

function index(objects: RbacObjects): Grants {
  const users = new Map<string, Grant>();
  const groups = new Map<string, Grant>();
  const add = (binding: Binding, namespace: string) => {
    const subjects = binding.subjects ?? [];
    for (let i = subjects.length - 1; i >= 0; i--) {
      const subject = subjects[i] as DeepReadonly<Subject>;
      const bound = subject.kind === 'Group' ? groups : users;
      const key = subjectName(subject, namespace);
      if (key !== undefined) bound.set(key, new Grant(objects, namespace, binding, subject, bound.get(key)));
    }
  };
  // From the last to the first, each before what was added already.
  const bindings = objects.roleBindings();
  for (let i = bindings.length - 1; i >= 0; i--) {
    const binding = bindings[i] as DeepReadonly<RoleBinding>;
    add(binding, binding.metadata?.namespace ?? '');
  }
  const ofCluster = objects.clusterRoleBindings();
  for (let i = ofCluster.length - 1; i >= 0; i--) add(ofCluster[i] as DeepReadonly<ClusterRoleBinding>, '');
  return { users, groups };
}

const nameOf = (object: DeepReadonly<ApiObject>) => object.metadata?.name ?? '';

/** The name of the user or group that a subject is. */
function subjectName(subject: DeepReadonly<Subject>, namespace: string): string | undefined {
  switch (subject.kind) {
    case 'User':
    case 'Group':
      return subject.name;
    case 'ServiceAccount':
      return `system:serviceaccount:${subject.namespace || namespace}:${subject.name}`;
    default:
      return undefined;
  }
}

const aggregate = (texts: readonly string[]) => (texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);

/** Whether a rule allows a request. */
export function covers(rule: Rule, attributes: RequestAttributes): boolean {
  if (!hasOrAll(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResourceRequest) return matchesAnyPath(rule.nonResourceURLs, attributes.path);
  const { resources, resourceNames } = rule;
  return (
    hasOrAll(rule.apiGroups, attributes.group) &&
    resources !== undefined &&
    matchesResource(resources, attributes.resource, attributes.subresource) &&
    (resourceNames === undefined || resourceNames.length === 0 || resourceNames.includes(attributes.name))
  );
}

const hasOrAll = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(value) || list.includes('*'));

function matchesResource(resources: readonly string[], resource: string, subresource: string): boolean {
  if (resources.includes('*')) return true;
  if (subresource === '') return resources.includes(resource);
  for (let i = 0; i < resources.length; i++) if (isOfBoth(resources[i] as string, resource, subresource)) return true;
  return false;
}

/** Whether a name is `resource/subresource` or the `*` of all resources' subresource: without a text to compare it with. */
function isOfBoth(name: string, resource: string, subresource: string): boolean {
  const slash = name.length - subresource.length - 1;
  if (slash < 1 || name[slash] !== '/' || !name.endsWith(subresource)) return false;
  return (slash === resource.length && name.startsWith(resource)) || (slash === 1 && name[0] === '*');
}

const matchesAnyPath = (patterns: readonly string[] | undefined, path: string): boolean =>
  patterns?.some((pattern) => matchesPath(pattern, path)) ?? false;

/** `/healthz`, `/api/*`, `*`. */
function matchesPath(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1));
}
