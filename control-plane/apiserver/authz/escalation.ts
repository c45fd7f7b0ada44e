/**
 * Nobody hands out rights that they do not have (API concept "Privilege escalation prevention and bootstrapping"): who
 * writes a role must hold all of its rules or the verb `escalate`, who writes a binding all rules of its role or `bind`.
 */
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../../api/types/rbac/v1.generated.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, RequestContext, UserInfo } from '../../../libs/kind/request.ts';
import { forbidden, notFound } from '../../../libs/machinery/errors.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Verdict } from './authorizer.ts';
import type { RbacObjects, Rule } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const MASTERS = 'system:masters';
const EVERYTHING: readonly Rule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

export interface EscalationOptions {
  readonly objects: () => Pick<RbacObjects, 'clusterRole' | 'role'>;
  authorize(user: UserInfo, attributes: RequestAttributes): Promise<Verdict> | Verdict;
  /** Everything that RBAC lets a user do in a namespace; '' is the whole cluster. */
  rulesOf(user: UserInfo, namespace: string): readonly Rule[];
}

type AnyRole = DeepReadonly<ClusterRole | Role>;
type AnyBinding = DeepReadonly<ClusterRoleBinding | RoleBinding>;

export function escalationCheck(options: EscalationOptions): AdmissionPlugin {
  return {
    name: 'rbac/escalation',
    handles: ({ kind, operation, subresource }) =>
      kind.group === GROUP && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
    async validate(ctx, request) {
      if (ctx.user.groups.includes(MASTERS) || onlyForCollection(request)) return;
      const binding = request.kind.kind.endsWith('Binding');
      await (binding ? checkBinding(options, ctx, request) : checkRole(options, ctx, request));
    },
  };
}

/** Owners and finalizers are what the garbage collector writes, whatever the role says. */
function onlyForCollection({ object, oldObject }: DeepReadonlyAdmission): boolean {
  if (!object || !oldObject) return false;
  const rest = ({ metadata, ...body }: DeepReadonly<ApiObject>) => {
    const { ownerReferences, finalizers, managedFields, resourceVersion, ...others } = metadata ?? {};
    return { ...body, metadata: others };
  };
  return sameValue(rest(object), rest(oldObject));
}

async function checkRole(
  options: EscalationOptions,
  ctx: RequestContext,
  { kind, namespace, name, object, oldObject }: DeepReadonlyAdmission,
): Promise<void> {
  const role = object as AnyRole;
  if (await may(options, ctx, 'escalate', kind.resource, namespace, name)) return;
  const missing = uncovered(role.rules ?? [], options.rulesOf(ctx.user, namespace));
  if (missing.length > 0) throw forbidden(kind, name, refusal(ctx.user, missing));
  const aggregates = (one: DeepReadonly<ApiObject> | undefined) => Boolean((one as ClusterRole)?.aggregationRule);
  if (!aggregates(object) && !aggregates(oldObject)) return;
  if (uncovered(EVERYTHING, options.rulesOf(ctx.user, namespace)).length > 0)
    throw forbidden(kind, name, 'must have cluster-admin privileges to use the aggregationRule');
}

async function checkBinding(
  options: EscalationOptions,
  ctx: RequestContext,
  { kind, namespace, name, object }: DeepReadonlyAdmission,
): Promise<void> {
  const { roleRef } = object as AnyBinding;
  const resource = roleRef.kind === 'Role' ? 'roles' : 'clusterroles';
  if (await may(options, ctx, 'bind', resource, namespace, roleRef.name)) return;
  const objects = options.objects();
  const role = resource === 'roles' ? objects.role(namespace, roleRef.name) : objects.clusterRole(roleRef.name);
  if (!role) throw notFound({ group: GROUP, resource }, roleRef.name);
  const missing = uncovered(role.rules ?? [], options.rulesOf(ctx.user, namespace));
  if (missing.length > 0) throw forbidden(kind, name, refusal(ctx.user, missing));
}

async function may(
  { authorize }: EscalationOptions,
  ctx: RequestContext,
  verb: string,
  resource: string,
  namespace: string,
  name: string,
): Promise<boolean> {
  const attributes: RequestAttributes = {
    verb,
    isResourceRequest: true,
    path: '',
    group: GROUP,
    version: 'v1',
    resource,
    subresource: '',
    namespace,
    name,
  };
  return (await authorize(ctx.user, attributes)).decision === 'allow';
}

/** One thing that a rule allows: one verb upon one resource (of one name, if it says so), or upon one path. */
interface Atom {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name?: string;
  readonly path?: string;
}

function* atomsOf(rule: Rule): Generator<Atom> {
  const names = rule.resourceNames?.length ? rule.resourceNames : [undefined];
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const name of names) {
        for (const verb of rule.verbs) yield { verb, group, resource, ...(name === undefined ? {} : { name }) };
      }
    }
  }
  for (const path of rule.nonResourceURLs ?? []) {
    for (const verb of rule.verbs) yield { verb, group: '', resource: '', path };
  }
}

/** What of `wanted` is in none of `held`, joined again to rules with as many verbs as there are. */
export function uncovered(wanted: readonly Rule[], held: readonly Rule[]): Rule[] {
  const missing = new Map<string, { verbs: string[] } & Omit<Rule, 'verbs'>>();
  for (const atom of wanted.flatMap((rule) => [...atomsOf(rule)])) {
    if (held.some((rule) => holds(rule, atom))) continue;
    const { verb, group, resource, name, path } = atom;
    const key = path === undefined ? JSON.stringify([group, resource, name]) : JSON.stringify([path, verb]);
    const known = missing.get(key);
    if (known) {
      if (!known.verbs.includes(verb)) known.verbs.push(verb);
      continue;
    }
    const where =
      path === undefined
        ? { apiGroups: [group], resources: [resource], ...(name === undefined ? {} : { resourceNames: [name] }) }
        : { nonResourceURLs: [path] };
    missing.set(key, { ...where, verbs: [verb] });
  }
  return [...missing.values()];
}

function holds(rule: Rule, { verb, group, resource, name, path }: Atom): boolean {
  const has = (list: readonly string[] | undefined, item: string) =>
    Boolean(list?.includes('*') || list?.includes(item));
  if (!has(rule.verbs, verb)) return false;
  if (path !== undefined) {
    return (rule.nonResourceURLs ?? []).some(
      (pattern) => pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1))),
    );
  }
  const slash = resource.indexOf('/');
  const anyOfSubresource = slash < 0 ? resource : `*${resource.slice(slash)}`;
  if (!has(rule.apiGroups, group)) return false;
  if (!has(rule.resources, resource) && !rule.resources?.includes(anyOfSubresource)) return false;
  if (!rule.resourceNames?.length) return true;
  return name !== undefined && rule.resourceNames.includes(name);
}

function refusal({ name, groups }: UserInfo, missing: readonly Rule[]): string {
  const list = (items: readonly string[]) => `[${items.map(quote).join(' ')}]`;
  const lines = missing.map((rule) => {
    const parts = [
      ['APIGroups', rule.apiGroups],
      ['Resources', rule.resources],
      ['NonResourceURLs', rule.nonResourceURLs],
      ['ResourceNames', rule.resourceNames],
      ['Verbs', rule.verbs],
    ] as const;
    const said = parts.filter(([, items]) => items?.length).map(([part, items = []]) => `${part}:${list(items)}`);
    return `{${said.join(', ')}}`;
  });
  const who = `user ${quote(name)} (groups=${list(groups)})`;
  return `${who} is attempting to grant RBAC permissions not currently held:\n${lines.sort().join('\n')}`;
}
