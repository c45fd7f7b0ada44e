import type { APIService } from '../../../api/types/apiregistration/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { GroupDescription, ResourceDescription } from '../../../libs/machinery/discovery/discovery.ts';

/** What an extension API server tells of one group and version: an `APIResourceList`. */
export interface RemoteResources {
  readonly resources?: readonly {
    readonly name: string;
    readonly singularName?: string;
    readonly namespaced?: boolean;
    readonly kind?: string;
    readonly group?: string;
    readonly version?: string;
    readonly verbs?: readonly string[];
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
    readonly storageVersionHash?: string;
  }[];
}

/**
 * The groups of remote APIServices, best first, each with its versions, best first. What one told last is told of it also
 * while it does not answer; it is stale then.
 */
export function describeRemote(
  remotes: readonly DeepReadonly<APIService>[],
  resources: ReadonlyMap<string, RemoteResources>,
  isAvailable: (remote: DeepReadonly<APIService>) => boolean,
): GroupDescription[] {
  const rank = (one: DeepReadonly<APIService>) => one.spec?.groupPriorityMinimum ?? 0;
  const versionRank = (one: DeepReadonly<APIService>) => one.spec?.versionPriority ?? 0;
  const byGroup = new Map<string, DeepReadonly<APIService>[]>();
  for (const one of remotes) {
    const group = one.spec?.group ?? '';
    byGroup.set(group, [...(byGroup.get(group) ?? []), one]);
  }
  return [...byGroup]
    .sort(([, a], [, b]) => Math.max(...b.map(rank)) - Math.max(...a.map(rank)))
    .map(([name, all]) => ({
      name,
      versions: all
        .sort((a, b) => versionRank(b) - versionRank(a))
        .map((one) => ({
          version: one.spec?.version ?? '',
          resources: describeResources(resources.get(one.metadata.name ?? '')),
          ...(isAvailable(one) ? {} : { freshness: 'Stale' }),
        })),
    }));
}

function describeResources(told: RemoteResources | undefined): ResourceDescription[] {
  const all = (told?.resources ?? []).filter(({ name }) => typeof name === 'string');
  return all
    .filter(({ name }) => !name.includes('/'))
    .map((one) => ({
      name: one.name,
      singular: one.singularName ?? '',
      kind: one.kind ?? '',
      namespaced: one.namespaced ?? false,
      verbs: one.verbs ?? [],
      shortNames: one.shortNames ?? [],
      categories: one.categories ?? [],
      ...(one.storageVersionHash ? { storageVersionHash: one.storageVersionHash } : {}),
      subresources: all
        .filter(({ name }) => name.startsWith(`${one.name}/`))
        .map(({ name, kind = '', group, version, verbs = [] }) => ({
          name: name.slice(one.name.length + 1),
          kind,
          ...(group ? { group } : {}),
          ...(version ? { version } : {}),
          verbs,
        })),
    }));
}
