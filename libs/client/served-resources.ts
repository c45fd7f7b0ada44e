import type { Client } from '../kind/client.ts';
import { isNotFound } from '../machinery/errors.ts';
import { type GroupVersion, groupVersionPath } from '../machinery/gvk.ts';

/** A line of a version's discovery document (`meta.v1.APIResource`), as far as it is read here. */
export interface ServedResource {
  /** `pods`; a subresource's: `pods/log`. */
  readonly name: string;
  readonly kind: string;
  readonly singularName?: string;
  readonly shortNames?: readonly string[];
  readonly namespaced: boolean;
}

/** What the server serves in a version, subresources too; nothing where it does not serve the version. */
export async function servedResources(client: Client, of: GroupVersion): Promise<readonly ServedResource[]> {
  try {
    const list = (await client.raw('GET', groupVersionPath(of))) as { resources?: readonly ServedResource[] | null };
    return list.resources ?? [];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** The one of a kind; subresources are none. */
export const resourceOfKind = (resources: readonly ServedResource[], kind: string): ServedResource | undefined =>
  resources.find((one) => one.kind === kind && !one.name.includes('/'));
