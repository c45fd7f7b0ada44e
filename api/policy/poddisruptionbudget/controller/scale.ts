import { resourceOfKind, servedResources } from '../../../../libs/client/served-resources.ts';
import { groupResourceName } from '../../../../libs/kind/client.ts';
import { type ApiObject, keyOf, type Live } from '../../../../libs/kind/object.ts';
import type { ControllerEnvironment } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { groupVersionPath, parseApiVersion } from '../../../../libs/machinery/gvk.ts';
import { controllerOf } from '../../../../libs/machinery/meta.ts';
import { deployments, replicaSets, replicationControllers, statefulSets } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import type { Scale } from './plan.ts';

interface Owner {
  readonly uid: string;
  readonly replicas: number;
}

/** Adds up what the controllers of pods want; each controller counts once. An Error where one cannot be scaled. */
export async function scaleOf(env: ControllerEnvironment, pods: readonly Live<Pod>[]): Promise<Scale | Error> {
  const owners = new Map<string, number>();
  const seen = new Set<string>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const reference = controllerOf(pod as ApiObject);
    if (!reference) {
      unmanaged.push(pod.metadata.name);
      continue;
    }
    if (seen.has(reference.uid)) continue;
    seen.add(reference.uid);
    const owner = await ownerOf(env, pod, reference);
    if (owner instanceof Error) return owner;
    if (!owner) return new Error(`found no controllers for pod "${pod.metadata.name}"`);
    owners.set(owner.uid, owner.replicas);
  }
  return { replicas: [...owners.values()].reduce((sum, one) => sum + one, 0), unmanaged };
}

type Reference = NonNullable<ReturnType<typeof controllerOf>>;

async function ownerOf(
  env: ControllerEnvironment,
  { metadata: { namespace = '' } }: Live<Pod>,
  { apiVersion, kind, name, uid }: Reference,
): Promise<Owner | Error | undefined> {
  const { informers } = env;
  const key = keyOf({ metadata: { namespace, name } });
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  const scaled = (object: Live<ApiObject & { spec?: { replicas?: number } }> | undefined): Owner | undefined =>
    object?.metadata.uid === uid ? { uid, replicas: object.spec?.replicas ?? 1 } : undefined;
  switch (`${kind}.${group}`) {
    case 'ReplicaSet.apps': {
      const set = informers.informer(replicaSets).get(key);
      if (set?.metadata.uid !== uid) return undefined;
      const above = controllerOf(set as ApiObject);
      if (above?.kind !== 'Deployment') return scaled(set as never);
      const deployment = informers.informer(deployments).get(keyOf({ metadata: { namespace, name: above.name } }));
      if (deployment?.metadata.uid !== above.uid) return undefined;
      return { uid: above.uid, replicas: deployment.spec?.replicas ?? 1 };
    }
    case 'StatefulSet.apps':
      return scaled(informers.informer(statefulSets).get(key) as never);
    case 'ReplicationController.':
      return scaled(informers.informer(replicationControllers).get(key) as never);
    default:
      return askScale(env, apiVersion, kind, namespace, name);
  }
}

/** Any other kind is asked for its scale, if it has one. */
async function askScale(
  { client }: ControllerEnvironment,
  apiVersion: string,
  kind: string,
  namespace: string,
  name: string,
): Promise<Owner | Error | undefined> {
  const of = parseApiVersion(apiVersion);
  const resources = await servedResources(client, of);
  const resource = resourceOfKind(resources, kind)?.name;
  if (!resource) return undefined;
  if (!resources.some((one) => one.name === `${resource}/scale`)) {
    return new Error(`${groupResourceName({ ...of, resource })} does not implement the scale subresource`);
  }
  try {
    const path = `${groupVersionPath(of)}/namespaces/${encodeURIComponent(namespace)}/${resource}/${encodeURIComponent(name)}/scale`;
    const scale = (await client.raw('GET', path)) as Live<ApiObject & { spec?: { replicas?: number } }>;
    return { uid: scale.metadata.uid, replicas: scale.spec?.replicas ?? 0 };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
