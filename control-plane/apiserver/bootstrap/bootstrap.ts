import {
  clusterRoleBindings as clusterRoleBindingRef,
  clusterRoles as clusterRoleRef,
  configMaps,
  flowSchemas as flowSchemaRef,
  namespaces,
  priorityClasses,
  priorityLevelConfigurations,
  roleBindings as roleBindingRef,
  roles as roleRef,
} from '../../../api/resources.ts';

import type { PolicyRule, Subject } from '../../../api/types/rbac/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import type { ApiObject, ResourceRef } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { EXTRA_PREFIX, GROUP_HEADER, type RequestHeaderTrust, USER_HEADER } from '../authn/request-header.ts';
import { PRODUCER } from '../fairness/dangling.ts';
import type { Engine } from '../registry/engine.ts';
import { localApiServices } from './api-services.ts';
import { bootstrapNetwork, type ClusterNetwork } from './cluster-network.ts';
import { type BootstrapBinding, type BootstrapRole, clusterRoles } from './cluster-roles.ts';
import { flowSchemas, priorityLevels } from './flow-control.ts';
import { clusterInfo, ownClusterRoleBindings, ownClusterRoles, ownRoleBindings, ownRoles } from './own.ts';
import { clusterRoleBindings, roleBindings, roles } from './role-bindings.ts';
import { parseRule } from './rules.ts';
import { ensure, type Wanted, wanted } from './wanted.ts';

const RBAC_GROUP = 'rbac.authorization.k8s.io';
const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
/** How many objects are made at once; a commit of the store takes as many. */
const AT_ONCE = 32;
const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export interface ClusterFacts {
  readonly network: ClusterNetwork;
  /** Whose client certificates the server trusts; extension API servers read it. */
  readonly clientAuthorityPem: string;
  /** Which proxies it believes. */
  readonly requestHeader?: RequestHeaderTrust | undefined;
  /** Leave out what is Tutti's own: a cluster as upstream's API server alone makes it. */
  readonly upstreamOnly?: boolean;
}

/**
 * Makes what every cluster has from its first moment: namespaces, roles and bindings, priority classes and levels. Objects
 * that are there already stay as they are, but roles and bindings regain what they lack unless they are annotated
 * `rbac.authorization.kubernetes.io/autoupdate: "false"`.
 */
export async function bootstrapCluster(engine: Engine, ctx: RequestContext, facts: ClusterFacts): Promise<void> {
  await ensureSystemNamespaces(engine, ctx);
  await ensureAll(engine, ctx, [
    ...(facts.upstreamOnly ? [] : ownObjects(facts)),
    ...GRANTS,
    ...localApiServices(engine.kinds),
    ...wantedConfigMaps(ctx, facts),
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
  const producer = { ...ctx, fieldManager: PRODUCER };
  await ensureAll(engine, producer, [
    ...priorityLevels.map((level) => wanted(priorityLevelConfigurations, level)),
    ...flowSchemas.map((schema) => wanted(flowSchemaRef, schema)),
  ]);
  await bootstrapNetwork(engine, ctx, facts.network);
}

/** Makes the namespaces that every cluster has. */
export async function ensureSystemNamespaces(engine: Engine, ctx: RequestContext): Promise<void> {
  await ensureAll(
    engine,
    ctx,
    SYSTEM_NAMESPACES.map((name) => wanted(namespaces, { metadata: { name } })),
  );
}

/**
 * Some at a time. These are the first writes of the process: were all of them under way together, whatever a write makes
 * would seem to live long, and be made as what lives long is ever after (`docs/decisions/closures-that-live-long.md`).
 */
async function ensureAll(engine: Engine, ctx: RequestContext, all: readonly Wanted[]): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE) {
    await Promise.all(all.slice(from, from + AT_ONCE).map((one) => ensure(engine, ctx, one)));
  }
}

function ownObjects({ network: { advertiseAddress, port }, clientAuthorityPem }: ClusterFacts): Wanted[] {
  const host = advertiseAddress?.includes(':') ? `[${advertiseAddress}]` : advertiseAddress;
  return [...OWN_GRANTS, ...(host ? [clusterInfo(`https://${host}:${port}`, clientAuthorityPem)] : [])];
}

/** What extension API servers and the controller of legacy tokens look up. */
function wantedConfigMaps(ctx: RequestContext, { clientAuthorityPem, requestHeader }: ClusterFacts): Wanted[] {
  const namespace = 'kube-system';
  const data: Record<string, string> = {
    'client-ca-file': clientAuthorityPem,
    ...(requestHeader && {
      'requestheader-allowed-names': JSON.stringify(requestHeader.allowedNames),
      'requestheader-client-ca-file': requestHeader.authorityPem,
      'requestheader-extra-headers-prefix': JSON.stringify([EXTRA_PREFIX]),
      'requestheader-group-headers': JSON.stringify([GROUP_HEADER]),
      'requestheader-username-headers': JSON.stringify([USER_HEADER]),
    }),
  };
  const repair = (draft: ApiObject & { data?: Record<string, string> }) => {
    if (Object.entries(data).every(([key, value]) => draft.data?.[key] === value)) return false;
    draft.data = { ...draft.data, ...data };
    return true;
  };
  const since = formatTime(ctx.nowMs).slice(0, 'yyyy-mm-dd'.length);
  return [
    wanted(configMaps, { metadata: { name: 'extension-apiserver-authentication', namespace }, data } as ApiObject, {
      repair,
    }),
    wanted(configMaps, {
      metadata: { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace },
      data: { since },
    } as ApiObject),
  ];
}

const priorityClass = (name: string, value: number, description: string) =>
  ({ metadata: { name }, value, description }) as ApiObject;

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
    const missing = missingIn(draft.rules, object.rules);
    if (missing.length > 0) draft.rules = [...(draft.rules ?? []), ...copyValue(missing)];
    return missing.length > 0;
  };
  return { ref, namespace: role.namespace ?? '', object: deepFreeze(object), repair };
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
    const missing = missingIn(draft.subjects, subjects);
    if (missing.length > 0) draft.subjects = [...(draft.subjects ?? []), ...copyValue(missing)];
    return missing.length > 0;
  };
  return { ref, namespace: binding.namespace ?? '', object: deepFreeze(object), repair };
}

/** Mostly all are there, in their order. */
function missingIn<T>(there: readonly T[] = [], wanted: readonly T[]): T[] {
  return wanted.filter((one, at) => !sameValue(there[at], one) && !there.some((has) => sameValue(has, one)));
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

interface GrantLists {
  readonly clusterRoles: readonly BootstrapRole[];
  readonly roles: readonly BootstrapRole[];
  readonly clusterRoleBindings: readonly BootstrapBinding[];
  readonly roleBindings: readonly BootstrapBinding[];
}

const wantedGrants = (lists: GrantLists): readonly Wanted[] =>
  Object.freeze([
    ...lists.clusterRoles.map((role) => wantedRole(clusterRoleRef, role)),
    ...lists.roles.map((role) => wantedRole(roleRef, role)),
    ...lists.clusterRoleBindings.map((binding) => wantedBinding(clusterRoleBindingRef, binding)),
    ...lists.roleBindings.map((binding) => wantedBinding(roleBindingRef, binding)),
  ]);

/** The same for each server: they are read once. */
const GRANTS = wantedGrants({ clusterRoles, roles, clusterRoleBindings, roleBindings });
const OWN_GRANTS = wantedGrants({
  clusterRoles: ownClusterRoles,
  roles: ownRoles,
  clusterRoleBindings: ownClusterRoleBindings,
  roleBindings: ownRoleBindings,
});
