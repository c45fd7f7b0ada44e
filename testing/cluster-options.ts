import type { SimulatedImage } from '../node/cri/fake/image.ts';
import type { ClusterOptions } from './cluster.ts';
import type { ClusterComponent } from './components.ts';
import { ClusterUsageError } from './errors.ts';
import { mustBeGates } from './feature-gates.ts';
import { mustBeNodeSpec } from './nodes/node-spec.ts';
import type { NodeSpec } from './simulated-nodes.ts';

const KNOWN: Readonly<Record<keyof ClusterOptions, true>> = {
  seed: true,
  time: true,
  startMs: true,
  everyHeartbeat: true,
  log: true,
  store: true,
  nodes: true,
  components: true,
  scheduler: true,
  featureGates: true,
  controllers: true,
  clusterCidrs: true,
  from: true,
  images: true,
};
const NODES_MAX = 5_000;

/** Throws `ClusterUsageError` for an option that there is not, or one with a word that it does not know. */
export function mustBeOptions(options: ClusterOptions): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(KNOWN, name))
      throw new ClusterUsageError(`createCluster has no option "${name}"; it knows ${Object.keys(KNOWN).join(', ')}`);
  }
  const { seed, time, startMs, components, scheduler, images = {} } = options;
  if (seed !== undefined && typeof seed !== 'string' && typeof seed !== 'number')
    throw new ClusterUsageError(`seed is a text or a number, not ${JSON.stringify(seed)}`);
  if (components !== undefined && !Array.isArray(components))
    throw new ClusterUsageError(`components is a list, as ["controller-manager"], not ${JSON.stringify(components)}`);
  for (const part of Object.keys(scheduler ?? {})) {
    if (part !== 'configuration' && part !== 'plugins')
      throw new ClusterUsageError(`scheduler has no "${part}"; it has configuration, plugins`);
  }
  for (const [reference, image] of Object.entries(images)) mustBeImage(reference, image);
  mustBeGates(options.featureGates);
  if (time !== undefined && time !== 'virtual' && time !== 'real')
    throw new ClusterUsageError(`time is "virtual" or "real", not ${JSON.stringify(time)}`);
  if (startMs !== undefined && !(Number.isFinite(startMs) && startMs >= 0))
    throw new ClusterUsageError(`startMs is a time in milliseconds since 1970, not ${JSON.stringify(startMs)}`);
}

const IMAGE_PARTS: Readonly<Record<keyof SimulatedImage, true>> = {
  run: true,
  pullMs: true,
  pullError: true,
  startMs: true,
  startError: true,
  exitAfterMs: true,
  exitCode: true,
  failureRate: true,
  stopMs: true,
  usage: true,
  sizeBytes: true,
  user: true,
};

/** Throws `ClusterUsageError` for what is neither a function nor a policy. */
export function mustBeImage(reference: string, image: unknown): void {
  if (typeof image === 'function') return;
  if (typeof image !== 'object' || image === null)
    throw new ClusterUsageError(`the image ${reference} is a function, or a policy such as { pullMs: 2000 }`);
  for (const part of Object.keys(image)) {
    if (!Object.hasOwn(IMAGE_PARTS, part))
      throw new ClusterUsageError(
        `the policy of the image ${reference} has no "${part}"; it has ${Object.keys(IMAGE_PARTS).join(', ')}`,
      );
  }
}

/** What each node is. Throws `ClusterUsageError` for what is none, too many, or two of one name. */
export function nodeSpecs(nodes: number | readonly NodeSpec[]): readonly NodeSpec[] {
  const count = typeof nodes === 'number' ? nodes : nodes.length;
  if (!Number.isInteger(count) || count < 0 || count > NODES_MAX)
    throw new ClusterUsageError(`a cluster has 0 to ${NODES_MAX} nodes, not ${count}`);
  const specs: readonly NodeSpec[] = typeof nodes === 'number' ? Array.from({ length: nodes }, () => ({})) : nodes;
  const names = new Set<string>();
  for (const [index, spec] of specs.entries()) {
    mustBeNodeSpec(spec, index);
    const { name = `node-${index + 1}` } = spec;
    if (names.has(name)) throw new ClusterUsageError(`two nodes are called "${name}"`);
    names.add(name);
  }
  return specs;
}

/** How many timers at one instant are taken for an instant that never ends: a few seconds of work. */
export const timersPerInstant = (nodes: number): number => 300_000 + 1_000 * nodes;

interface Defaults {
  readonly components: readonly ClusterComponent[];
  readonly clusterCidrs?: readonly string[];
}

/** What runs where nobody says it, and the pods' networks: room for one /24 a node, beside the Services'. */
export const defaultsFor = (nodes: number): Defaults =>
  nodes === 0
    ? { components: ['controller-manager'] }
    : {
        components: ['controller-manager', 'scheduler'],
        clusterCidrs: nodes <= 250 ? ['10.244.0.0/16'] : ['10.128.0.0/9'],
      };
