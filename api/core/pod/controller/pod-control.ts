import { inOnePiece } from '../../../../libs/base/text.ts';
import {
  type ApiObject,
  apiVersionOf,
  type DeepReadonly,
  type Live,
  type ResourceRef,
} from '../../../../libs/kind/object.ts';
import type { ControllerEnvironment, Written } from '../../../../libs/kind/reconciler.ts';
import { copyValue } from '../../../../libs/machinery/copy.ts';
import { hasCause, isNotFound } from '../../../../libs/machinery/errors.ts';
import { controllerReference } from '../../../../libs/machinery/meta.ts';
import { pods } from '../../../resources.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';

/** A pod as a template says, controlled by `owner`; its name is the server's to make. */
export function podFromTemplate<O extends ApiObject>(
  template: DeepReadonly<PodTemplateSpec>,
  ownerRef: ResourceRef<O>,
  owner: Live<O>,
): Pod {
  const { labels = {}, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      generateName: inOnePiece(owner.metadata.name, '-'),
      namespace: owner.metadata.namespace ?? '',
      labels: { ...labels },
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ...(finalizers ? { finalizers: [...finalizers] } : {}),
      ownerReferences: [
        controllerReference(owner as never, { apiVersion: apiVersionOf(ownerRef), kind: ownerRef.kind }),
      ],
    },
    spec: copyValue(template.spec) as Pod['spec'],
  };
}

/** Of a batch, so many are under way beside each other: more would only wait in the API server, and in memory. */
const AT_ONCE = 16;

/**
 * Creates pods in batches that double as long as all goes well, so that what is refused is refused once and not a
 * thousand times. Records an event for each. Throws the first failure, after the batch that it came in. `isExpected`: the
 * plan reckoned with a pod that was made so.
 */
export async function createPods<O extends ApiObject>(
  env: ControllerEnvironment,
  owner: Live<O>,
  wanted: readonly Pod[],
  written: Written[],
  isExpected?: (made: Live<Pod>) => boolean,
): Promise<void> {
  let batch = 1;
  for (let start = 0; start < wanted.length; start += batch, batch *= 2) {
    const ready = wanted.slice(start, start + batch);
    const failures: unknown[] = [];
    for (let at = 0; at < ready.length; at += AT_ONCE) {
      const some = ready.slice(at, at + AT_ONCE).map((pod) => createPod(env, owner, pod, written, isExpected));
      for (const result of await Promise.allSettled(some))
        if (result.status === 'rejected') failures.push(result.reason);
    }
    if (failures.length > 0) throw failures[0];
  }
}

export async function createPod<O extends ApiObject>(
  env: ControllerEnvironment,
  owner: Live<O>,
  pod: Pod,
  written: Written[],
  isExpected: (made: Live<Pod>) => boolean = () => false,
): Promise<Live<Pod>> {
  try {
    const made = await env.client
      .resource(pods)
      .namespace(owner.metadata.namespace ?? '')
      .create(pod);
    env.events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
    written.push({ ref: pods, resourceVersion: made.metadata.resourceVersion, expected: isExpected(made) });
    return made;
  } catch (error) {
    // In a namespace that goes away nothing is wrong with that, and nobody could read the event.
    if (!hasCause(error, 'NamespaceTerminating')) {
      env.events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
    }
    throw error;
  }
}

/**
 * Deletes a pod, unless another one has its name by now. One that is gone already is no failure. `expected`: the plan
 * reckoned with its being on its way out.
 */
export async function deletePod<O extends ApiObject>(
  env: ControllerEnvironment,
  owner: Live<O>,
  pod: Live<Pod>,
  written: Written[],
  expected = false,
): Promise<void> {
  const { namespace = '', name } = pod.metadata;
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
    // Pods are answered with the object as it is now: with that, one's own deletion can be waited for.
    const answer = (await env.client.raw('DELETE', path, {
      body: { kind: 'DeleteOptions', apiVersion: 'v1' },
    })) as Live<Pod>;
    env.events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    const resourceVersion = answer.metadata?.resourceVersion;
    if (resourceVersion) written.push({ ref: pods, resourceVersion, expected });
  } catch (error) {
    if (isNotFound(error)) return;
    env.events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
    throw error;
  }
}
