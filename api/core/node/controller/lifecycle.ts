import type { Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  reading,
  type TurnObserver,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import type { MetricSet } from '../../../../libs/metrics/metrics.ts';
import { leases, nodes, pods } from '../../../resources.ts';
import type { Node } from '../../../types/core/v1.generated.ts';
import { isReady } from '../../pod/controller/pod-state.ts';
import { type Action, AWAY, type Observed, plan } from './lifecycle-plan.ts';

const LEASES_NAMESPACE = 'kube-node-lease';
const REGION = 'topology.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';

/** Counts nodes whose pods have to leave, under upstream's name. */
export function nodeLifecycleCounting(metrics: MetricSet): TurnObserver<Observed, Action> {
  const evictions = metrics.counter(
    'node_collector_evictions_total',
    'Nodes that were found to be away, so that their pods had to leave.',
    ['zone'],
  );
  return {
    turned({ observed, done }) {
      const node = observed?.node;
      const drives = ({ effect, key }: { readonly effect?: string; readonly key: string }) =>
        effect === 'NoExecute' && AWAY.has(key);
      if (!node || node.spec?.taints?.some(drives)) return;
      if (done.some((action) => action.type === 'taints' && action.taints.some(drives))) evictions.add(1, zoneOf(node));
    },
  };
}

/** Its region and zone, in the form in which upstream joins them; '' where it has neither. */
function zoneOf({ metadata: { labels = {} } }: Live<Node>): string {
  const [region = '', zone = ''] = [labels[REGION], labels[ZONE]];
  return region === '' && zone === '' ? '' : `${region}:\0:${zone}`;
}

/** Watches over nodes: those that fall silent become Unknown, and their conditions become taints. */
export function nodeLifecycleController(graceMs = 50_000): Reconciler<Observed, Action> {
  /** By node: what was last heard, and when. */
  const heard = new Map<string, { readonly sign: string; readonly atMs: number }>();
  /** Listens to what a node says of itself now. */
  const listen = ({ informers, clock }: ControllerEnvironment, node: Live<Node>) => {
    const { name, uid } = node.metadata;
    const lease = informers.informer(leases).get(`${LEASES_NAMESPACE}/${name}`);
    const beat = node.status?.conditions?.find(({ type }) => type === 'Ready')?.lastHeartbeatTime;
    const sign = `${uid} ${lease?.spec?.renewTime ?? ''} ${beat ?? ''}`;
    const last = heard.get(name);
    const now = last?.sign === sign ? last : { sign, atMs: clock.now() };
    if (now !== last) heard.set(name, now);
    return { lease, heardMs: now.atMs, isFirst: last === undefined };
  };
  return {
    name: 'node-lifecycle',
    watches: [
      watching(nodes, ownKey),
      // A sign of life only puts off the look that waits for it to be missed: of a thousand nodes there are a hundred a second.
      watching(leases, ({ metadata: { namespace, name } }, env) => {
        const node = namespace === LEASES_NAMESPACE ? env.informers.informer(nodes).get(name) : undefined;
        if (node && heard.has(name)) listen(env, node);
        return [];
      }),
      reading(pods),
    ],
    observe(env, name) {
      const node = env.informers.informer(nodes).get(name);
      if (!node) {
        heard.delete(name);
        return undefined;
      }
      const { lease, heardMs, isFirst } = listen(env, node);
      if (isFirst)
        env.events.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
      return { node, lease, heardMs, graceMs };
    },
    plan,
    counting: nodeLifecycleCounting,
    async apply(env, action, { node }) {
      const { name } = node.metadata;
      const client = env.client.resource(nodes);
      const written: Written[] = [];
      if (action.type === 'taints') {
        const patched = await client.patch(name, { spec: { taints: action.taints } }, { type: 'merge' });
        return [{ ref: nodes, resourceVersion: patched.metadata.resourceVersion }];
      }
      const changed = { ...node, status: { ...node.status, conditions: action.conditions } } as unknown as Node;
      const updated = await client.subresource('status').update(changed);
      written.push({ ref: nodes, resourceVersion: updated.metadata.resourceVersion });
      if (!action.lost) return written;
      env.events.event(
        { ...node, metadata: { ...node.metadata, uid: name } } as Live<Node>,
        'Normal',
        'NodeNotReady',
        `Node ${name} status is now: NodeNotReady`,
      );
      for (const pod of env.informers.informer(pods).list()) {
        if (pod.spec?.nodeName !== name || !isReady(pod)) continue;
        // Nobody can say whether it still serves: Services must not count on it.
        const condition = {
          type: 'Ready',
          status: 'False',
          lastTransitionTime: action.conditions[0]?.lastTransitionTime,
        };
        const conditions = (pod.status?.conditions ?? []).map((one) =>
          one.type === 'Ready' ? { ...one, ...condition } : one,
        );
        const podClient = env.client.resource(pods).namespace(pod.metadata.namespace ?? '');
        await podClient
          .subresource('status')
          .patch(pod.metadata.name, { metadata: { uid: pod.metadata.uid }, status: { conditions } }, { type: 'merge' })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        env.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
      }
      return written;
    },
  };
}
