import { formatTime } from '../../../../libs/base/clock.ts';
import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Reconciler, type Written, watching } from '../../../../libs/kind/reconciler.ts';
import { hasCause, isAlreadyExists, isNotFound } from '../../../../libs/machinery/errors.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { controllerOf, controllerReference, isControlledBy } from '../../../../libs/machinery/meta.ts';
import {
  candidatesOf,
  claim,
  controlledBy,
  keysOfController,
  settleClaim,
} from '../../../core/pod/controller/ownership.ts';
import { isFinished } from '../../../core/pod/controller/pod-state.ts';
import { deployments, pods, replicaSets } from '../../../resources.ts';
import type { Deployment, DeploymentStatus, ReplicaSet } from '../../../types/apps/v1.generated.ts';
import { type Action, type Observed, plan, sameTemplate } from './plan.ts';
import { hasDeadline, withCondition } from './status.ts';

const TYPE = { apiVersion: 'apps/v1', kind: 'Deployment' };

const selectorOf = (deployment: Live<Deployment>) => labelSelectorOf(deployment.spec?.selector as never);

/** Rolls Deployments out, over ReplicaSets. */
export const deploymentController: Reconciler<Observed, Action> = {
  name: 'deployment',
  watches: [
    watching(deployments, ownKey),
    watching(replicaSets, (set, env) => keysOfController(set as Live<ApiObject>, deployments, env, selectorOf)),
    // A pod's end matters to Recreate alone, which waits for it.
    watching(
      pods,
      (pod, { informers }) => {
        const owner = controllerOf(pod as ApiObject);
        if (owner?.kind !== 'ReplicaSet') return [];
        const set = informers.informer(replicaSets).get(`${pod.metadata.namespace}/${owner.name}`);
        const above = set && controllerOf(set as ApiObject);
        if (above?.kind !== 'Deployment') return [];
        const key = `${pod.metadata.namespace}/${above.name}`;
        return informers.informer(deployments).get(key)?.spec?.strategy?.type === 'Recreate' ? [key] : [];
      },
      0,
      (pod, previous) => isFinished(pod) !== isFinished(previous),
    ),
  ],
  observe({ informers }, key) {
    const deployment = informers.informer(deployments).get(key);
    if (!deployment) return undefined;
    const candidates = candidatesOf(informers, replicaSets, deployment as Live<ApiObject>);
    return {
      deployment,
      sets: claim(deployment as Live<ApiObject>, selectorOf(deployment), candidates),
      podsOf: (set) => controlledBy(informers, pods, set as Live<ApiObject>),
    };
  },
  plan,
  async apply(env, action, observed) {
    const { deployment, sets } = observed;
    const { namespace = '' } = deployment.metadata;
    const inNamespace = env.client.resource(replicaSets).namespace(namespace);
    const told = (from: number, to: number, name: string) => {
      const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`;
      env.events.event(deployment, 'Normal', 'ScalingReplicaSet', message);
    };
    switch (action.type) {
      case 'claim':
        return settleClaim(env, replicaSets, deployments, deployment, sets);
      case 'update': {
        const updated = await inNamespace.update(action.set);
        if (action.scaled) told(action.scaled.from, action.scaled.to, updated.metadata.name);
        return [{ ref: replicaSets, resourceVersion: updated.metadata.resourceVersion }];
      }
      case 'delete':
        await inNamespace
          .delete(action.name, { preconditions: { uid: action.uid }, propagationPolicy: 'Background' })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        return [];
      case 'create': {
        const ownerReferences = [controllerReference(deployment as ApiObject, TYPE)];
        const wanted: ReplicaSet = { ...action.set, metadata: { ...action.set.metadata, ownerReferences } };
        const name = wanted.metadata?.name ?? '';
        try {
          const made = await inNamespace.create(wanted);
          const replicas = made.spec?.replicas ?? 0;
          if (replicas > 0) told(0, replicas, name);
          return [{ ref: replicaSets, resourceVersion: made.metadata.resourceVersion }];
        } catch (error) {
          const taken = isAlreadyExists(error) ? await inNamespace.get(name) : undefined;
          // Ours after all: an earlier attempt whose answer was lost.
          if (
            taken &&
            isControlledBy(taken as ApiObject, deployment as ApiObject) &&
            sameTemplate(taken, wanted.spec?.template)
          ) {
            return [{ ref: replicaSets, resourceVersion: taken.metadata.resourceVersion }];
          }
          if (taken) {
            const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
            await writeStatus({ ...(deployment.status as DeploymentStatus), collisionCount });
          } else if (!hasCause(error, 'NamespaceTerminating')) await tellFailure(name, error as Error);
          throw error;
        }
      }
      case 'rollback': {
        const updated = await env.client.resource(deployments).namespace(namespace).update(action.deployment);
        env.events.event(deployment, ...action.event);
        return [{ ref: deployments, resourceVersion: updated.metadata.resourceVersion }];
      }
      case 'status':
        return [await writeStatus(action.status, action.annotations)];
    }

    async function writeStatus(
      status: DeploymentStatus,
      annotations = deployment.metadata.annotations,
    ): Promise<Written> {
      const metadata = { ...deployment.metadata, annotations };
      const changed = { ...deployment, metadata, status } as unknown as Deployment;
      const updated = await env.client.resource(deployments).namespace(namespace).subresource('status').update(changed);
      return { ref: deployments, resourceVersion: updated.metadata.resourceVersion, expected: true };
    }

    async function tellFailure(name: string, error: Error): Promise<void> {
      const message = `Failed to create new replica set "${name}": ${error.message}`;
      env.events.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
      if (!hasDeadline(deployment)) return;
      const { status = {} } = deployment;
      const nowMs = env.clock.now();
      const conditions = withCondition(
        status.conditions ?? [],
        'Progressing',
        'False',
        'ReplicaSetCreateError',
        message,
        nowMs,
      );
      if (conditions === status.conditions) return;
      await writeStatus({ ...status, conditions } as DeploymentStatus).catch((second) =>
        env.log.debug('the failure could not be told', { error: second, time: formatTime(nowMs) }),
      );
    }
  },
};
