import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { Invariant } from '../invariant.ts';

/** The containers of one pod of a StatefulSet never run on two machines at once, whatever the API believes. */
export const oneOfEachOrdinal: Invariant = {
  name: 'one of each ordinal',
  check(view, { resource, namespace, name, object }) {
    if (resource !== 'pods') return;
    const { metadata, status } = object as Pod;
    if (status?.phase !== 'Running' || !metadata?.ownerReferences?.some(({ kind }) => kind === 'StatefulSet')) return;
    const where = view.nodes.filter(({ runtime }) => {
      const sandboxes = new Set<string>();
      for (const { id, config } of runtime.sandboxes.values())
        if (config.metadata?.namespace === namespace && config.metadata.name === name) sandboxes.add(id);
      for (const { sandbox, state } of runtime.containers.values())
        if (sandboxes.has(sandbox.id) && state === 'CONTAINER_RUNNING') return true;
      return false;
    });
    if (where.length > 1)
      return `pod ${namespace}/${name} runs on ${where.map((node) => node.name).join(' and ')} at once`;
  },
};
