import { parseQuantity, QuantityError } from '../../libs/machinery/quantity.ts';
import { ClusterUsageError } from '../errors.ts';
import type { NodeSpec, NodeTaint } from './simulated-node.ts';

const PARTS: Readonly<Record<keyof NodeSpec, true>> = {
  name: true,
  capacity: true,
  labels: true,
  taints: true,
  kubelet: true,
};
const EFFECTS: readonly NodeTaint['effect'][] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const MACHINE: readonly string[] = ['cpu', 'memory', 'pods', 'ephemeral-storage'];
/** Devices and the like, by a domain of their maker's; and huge pages. */
const EXTENDED = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?|hugepages-\w+)$/;

/** Throws `ClusterUsageError`, which names the node and the place, for what is no node. `index`: its place, from 0. */
export function mustBeNodeSpec(spec: NodeSpec, index: number): void {
  const at = `nodes[${index}]${spec?.name === undefined ? '' : ` ("${spec.name}")`}`;
  const wrong = (message: string) => new ClusterUsageError(`${at}: ${message}`);
  if (typeof spec !== 'object' || spec === null) throw wrong('a node is an object, as { capacity: { cpu: "8" } }');
  for (const part of Object.keys(spec)) {
    if (!Object.hasOwn(PARTS, part)) throw wrong(`a node has no "${part}"; it has ${Object.keys(PARTS).join(', ')}`);
  }
  for (const [name, amount] of Object.entries(spec.capacity ?? {})) {
    if (!MACHINE.includes(name) && !EXTENDED.test(name))
      throw wrong(`capacity knows ${MACHINE.join(', ')}, and resources such as example.com/gpu, not "${name}"`);
    if (!isAmount(amount))
      throw wrong(`capacity.${name} wants a quantity such as "4" or "8Gi", not ${JSON.stringify(amount)}`);
  }
  for (const [place, { key, effect }] of (spec.taints ?? []).entries()) {
    if (typeof key !== 'string' || key === '') throw wrong(`taints[${place}] wants a key`);
    if (!EFFECTS.includes(effect))
      throw wrong(`taints[${place}].effect is one of ${EFFECTS.join(', ')}, not "${effect}"`);
  }
}

const isAmount = (text: unknown): boolean =>
  typeof text === 'string' && !(parseQuantity(text) instanceof QuantityError);
