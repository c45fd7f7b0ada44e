import { apiServices } from '../../../api/resources.ts';
import type { KindSet } from '../registry/kind-set.ts';
import { type Wanted, wanted } from './wanted.ts';

/** Where a group stands among the groups, and a version among the group's: what discovery is ordered by. */
const priorities: Readonly<Record<string, readonly [group: number, versions: Readonly<Record<string, number>>]>> =
  Object.freeze({
    '': [18_000, { v1: 1 }],
    apps: [17_800, { v1: 15 }],
    'events.k8s.io': [17_750, { v1: 15, v1beta1: 5 }],
    'authentication.k8s.io': [17_700, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
    'authorization.k8s.io': [17_600, { v1: 15 }],
    autoscaling: [17_500, { v1: 15, v2: 30 }],
    batch: [17_400, { v1: 15, v1beta1: 9 }],
    'certificates.k8s.io': [17_300, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
    'networking.k8s.io': [17_200, { v1: 15, v1beta1: 9 }],
    policy: [17_100, { v1: 15 }],
    'rbac.authorization.k8s.io': [17_000, { v1: 15 }],
    'storage.k8s.io': [16_800, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
    'apiextensions.k8s.io': [16_700, { v1: 15 }],
    'admissionregistration.k8s.io': [16_700, { v1: 15, v1beta1: 12, v1alpha1: 9 }],
    'scheduling.k8s.io': [16_600, { v1: 15, v1alpha2: 9 }],
    'coordination.k8s.io': [16_500, { v1: 15, v1beta1: 13, v1alpha2: 12 }],
    'node.k8s.io': [16_300, { v1: 15 }],
    'discovery.k8s.io': [16_200, { v1: 15 }],
    'resource.k8s.io': [16_200, { v1: 21, v1beta2: 20, v1beta1: 15, v1alpha3: 9 }],
    'flowcontrol.apiserver.k8s.io': [16_100, { v1: 21 }],
    'internal.apiserver.k8s.io': [16_000, { v1alpha1: 9 }],
    'storagemigration.k8s.io': [16_000, { v1beta1: 9 }],
  });

/** An APIService for every group and version that this server serves by itself. */
export function localApiServices(kinds: KindSet): Wanted[] {
  const seen = new Set<string>();
  const out: Wanted[] = [];
  for (const { group, version } of kinds.served) {
    const name = `${version}.${group}`;
    const known = Object.hasOwn(priorities, group) ? priorities[group] : undefined;
    if (seen.has(name) || !known) continue;
    seen.add(name);
    const [groupPriorityMinimum, versions] = known;
    const spec = {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum,
      versionPriority: versions[version] ?? 1,
    };
    const metadata = { name, labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' } };
    out.push(wanted(apiServices, { metadata, spec } as Wanted['object']));
  }
  return out;
}
