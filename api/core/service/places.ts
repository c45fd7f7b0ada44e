/** Where a Service's ports lead: the ready endpoints that its EndpointSlices tell of. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { endpointSlices } from '../../resources.ts';
import type { EndpointSlice } from '../../types/discovery/v1.generated.ts';

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** The slices of a Service; none: nobody has said yet where it leads. */
export async function slicesOf(
  registry: Registry,
  namespace: string,
  name: string,
): Promise<readonly DeepReadonly<EndpointSlice>[]> {
  const all = await registry.list(endpointSlices, namespace);
  return all.filter(({ metadata }) => metadata.labels?.[SERVICE_NAME_LABEL] === name);
}

/** The ready endpoints behind one of its ports, by the name that the port has in the Service. */
export function placesOf(slices: readonly DeepReadonly<EndpointSlice>[], portName: string): Place[] {
  return slices.flatMap(({ ports, endpoints }) => {
    const port = (ports ?? []).find(({ name }) => (name ?? '') === portName)?.port;
    if (port === undefined) return [];
    return (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => (addresses ?? []).slice(0, 1).map((host) => ({ host, port })));
  });
}
