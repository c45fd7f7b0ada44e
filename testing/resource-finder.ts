import { type ServedResource, servedResources } from '../libs/client/served-resources.ts';
import type { Client } from '../libs/kind/client.ts';
import type { ResourceRef } from '../libs/kind/object.ts';
import type { GroupVersion } from '../libs/machinery/gvk.ts';
import { ClusterUsageError } from './errors.ts';

/** Finds resources by what people call them, in what the server says that it has: built-in kinds and custom ones alike. */
export class ResourceFinder {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** By type. `undefined`: the server does not have it (yet). */
  async byKind(apiVersion: string, kind: string): Promise<ResourceRef | undefined> {
    const slash = apiVersion.indexOf('/');
    const at = { group: apiVersion.slice(0, Math.max(0, slash)), version: apiVersion.slice(slash + 1) };
    const found = (await this.#resources(at)).find((one) => one.kind === kind);
    return found && referenceTo(at, found);
  }

  /** By any of its names, as `kubectl` takes them: `deployment`, `deployments.apps`, `deploy`, `pods`. */
  async byName(name: string): Promise<ResourceRef> {
    const [word = '', ...rest] = name.toLowerCase().split('.');
    const wantedGroup = rest.join('.');
    for (const at of await this.#groupVersions()) {
      if (wantedGroup !== '' && at.group !== wantedGroup) continue;
      const found = (await this.#resources(at)).find(
        (one) =>
          one.name === word ||
          one.singularName === word ||
          one.kind.toLowerCase() === word ||
          one.shortNames?.includes(word),
      );
      if (found) return referenceTo(at, found);
    }
    throw new ClusterUsageError(`the cluster has no resource called "${name}"`);
  }

  /** The core group first, then each group's preferred version. */
  async #groupVersions(): Promise<GroupVersion[]> {
    const { groups } = (await this.#client.raw('GET', '/apis')) as {
      groups: { name: string; preferredVersion: { version: string } }[];
    };
    return [
      { group: '', version: 'v1' },
      ...groups.map(({ name, preferredVersion }) => ({ group: name, version: preferredVersion.version })),
    ];
  }

  async #resources(of: GroupVersion): Promise<readonly ServedResource[]> {
    return (await servedResources(this.#client, of)).filter(({ name }) => !name.includes('/'));
  }
}

function referenceTo({ group, version }: GroupVersion, { name, kind, namespaced }: ServedResource): ResourceRef {
  return { group, version, resource: name, kind, namespaced };
}
