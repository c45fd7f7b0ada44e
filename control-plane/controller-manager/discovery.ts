import type { Client } from '../../libs/kind/client.ts';
import type { ResourceRef } from '../../libs/kind/object.ts';

/** An aggregated discovery document, as far as it is read here. */
interface GroupDiscoveryList {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    /** The preferred one first. */
    readonly versions?: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly responseKind: { readonly kind: string };
        readonly scope: string;
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
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

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** What the server serves now, each resource in its group's preferred version. Throws where that cannot be read. */
export async function discover(client: Client): Promise<Discovered> {
  const resources: Served[] = [];
  const failures: { groupVersion: string; message: string }[] = [];
  for (const path of ['/api', '/apis']) {
    const { items = [] } = (await client.raw('GET', path, { headers: { accept: AGGREGATED } })) as GroupDiscoveryList;
    for (const { metadata, versions = [] } of items) {
      const group = metadata?.name ?? '';
      const first = resources.length;
      for (const { version, freshness, resources: all = [] } of versions) {
        const groupVersion = group === '' ? version : `${group}/${version}`;
        // What it told last may be long ago.
        if (freshness === 'Stale') {
          failures.push({ groupVersion, message: `stale GroupVersion discovery: ${groupVersion}` });
          continue;
        }
        const preferred = resources.length;
        for (const { resource, responseKind, scope, verbs } of all) {
          let at = first;
          while (at < preferred && resources[at]?.ref.resource !== resource) at++;
          if (at < preferred) continue;
          const ref = { group, version, resource, kind: responseKind.kind, namespaced: scope === 'Namespaced' };
          resources.push({ ref, verbs });
        }
      }
    }
  }
  return { resources, failures };
}

/** Those of which all of `verbs` may be asked. */
export const servedWith = ({ resources }: Discovered, verbs: readonly string[]): readonly ResourceRef[] =>
  resources.filter((resource) => verbs.every((verb) => resource.verbs.includes(verb))).map(({ ref }) => ref);
