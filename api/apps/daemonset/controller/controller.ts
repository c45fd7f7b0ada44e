import { type ApiObject, keyOf, type Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isAlreadyExists, isNotFound } from '../../../../libs/machinery/errors.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { controllerOf } from '../../../../libs/machinery/meta.ts';
import { podsOnNode } from '../../../core/pod/controller/by-node.ts';
import {
  candidatesOf,
  claim,
  controlledBy,
  keysOfController,
  settleClaim,
} from '../../../core/pod/controller/ownership.ts';
import { createPods, deletePod, podFromTemplate } from '../../../core/pod/controller/pod-control.ts';
import { controllerRevisions, daemonSets, nodes, pods } from '../../../resources.ts';
import type { DaemonSet } from '../../../types/apps/v1.generated.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { daemonTolerations, fitOf } from './nodes.ts';
import { type Action, GENERATION_LABEL, HASH_LABEL, type Observed, plan } from './plan.ts';

const selectorOf = (set: Live<DaemonSet>) => labelSelectorOf(set.spec?.selector as never);

/** The sets for which a node, as it is or was, has a pod missing or one too many. */
function keysOfNode(node: Live<Node>, { informers }: ControllerEnvironment): readonly string[] {
  const here = podsOnNode(informers, node.metadata.name);
  const isGone = informers.informer(nodes).get(node.metadata.name) === undefined;
  const concerned = (set: Live<DaemonSet>): boolean => {
    const hasPod = here.some((pod) => controllerOf(pod as ApiObject)?.uid === set.metadata.uid);
    const { run, stay } = fitOf(set.spec?.template.spec ?? { containers: [] }, node);
    return isGone || (hasPod ? !stay : run);
  };
  return informers.informer(daemonSets).list().filter(concerned).map(keyOf);
}

/** Keeps one pod of each DaemonSet on every node that fits. */
export const daemonSetController: Reconciler<Observed, Action> = {
  name: 'daemonset',
  concurrency: 2,
  watches: [
    watching(daemonSets, ownKey),
    watching(pods, (pod, env) => keysOfController(pod as Live<ApiObject>, daemonSets, env, selectorOf)),
    watching(controllerRevisions, (revision, env) => keysOfController(revision as Live<ApiObject>, daemonSets, env)),
    watching(nodes, keysOfNode),
  ],
  observe({ informers }, key) {
    const set = informers.informer(daemonSets).get(key);
    if (!set) return undefined;
    const owner = set as Live<ApiObject>;
    return {
      set,
      pods: claim(owner, selectorOf(set), candidatesOf(informers, pods, owner)),
      revisions: controlledBy(informers, controllerRevisions, owner),
      nodes: informers.informer(nodes).list(),
    };
  },
  plan,
  async apply(env, action, { set, pods: claimed }) {
    const { namespace = '' } = set.metadata;
    const written: Written[] = [];
    const revisions = env.client.resource(controllerRevisions).namespace(namespace);
    switch (action.type) {
      case 'claim':
        return settleClaim(env, pods, daemonSets, set, claimed);
      case 'revision': {
        const done = await (action.change === 'create'
          ? revisions.create(action.revision).catch((error: unknown) => {
              if (!isAlreadyExists(error)) throw error;
              return revisions.get(action.revision.metadata?.name ?? '');
            })
          : revisions.update(action.revision));
        return [{ ref: controllerRevisions, resourceVersion: done.metadata.resourceVersion }];
      }
      case 'forget':
        await revisions.delete(action.name).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        return [];
      case 'create':
        await createPods(
          env,
          set,
          action.nodes.map((node) => podOn(set, node, action.hash, action.generation)),
          written,
        );
        return written;
      case 'delete':
        for (const pod of action.failed) {
          const message = `Found failed daemon pod ${namespace}/${pod.metadata.name} on node ${pod.spec?.nodeName ?? ''}, will try to kill it`;
          env.events.event(set, 'Warning', 'FailedDaemonPod', message);
        }
        for (const pod of action.pods) await deletePod(env, set, pod, written);
        return written;
      case 'status': {
        const changed = { ...set, status: action.status } as unknown as DaemonSet;
        const updated = await env.client
          .resource(daemonSets)
          .namespace(namespace)
          .subresource('status')
          .update(changed);
        return [{ ref: daemonSets, resourceVersion: updated.metadata.resourceVersion }];
      }
    }
  },
};

/** The set's pod for one node: the scheduler binds it there, since no other node fits it. */
function podOn(set: Live<DaemonSet>, node: string, hash: string, generation: string): Pod {
  const pod = podFromTemplate(set.spec?.template ?? { spec: { containers: [] } }, daemonSets, set);
  const spec = pod.spec as NonNullable<Pod['spec']>;
  spec.tolerations = daemonTolerations(spec);
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  const affinity = spec.affinity ?? {};
  const nodeAffinity = affinity.nodeAffinity ?? {};
  const terms = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const nodeSelectorTerms = terms?.length ? terms.map((term) => ({ ...term, matchFields })) : [{ matchFields }];
  spec.affinity = {
    ...affinity,
    nodeAffinity: { ...nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  };
  const labels = { ...pod.metadata?.labels, [HASH_LABEL]: hash, [GENERATION_LABEL]: generation };
  return { ...pod, metadata: { ...pod.metadata, labels } };
}
