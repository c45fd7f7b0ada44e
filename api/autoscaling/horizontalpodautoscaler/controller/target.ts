import { resourceOfKind, servedResources } from '../../../../libs/client/served-resources.ts';
import type { Client } from '../../../../libs/kind/client.ts';
import type { ApiObject } from '../../../../libs/kind/object.ts';
import { statusOf } from '../../../../libs/machinery/errors.ts';
import { groupVersionPath, parseApiVersion } from '../../../../libs/machinery/gvk.ts';
import type { CrossVersionObjectReference } from '../../../types/autoscaling/v2.generated.ts';

/** The `scale` of a workload of any kind that has one. */
export interface Target {
  readonly path: string;
  readonly scale: Scale;
}

export interface Scale extends ApiObject {
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

/** Throws in upstream's words where there is none. */
export async function targetOf(client: Client, namespace: string, of: CrossVersionObjectReference): Promise<Target> {
  const { root, resource } = await resourceOf(client, of);
  const path = `${root}/namespaces/${encodeURIComponent(namespace)}/${resource}/${encodeURIComponent(of.name)}/scale`;
  return { path, scale: (await ask(client, path)) as Scale };
}

/** Where objects of a kind are. */
export async function resourceOf(
  client: Client,
  { apiVersion = '', kind }: Pick<CrossVersionObjectReference, 'apiVersion' | 'kind'>,
): Promise<{ readonly root: string; readonly resource: string; readonly group: string; readonly namespaced: boolean }> {
  const of = parseApiVersion(apiVersion.includes('/') ? apiVersion : 'v1');
  const { group } = of;
  const found = resourceOfKind(await servedResources(client, of), kind);
  if (!found) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
  return { root: groupVersionPath(of), group, resource: found.name, namespaced: found.namespaced };
}

/** Reads a path; what a server says that knows nothing of it is said in a client's words. `what`: `get pods`. */
export async function ask(client: Client, path: string, what?: string): Promise<unknown> {
  const about = what === undefined ? '' : ` (${what})`;
  try {
    return await client.raw('GET', path);
  } catch (error) {
    const { code, details } = statusOf(error);
    if (details?.name) throw error;
    if (code === 404) throw new Error(`the server could not find the requested resource${about}`, { cause: error });
    if (code !== 503) throw error;
    throw new Error(`the server is currently unable to handle the request${about}`, { cause: error });
  }
}
