/** PodSecurity: holds pods to the level of the Pod Security Standards that their namespace's labels name. */
import { namespaces, pods } from '../../../../api/resources.ts';
import type { Pod, PodTemplateSpec } from '../../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry } from '../../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { invalid } from '../../../../libs/machinery/errors.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { refused } from '../refusal.ts';
import type { CheckedPod } from './check.ts';
import { compareLevels, detailText, type NamespacePolicy, policyOf, reasonText, textOf, violations } from './policy.ts';

const AUDIT_PREFIX = 'pod-security.kubernetes.io/';
/** How many pods are looked at when a namespace becomes stricter. */
const PODS_MAX = 3000;
const WORKLOADS: ReadonlySet<string> = new Set([
  '/replicationcontrollers',
  '/podtemplates',
  'apps/replicasets',
  'apps/deployments',
  'apps/statefulsets',
  'apps/daemonsets',
  'batch/jobs',
  'batch/cronjobs',
]);
/** Subresources of pods through which what a pod may do can change. */
const POD_SUBRESOURCES: ReadonlySet<string> = new Set(['', 'ephemeralcontainers', 'resize']);

/** What is named like one of those, whatever its group: most requests are about something else. */
const RESOURCES: ReadonlySet<string> = new Set(
  ['/pods', '/namespaces', ...WORKLOADS].map((id) => id.slice(id.indexOf('/') + 1)),
);

const idOf = ({ kind }: Pick<DeepReadonlyAdmission, 'kind'>) => `${kind.group}/${kind.resource}`;

export const podSecurity: AdmissionPlugin = {
  name: 'PodSecurity',
  handles(request) {
    if (request.operation !== 'CREATE' && request.operation !== 'UPDATE') return false;
    if (!RESOURCES.has(request.kind.resource)) return false;
    const id = idOf(request);
    if (id === '/pods') return POD_SUBRESOURCES.has(request.subresource);
    return request.subresource === '' && (id === '/namespaces' || WORKLOADS.has(id));
  },
  async validate(ctx, request, registry) {
    const id = idOf(request);
    if (id === '/namespaces') return checkNamespace(ctx, request, registry);
    if (id === '/pods' && request.operation === 'UPDATE' && !isSignificant(request)) return;
    const pod = podOf(request);
    if (!pod) return;
    const namespace = await registry.get(namespaces, '', request.namespace);
    const { policy } = policyOf(namespace?.metadata.labels);
    checkPod(ctx, request, policy, pod, id === '/pods');
  },
};

function checkPod(
  ctx: RequestContext,
  request: DeepReadonlyAdmission,
  policy: NamespacePolicy,
  pod: CheckedPod,
  enforced: boolean,
): void {
  const { enforce, audit, warn } = policy;
  let denied: string | undefined;
  if (enforced) {
    const found = violations(enforce, pod);
    ctx.audit.set(`${AUDIT_PREFIX}enforce-policy`, textOf(enforce));
    if (found.length > 0) denied = `violates PodSecurity "${textOf(enforce)}": ${detailText(found)}`;
  }
  const audited = violations(audit, pod);
  if (audited.length > 0) {
    const text = `would violate PodSecurity "${textOf(audit)}": ${detailText(audited)}`;
    ctx.audit.set(`${AUDIT_PREFIX}audit-violations`, text);
  }
  if (denied !== undefined) throw refused(request, denied);
  const warned = violations(warn, pod);
  if (warned.length > 0) ctx.warnings.add(`would violate PodSecurity "${textOf(warn)}": ${detailText(warned)}`);
}

/** The pod that is written, or that the workload would make. */
function podOf({ object, kind }: DeepReadonlyAdmission): CheckedPod | undefined {
  type Templated = DeepReadonly<{
    template?: PodTemplateSpec;
    spec?: { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } };
  }>;
  if (kind.resource === 'pods') {
    const { metadata, spec } = object as DeepReadonly<Pod>;
    return spec && { metadata: metadata ?? {}, spec };
  }
  const { template, spec } = object as Templated;
  const found = template ?? spec?.template ?? spec?.jobTemplate?.spec?.template;
  return found?.spec && { metadata: found.metadata ?? {}, spec: found.spec };
}

/** Whether an update of a pod changes what the standards look at: everything but times, tolerations and metadata. */
function isSignificant({ object, oldObject, subresource }: DeepReadonlyAdmission): boolean {
  if (subresource === 'resize') return false;
  const [now, was] = [object as DeepReadonly<Pod>, oldObject as DeepReadonly<Pod>];
  const seen = ({ spec, metadata }: DeepReadonly<Pod>) => {
    const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, ...rest } = spec ?? {};
    const annotations = Object.entries(metadata?.annotations ?? {}).filter(([key]) =>
      /^(container\.apparmor\.security\.beta|seccomp\.security\.alpha|container\.seccomp\.security\.alpha)\.kubernetes\.io\//.test(
        key,
      ),
    );
    return { rest, annotations: Object.fromEntries(annotations) };
  };
  return !sameValue(seen(now), seen(was));
}

/** Labels must be levels and versions; who makes a namespace stricter is told of pods that would not be let in now. */
async function checkNamespace(
  ctx: RequestContext,
  { object, oldObject, name, kind }: DeepReadonlyAdmission,
  registry: Registry,
): Promise<void> {
  const { policy, errors } = policyOf(object?.metadata?.labels);
  const before = oldObject ? policyOf(oldObject.metadata?.labels) : undefined;
  if (errors.length > (before ? before.errors.length : 0) || (errors.length > 0 && !before)) {
    throw invalid({ group: kind.group, kind: kind.kind }, name, [...errors]);
  }
  if (!before) return;
  const [now, was] = [policy.enforce, before.policy.enforce];
  if (now.level === 'privileged' || (now.level === was.level && now.minor === was.minor)) return;
  if (compareLevels(now.level, was.level) <= 0 && now.minor === was.minor) return;
  const groups = new Map<string, string[]>();
  for (const pod of (await registry.list(pods, name)).slice(0, PODS_MAX)) {
    const spec = pod.spec as CheckedPod['spec'] | undefined;
    const found = spec
      ? violations(now, { metadata: pod.metadata as DeepReadonly<ApiObject['metadata']> & object, spec })
      : [];
    if (found.length === 0) continue;
    const text = reasonText(found);
    groups.set(text, [...(groups.get(text) ?? []), pod.metadata.name]);
  }
  if (groups.size === 0) return;
  ctx.warnings.add(`existing pods in namespace "${name}" violate the new PodSecurity enforce level "${textOf(now)}"`);
  const sorted = [...groups].map(([text, names]) => ({ text, names: names.sort() }));
  for (const { text, names } of sorted.sort((a, b) => ((a.names[0] as string) < (b.names[0] as string) ? -1 : 1))) {
    const others = names.length - 1;
    const more = others === 0 ? '' : ` (and ${others} other ${others === 1 ? 'pod' : 'pods'})`;
    ctx.warnings.add(`${names[0]}${more}: ${text}`);
  }
}
