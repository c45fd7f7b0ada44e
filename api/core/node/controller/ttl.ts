import type { Live } from '../../../../libs/kind/object.ts';
import { type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { nodes } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';

export const TTL_ANNOTATION = 'node.alpha.kubernetes.io/ttl';

/**
 * How many seconds a kubelet may believe what it has read of Secrets and ConfigMaps: longer, the more nodes ask. The
 * sizes overlap, so that a cluster at a border does not write all its nodes again and again.
 */
const STEPS = [
  { sizeMin: 0, sizeMax: 100, seconds: 0 },
  { sizeMin: 90, sizeMax: 500, seconds: 15 },
  { sizeMin: 450, sizeMax: 1000, seconds: 30 },
  { sizeMin: 900, sizeMax: 2000, seconds: 60 },
  { sizeMin: 1800, sizeMax: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

export interface Observed {
  readonly node: Live<Node>;
  readonly seconds: number;
}

export interface Action {
  readonly type: 'annotate';
  readonly reason: string;
  readonly value: string;
}

/** Where among the steps a cluster of `size` nodes stands that stood at `step` before. */
export function stepOf(size: number, step: number): number {
  let at = step;
  while (at < STEPS.length - 1 && size > (STEPS[at]?.sizeMax ?? 0)) at++;
  while (at > 0 && size < (STEPS[at]?.sizeMin ?? 0)) at--;
  return at;
}

export const secondsOf = (step: number): number => STEPS[step]?.seconds ?? 0;

/** What of a node is looked at; their number changes with none that is there before and after. */
const isOtherwiseAnnotated = ({ metadata: now }: Live<Node>, { metadata: before }: Live<Node>): boolean =>
  now.uid !== before.uid ||
  now.deletionTimestamp !== before.deletionTimestamp ||
  now.annotations?.[TTL_ANNOTATION] !== before.annotations?.[TTL_ANNOTATION];

export function plan({ node, seconds }: Observed): Plan<Action> {
  const value = String(seconds);
  const isRight = node.metadata.deletionTimestamp || node.metadata.annotations?.[TTL_ANNOTATION] === value;
  return { actions: isRight ? [] : [{ type: 'annotate', value, reason: 'the size of the cluster' }] };
}

/** Tells kubelets, at their nodes, how long to believe what they have read. */
export function nodeTtlController(): Reconciler<Observed, Action> {
  let step = 0;
  return {
    name: 'ttl-controller',
    watches: [
      watching(
        nodes,
        ({ metadata }, { informers }) => {
          const all = informers.informer(nodes).list();
          const now = stepOf(all.length, step);
          if (now === step) return [metadata.name];
          step = now;
          return all.map((node) => node.metadata.name);
        },
        0,
        isOtherwiseAnnotated,
      ),
    ],
    observe({ informers }, name) {
      const node = informers.informer(nodes).get(name);
      return node && { node, seconds: secondsOf(step) };
    },
    plan,
    async apply({ client }, { value }, { node }) {
      const { name, uid } = node.metadata;
      const patch = { metadata: { uid, annotations: { [TTL_ANNOTATION]: value } } };
      const { metadata } = await client.resource(nodes).patch(name, patch, { type: 'merge' });
      return [{ ref: nodes, resourceVersion: metadata.resourceVersion }];
    },
  };
}
