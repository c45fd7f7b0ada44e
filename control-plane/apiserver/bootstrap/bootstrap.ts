import {
  clusterRoleBindings as clusterRoleBindingRef,
  clusterRoles as clusterRoleRef,
  flowSchemas as flowSchemaRef,
  namespaces,
  priorityClasses,
  priorityLevelConfigurations,
  roleBindings as roleBindingRef,
  roles as roleRef,
} from '../../../api/resources.ts';
import type { PolicyRule, Subject } from '../../../api/types/rbac/v1.generated.ts';
import type { ApiObject, ResourceRef } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { isAlreadyExists } from '../../../libs/machinery/errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Engine } from '../registry/engine.ts';
import { type BootstrapBinding, type BootstrapRole, clusterRoles } from './cluster-roles.ts';
import { flowSchemas, priorityLevels } from './flow-control.ts';
import { clusterRoleBindings, roleBindings, roles } from './role-bindings.ts';
import { parseRule } from './rules.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** An object that a cluster is to have. */
interface Wanted {
  readonly ref: ResourceRef;
  readonly namespace: string;
  readonly object: ApiObject;
  /** Brings one that is there up to date, unless its owner has said no; false: it is as it should be. */
  repair?(draft: ApiObject): boolean;
}

/**
 * Makes what every cluster has from its first moment: namespaces, roles and bindings, priority classes and levels. Objects
 * that are there already stay as they are, but roles and bindings regain what they lack unless they are annotated
 * `rbac.authorization.kubernetes.io/autoupdate: "false"`.
 */
export async function bootstrapCluster(engine: Engine, ctx: RequestContext): Promise<void> {
  const inNamespaces = (all: readonly Wanted[]) => Promise.all(all.map((one) => ensure(engine, ctx, one)));
  await inNamespaces(SYSTEM_NAMESPACES.map((name) => wanted(namespaces, { metadata: { name } })));
  await inNamespaces([
    ...clusterRoles.map((role) => wantedRole(clusterRoleRef, role)),
    ...roles.map((role) => wantedRole(roleRef, role)),
    ...clusterRoleBindings.map((binding) => wantedBinding(clusterRoleBindingRef, binding)),
    ...roleBindings.map((binding) => wantedBinding(roleBindingRef, binding)),
    ...priorityLevels.map((level) => wanted(priorityLevelConfigurations, level)),
    ...flowSchemas.map((schema) => wanted(flowSchemaRef, schema)),
    wanted(
      priorityClasses,
      priorityClass(
        'system-cluster-critical',
        2_000_000_000,
        'For pods that the cluster cannot do without, wherever they run.',
      ),
    ),
    wanted(
      priorityClasses,
      priorityClass('system-node-critical', 2_000_001_000, 'For pods that a node cannot do without.'),
    ),
  ]);
}

const wanted = (ref: ResourceRef, object: ApiObject): Wanted => ({
  ref,
  namespace: object.metadata?.namespace ?? '',
  object,
});

const priorityClass = (name: string, value: number, description: string) =>
  ({ metadata: { name }, value, description }) as ApiObject;

async function ensure(engine: Engine, ctx: RequestContext, { ref, namespace, object, repair }: Wanted): Promise<void> {
  const name = object.metadata?.name as string;
  const there = await engine.registry.get(ref, namespace, name);
  if (there) {
    if (!repair?.(structuredClone(there) as ApiObject)) return;
    await engine.registry.update(ctx, ref, namespace, name, (draft) => repair(draft));
    return;
  }
  try {
    await engine.registry.create(ctx, ref, namespace, object);
  } catch (error) {
    // Another server of the same cluster was faster.
    if (!isAlreadyExists(error)) throw error;
  }
}

type RoleObject = ApiObject & { rules?: PolicyRule[]; aggregationRule?: unknown };
type BindingObject = ApiObject & { subjects?: Subject[] };

function wantedRole(ref: ResourceRef, role: BootstrapRole): Wanted {
  const object: RoleObject = { metadata: bootstrapMetadata(role) };
  if (role.aggregates) {
    object.aggregationRule = {
      clusterRoleSelectors: role.aggregates.map((label) => ({ matchLabels: { [label]: 'true' } })),
    };
  } else object.rules = (role.rules ?? []).map(parseRule);
  const repair = (draft: RoleObject) => {
    if (draft.metadata?.annotations?.[AUTO_UPDATE] === 'false' || !object.rules) return false;
    const missing = object.rules.filter((rule) => !(draft.rules ?? []).some((has) => sameValue(has, rule)));
    draft.rules = [...(draft.rules ?? []), ...missing];
    return missing.length > 0;
  };
  return { ref, namespace: role.namespace ?? '', object, repair };
}

function wantedBinding(ref: ResourceRef, binding: BootstrapBinding): Wanted {
  const local = binding.role.startsWith('role/');
  const subjects = binding.subjects.map(parseSubject);
  const object = {
    metadata: bootstrapMetadata(binding),
    roleRef: {
      apiGroup: RBAC_GROUP,
      kind: local ? 'Role' : 'ClusterRole',
      name: local ? binding.role.slice(5) : binding.role,
    },
    subjects,
  } as BindingObject;
  const repair = (draft: BindingObject) => {
    if (draft.metadata?.annotations?.[AUTO_UPDATE] === 'false') return false;
    const missing = subjects.filter((subject) => !(draft.subjects ?? []).some((has) => sameValue(has, subject)));
    draft.subjects = [...(draft.subjects ?? []), ...missing];
    return missing.length > 0;
  };
  return { ref, namespace: binding.namespace ?? '', object, repair };
}

function bootstrapMetadata({
  name,
  namespace,
  labels,
}: {
  name: string;
  namespace?: string;
  labels?: Readonly<Record<string, string>>;
}) {
  return {
    name,
    ...(namespace ? { namespace } : {}),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { [AUTO_UPDATE]: 'true' },
  };
}

function parseSubject(text: string): Subject {
  const [kind, name = ''] = text.split(' ');
  if (kind === 'sa') {
    const [namespace, account = ''] = name.split('/');
    return { kind: 'ServiceAccount', name: account, namespace };
  }
  return { kind: kind === 'group' ? 'Group' : 'User', apiGroup: RBAC_GROUP, name };
}
