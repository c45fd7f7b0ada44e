import { isSidecar } from '../../../api/core/pod/resources.ts';
import type { Container, EphemeralContainer, Pod } from '../../../api/types/core/v1.generated.ts';
import { inOnePiece } from '../../../libs/base/text.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';

/** A pod of this node, from the API or from a manifest. It has a name, a namespace and a uid. */
export type NodePod = DeepReadonly<Pod>;
/** Ephemeral containers have the same fields, as far as a node is concerned. */
export type PodContainer = DeepReadonly<Container> & { readonly targetContainerName?: string };
export type ContainerKind = 'init' | 'main' | 'ephemeral';

export interface SpecContainer {
  readonly kind: ContainerKind;
  readonly container: PodContainer;
  /** An init container that keeps running beside the others. */
  readonly sidecar: boolean;
}

export const uidOf = (pod: NodePod): string => pod.metadata?.uid ?? '';
export const nameOf = (pod: NodePod): string => pod.metadata?.name ?? '';
export const namespaceOf = (pod: NodePod): string => pod.metadata?.namespace ?? 'default';

/** `name_namespace(uid)`, as messages of a kubelet name a pod. */
export const describePod = (pod: NodePod): string => `${nameOf(pod)}_${namespaceOf(pod)}(${uidOf(pod)})`;

/** All containers of a pod, in the order in which they start. */
export function containersOf({ spec }: NodePod): SpecContainer[] {
  const all: SpecContainer[] = [];
  const { initContainers, containers, ephemeralContainers } = spec ?? {};
  if (initContainers)
    for (const container of initContainers) all.push({ kind: 'init', container, sidecar: isSidecar(container) });
  if (containers) for (const container of containers) all.push({ kind: 'main', container, sidecar: false });
  if (ephemeralContainers)
    for (const container of ephemeralContainers as readonly DeepReadonly<EphemeralContainer>[])
      all.push({ kind: 'ephemeral', container, sidecar: false });
  return all;
}

export function findContainer(pod: NodePod, name: string): SpecContainer | undefined {
  const isNamed = (one: { readonly name: string }) => one.name === name;
  const { initContainers, containers, ephemeralContainers } = pod.spec ?? {};
  const init = initContainers?.find(isNamed);
  if (init) return { kind: 'init', container: init, sidecar: isSidecar(init) };
  const main = containers?.find(isNamed);
  if (main) return { kind: 'main', container: main, sidecar: false };
  const ephemeral = ephemeralContainers?.find(isNamed);
  return ephemeral && { kind: 'ephemeral', container: ephemeral as PodContainer, sidecar: false };
}

const CONTAINER_LIST = { init: 'initContainers', main: 'containers', ephemeral: 'ephemeralContainers' } as const;

/** How events name one container of a pod: `spec.containers{web}`; empty where the pod has none of that name. */
export function containerFieldPath(pod: NodePod, name: string): string {
  const kind = findContainer(pod, name)?.kind;
  return kind === undefined ? '' : inOnePiece('spec.', CONTAINER_LIST[kind], '{', name, '}');
}

/** The port that a probe or hook names: a number, or the name of one of the container's ports; undefined: no such port. */
export function resolvePort(port: number | string, container: PodContainer): number | undefined {
  const byName =
    typeof port === 'string' ? container.ports?.find((one) => one.name === port)?.containerPort : undefined;
  const number = byName ?? Number(port);
  return Number.isInteger(number) && number > 0 && number < 65536 ? number : undefined;
}

/** How long the pod's containers may take to end, in milliseconds: as the deletion says, else as the spec does. */
export function gracePeriodMs(pod: NodePod): number {
  const seconds = pod.metadata?.deletionTimestamp
    ? (pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds)
    : pod.spec?.terminationGracePeriodSeconds;
  return Number(seconds ?? 30) * 1000;
}
