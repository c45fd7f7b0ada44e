import type { Pod } from '../../cache/cluster-objects.ts';
import type { HostPort } from '../../cache/pod-info.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { unschedulable } from '../../framework/status.ts';

export const NAME = 'NodePorts';
const TAKEN = unschedulable(NAME, "node(s) didn't have free ports for the requested pod ports");
/** An address that stands for all of the node's. */
const ANY = '0.0.0.0';

/** Two pods of one node cannot have the same host port. */
export function nodePorts(): Plugin {
  return {
    name: NAME,
    scope: 'node',
    interests: [
      {
        kind: 'Pod',
        actions: ['delete'],
        helps: (_, { previous }) => usesHostPorts(previous as Pod),
      },
      { kind: 'Node', actions: ['add', 'update'], helps: (_, { previous }) => !previous },
    ],
    preFilter: ({ pod, state }) => {
      const { hostPorts } = pod.template;
      if (hostPorts.length === 0) return undefined;
      return {
        filter: (node) => {
          const used = state.hostPorts[node];
          return used && hostPorts.some((port) => clashes(used, port)) ? TAKEN : undefined;
        },
      };
    },
  };
}

function usesHostPorts(pod: Pod): boolean {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  return containers.some(({ ports }) => ports?.some(({ hostPort }) => hostPort || pod.spec?.hostNetwork));
}

function clashes(used: ReadonlyMap<string, number>, { ip, protocol, port }: HostPort): boolean {
  if (used.has(`${ANY}/${protocol}/${port}`) || used.has(`${ip}/${protocol}/${port}`)) return true;
  if (ip !== ANY) return false;
  const end = `/${protocol}/${port}`;
  for (const key of used.keys()) if (key.endsWith(end)) return true;
  return false;
}
