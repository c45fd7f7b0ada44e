import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  reading,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isAlreadyExists, isNotFound } from '../../../../libs/machinery/errors.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import {
  candidatesOf,
  claim,
  controlledBy,
  keysOfController,
  settleClaim,
} from '../../../core/pod/controller/ownership.ts';
import { controllerRevisions, persistentVolumeClaims, pods, statefulSets } from '../../../resources.ts';
import type { StatefulSet } from '../../../types/apps/v1.generated.ts';
import type { PersistentVolumeClaim } from '../../../types/core/v1.generated.ts';
import { ordinalOf } from './identity.ts';
import { type Action, type Observed, plan } from './plan.ts';

const selectorOf = (set: Live<StatefulSet>) => labelSelectorOf(set.spec?.selector as never);

/** Keeps the pods of StatefulSets, and the claims that stay with their numbers. */
export const statefulSetController: Reconciler<Observed, Action> = {
  name: 'statefulset',
  watches: [
    watching(statefulSets, ownKey),
    watching(pods, (pod, env) => keysOfController(pod as Live<ApiObject>, statefulSets, env, selectorOf)),
    watching(controllerRevisions, (revision, env) => keysOfController(revision as Live<ApiObject>, statefulSets, env)),
    reading(persistentVolumeClaims),
  ],
  observe({ informers }, key) {
    const set = informers.informer(statefulSets).get(key);
    if (!set) return undefined;
    const owner = set as Live<ApiObject>;
    const isNamed = (pod: Live<ApiObject>) => ordinalOf(set.metadata.name, pod.metadata.name) !== undefined;
    const candidates = candidatesOf(informers, pods, owner).filter((pod) => isNamed(pod as Live<ApiObject>));
    const claims = informers.informer(persistentVolumeClaims);
    return {
      set,
      pods: claim(owner, selectorOf(set), candidates),
      revisions: controlledBy(informers, controllerRevisions, owner),
      claim: (name) => claims.get(`${set.metadata.namespace}/${name}`),
    };
  },
  plan,
  async apply(env, action, { set, pods: claimed }) {
    const { namespace = '', name: setName } = set.metadata;
    const revisions = env.client.resource(controllerRevisions).namespace(namespace);
    const podClient = env.client.resource(pods).namespace(namespace);
    const claims = env.client.resource(persistentVolumeClaims).namespace(namespace);
    switch (action.type) {
      case 'claim':
        return settleClaim(env, pods, statefulSets, set, claimed);
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
        await revisions.delete(action.name).catch(goneAlready);
        return [];
      case 'claim owners': {
        // Its role lets it update claims, not patch them.
        const fresh = await claims.get(action.name).catch(goneAlready);
        if (fresh?.metadata.uid !== action.uid) return [];
        const metadata = { ...fresh.metadata, ownerReferences: action.owners };
        const updated = await claims.update({ ...fresh, metadata } as Live<PersistentVolumeClaim>);
        return [{ ref: persistentVolumeClaims, resourceVersion: updated.metadata.resourceVersion }];
      }
      case 'create': {
        const written: Written[] = [];
        const name = action.pod.metadata?.name ?? '';
        for (const wanted of action.claims) {
          const claimName = wanted.metadata?.name ?? '';
          const what = `Claim ${claimName} Pod ${name} in StatefulSet ${setName}`;
          const made = await claims.create(wanted).catch((error: unknown) => {
            if (!isAlreadyExists(error)) tell(env, set, 'create', what, error);
            if (!isAlreadyExists(error)) throw error;
          });
          if (!made) continue;
          tell(env, set, 'create', what);
          written.push({ ref: persistentVolumeClaims, resourceVersion: made.metadata.resourceVersion });
        }
        const what = `Pod ${name} in StatefulSet ${setName}`;
        try {
          const made = await podClient.create(action.pod);
          tell(env, set, 'create', what);
          written.push({ ref: pods, resourceVersion: made.metadata.resourceVersion });
        } catch (error) {
          tell(env, set, 'create', what, error);
          throw error;
        }
        return written;
      }
      case 'delete': {
        const { name } = action.pod.metadata;
        const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
        const body = { kind: 'DeleteOptions', apiVersion: 'v1' };
        const gone = (await env.client.raw('DELETE', path, { body }).catch(goneAlready)) as Live<ApiObject> | undefined;
        if (!gone?.metadata) return [];
        tell(env, set, 'delete', `Pod ${name} in StatefulSet ${setName}`);
        return [{ ref: pods, resourceVersion: gone.metadata.resourceVersion }];
      }
      case 'status': {
        const changed = { ...set, status: action.status } as unknown as StatefulSet;
        const updated = await env.client
          .resource(statefulSets)
          .namespace(namespace)
          .subresource('status')
          .update(changed);
        return [{ ref: statefulSets, resourceVersion: updated.metadata.resourceVersion }];
      }
    }
  },
};

function tell(
  env: ControllerEnvironment,
  set: Live<StatefulSet>,
  verb: 'create' | 'delete',
  what: string,
  error?: unknown,
): void {
  const word = verb === 'create' ? 'Create' : 'Delete';
  if (error === undefined)
    return env.events.event(
      set,
      'Normal',
      `Successful${word}`,
      `${verb === 'create' && what.startsWith('Claim') ? 'Create' : word} ${what} ${what.startsWith('Claim') ? 'success' : 'successful'}`,
    );
  const { message } = error as Error;
  env.events.event(set, 'Warning', `Failed${word}`, `${verb} ${what} failed error: ${message}`);
}

function goneAlready(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
  return undefined;
}
