import type { Client } from '../../libs/kind/client.ts';
import type { ResourceRef } from '../../libs/kind/object.ts';

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface Served {
  readonly ref: ResourceRef;
  readonly verbs: readonly string[];
}

/** A group version that is announced and does not answer: what it serves cannot be known. */
export interface Discovered {
  readonly resources: readonly Served[];
  readonly failures: readonly { readonly groupVersion: string; readonly message: string }[];
}

/** What the server serves now, each resource in its group's preferred version. Throws where the groups cannot be read. */
export async function discover(client: Client): Promise<Discovered> {
  const groups = (await client.raw('GET', '/apis')) as {
    groups: readonly { preferredVersion: { groupVersion: string }; versions: readonly { groupVersion: string }[] }[];
  };
  const resources: Served[] = [];
  const failures: { groupVersion: string; message: string }[] = [];
  const known = new Set<string>();
  const wanted = [
    'v1',
    ...groups.groups.flatMap(({ preferredVersion, versions }) => [
      preferredVersion.groupVersion,
      ...versions.map(({ groupVersion }) => groupVersion),
    ]),
  ];
  for (const groupVersion of new Set(wanted)) {
    const [group = '', version = ''] = groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion];
    try {
      const list = (await client.raw('GET', group ? `/apis/${groupVersion}` : `/api/${version}`)) as {
        resources: readonly ApiResource[] | null;
      };
      for (const { name, kind, namespaced, verbs } of list.resources ?? []) {
        if (name.includes('/') || known.has(`${name}.${group}`)) continue;
        known.add(`${name}.${group}`);
        resources.push({ ref: { group, version, resource: name, kind, namespaced }, verbs });
      }
    } catch (error) {
      failures.push({ groupVersion, message: (error as Error).message });
    }
  }
  return { resources, failures };
}

/** Those of which all of `verbs` may be asked. */
export const servedWith = ({ resources }: Discovered, verbs: readonly string[]): readonly ResourceRef[] =>
  resources.filter((resource) => verbs.every((verb) => resource.verbs.includes(verb))).map(({ ref }) => ref);
