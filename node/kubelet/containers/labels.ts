import type { Keys } from '../../../libs/base/keys.ts';
import { gracePeriodMs, type NodePod, nameOf, namespaceOf, type PodContainer, uidOf } from '../pod/objects.ts';
import { resourcesOf } from '../pod/resize.ts';

/**
 * By what a kubelet finds its own again in the runtime, after a crash as well. The names are Kubernetes' own; tools that
 * read containers know them.
 */
export const LABEL = Object.freeze({
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
});

export const ANNOTATION = Object.freeze({
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  ports: 'io.kubernetes.container.ports',
  preStop: 'io.kubernetes.container.preStopHandler',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  /** What the container was made with: a kubelet that starts anew has it from here. */
  resources: 'tutti.io/resources',
  configSource: 'kubernetes.io/config.source',
  configHash: 'kubernetes.io/config.hash',
  configMirror: 'kubernetes.io/config.mirror',
});

export function podLabels(pod: NodePod): Record<string, string> {
  return { [LABEL.podName]: nameOf(pod), [LABEL.podNamespace]: namespaceOf(pod), [LABEL.podUid]: uidOf(pod) };
}

export function containerLabels(pod: NodePod, container: PodContainer): Record<string, string> {
  return { ...podLabels(pod), [LABEL.containerName]: container.name };
}

export function containerAnnotations(
  keys: Keys,
  pod: NodePod,
  container: PodContainer,
  restartCount: number,
): Record<string, string> {
  const { preStop } = container.lifecycle ?? {};
  return {
    [ANNOTATION.hash]: hashContainer(keys, container),
    [ANNOTATION.restartCount]: String(restartCount),
    [ANNOTATION.terminationMessagePath]: container.terminationMessagePath ?? '/dev/termination-log',
    [ANNOTATION.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
    [ANNOTATION.gracePeriod]: String(gracePeriodMs(pod) / 1000),
    ...(container.ports?.length && { [ANNOTATION.ports]: JSON.stringify(container.ports) }),
    [ANNOTATION.resources]: JSON.stringify(resourcesOf(container)),
    ...(preStop && { [ANNOTATION.preStop]: JSON.stringify(preStop) }),
  };
}

/** What was hashed lately: the pods of one workload have the same containers, and each is looked at again and again. */
const hashes = new WeakMap<Keys, Map<string, string>>();
const HASHES_MAX = 256;

/** Changes when a running container no longer is what its spec says: of what may be changed in place, the image. */
export function hashContainer(keys: Keys, container: PodContainer): string {
  let known = hashes.get(keys);
  if (!known) hashes.set(keys, (known = new Map()));
  const text = JSON.stringify([container.name, container.image]);
  let hash = known.get(text);
  if (hash !== undefined) return hash;
  const bytes = keys.digest('sha256', text);
  hash = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (known.size >= HASHES_MAX) known.clear();
  known.set(text, hash);
  return hash;
}
