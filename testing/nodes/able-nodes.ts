import type { TypedClient } from '../../api/typed-client.ts';

/** How many nodes could take a pod: ready, without the taint of those that are not, and with a network where they get one. */
export async function ableNodes(client: TypedClient, withNetworks: boolean): Promise<number> {
  const { items } = await client.core.v1.nodes().list();
  return items.filter(
    ({ spec, status }) =>
      (spec?.podCIDR || !withNetworks) &&
      !spec?.taints?.some(({ key }) => key === 'node.kubernetes.io/not-ready') &&
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  ).length;
}
