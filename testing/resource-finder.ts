import * as builtIn from '../api/resources.ts';
import { type ServedResource, servedResources } from '../libs/client/served-resources.ts';
import type { Client } from '../libs/kind/client.ts';
import type { ResourceRef } from '../libs/kind/object.ts';
import type { GroupVersion } from '../libs/machinery/gvk.ts';
import { ClusterUsageError } from './errors.ts';

/** Where built-in kinds are, by plural and by kind; those of a name that several have are not among them. */
const BUILT_IN: ReadonlyMap<string, GroupVersion | undefined> = placesOf(Object.values(builtIn));

function placesOf(refs: readonly ResourceRef[]): Map<string, GroupVersion | undefined> {
  const places = new Map<string, GroupVersion | undefined>();
  for (const { group, version, resource, kind } of refs)
    for (const word of new Set([resource, kind.toLowerCase()]))
      places.set(word, places.has(word) ? undefined : { group, version });
  return places;
}

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
    // Built-in kinds come before all others, so that it is enough to ask where one of that name would be.
    const place = rest.length === 0 ? BUILT_IN.get(word) : undefined;
    const first = place && (await this.#called(word, place));
    if (first) return first;
    for (const at of await this.#groupVersions()) {
      if (wantedGroup !== '' && at.group !== wantedGroup) continue;
      const found = await this.#called(word, at);
      if (found) return found;
    }
    throw new ClusterUsageError(`the cluster has no resource called "${name}"`);
  }

  async #called(word: string, at: GroupVersion): Promise<ResourceRef | undefined> {
    const found = (await this.#resources(at)).find(
      (one) =>
        one.name === word ||
        one.singularName === word ||
        one.kind.toLowerCase() === word ||
        one.shortNames?.includes(word),
    );
    return found && referenceTo(at, found);
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
