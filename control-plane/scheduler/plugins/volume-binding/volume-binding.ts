import { compareQuantity } from '../../../../libs/machinery/quantity.ts';
import type { ClusterObjects, PersistentVolume, PersistentVolumeClaim } from '../../cache/cluster-objects.ts';
import {
  BOUND_BY_CONTROLLER,
  claimsOf,
  classOf,
  isBound,
  SELECTED_NODE,
  waitsForConsumer,
} from '../../cache/pod-claims.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import type { BindApi, CycleContext, Plugin } from '../../framework/plugin.ts';
import { type Status, status, unresolvable } from '../../framework/status.ts';
import { findVolume, type NodeNamed, provisioning, reachable, storageOf } from './match-volume.ts';

export const NAME = 'VolumeBinding';
const UNREACHABLE = unresolvable(NAME, "node(s) didn't match PersistentVolume's node affinity");
const NO_VOLUME = unresolvable(NAME, "node(s) didn't find available persistent volumes to bind");
const NO_SPACE = unresolvable(NAME, 'node(s) did not have enough free storage');
const GONE = unresolvable(NAME, 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const IMMEDIATE = unresolvable(NAME, 'pod has unbound immediate PersistentVolumeClaims');
/** How long a pod waits for its volumes before it is tried anew. */
const BIND_TIMEOUT_MS = 600_000;

interface Claims {
  readonly bound: readonly PersistentVolumeClaim[];
  /** To be bound or provisioned once the node is known; the smallest first. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

interface Choice {
  readonly bindings: readonly { readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

/** A pod's volumes must be there for the node, or be found or made for it. */
export function volumeBinding(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'PersistentVolumeClaim', actions: ['add', 'update'], helps: ownClaim },
      { kind: 'PersistentVolume', actions: ['add', 'update'] },
      { kind: 'StorageClass', actions: ['add', 'update'] },
      { kind: 'CSINode', actions: ['add', 'update'] },
      { kind: 'CSIDriver', actions: ['update'] },
      { kind: 'CSIStorageCapacity', actions: ['add', 'update'] },
      { kind: 'Node', actions: ['add', 'update'], helps: labelsChange },
    ],
    preFilter: (context) => {
      if (!context.pod.template.hasVolumes) return undefined;
      const claims = readClaims(context);
      if (!claims) return undefined;
      if ('code' in claims) return claims;
      const { objects } = context;
      const volumes = claims.delayed.length > 0 ? objects.list('PersistentVolume') : [];
      return {
        filter: (node) => {
          const found = choose(claims, volumes, named(context, node), objects);
          return 'code' in found ? found : undefined;
        },
      };
    },
    reserve: (context, node) => {
      if (!context.pod.template.hasVolumes) return undefined;
      const claims = readClaims(context);
      if (!claims) return undefined;
      if ('code' in claims) return claims;
      const { objects } = context;
      const target = named(context, node);
      const found = choose(claims, objects.list('PersistentVolume'), target, objects);
      if ('code' in found) return found;
      for (const { claim, volume } of found.bindings) {
        objects.assume('PersistentVolume', withClaim(volume, claim), (told) => Boolean(told.spec?.claimRef));
      }
      for (const claim of found.provisions) {
        objects.assume('PersistentVolumeClaim', withNode(claim, target.name), (told) =>
          Object.hasOwn(told.metadata?.annotations ?? {}, SELECTED_NODE),
        );
      }
      return undefined;
    },
    unreserve: ({ pod, objects }) => {
      for (const { key } of claimsOf(pod)) {
        objects.forget('PersistentVolumeClaim', key);
        for (const volume of objects.list('PersistentVolume')) {
          const ref = volume.spec?.claimRef;
          if (ref && `${ref.namespace}/${ref.name}` === key)
            objects.forget('PersistentVolume', volume.metadata?.name ?? '');
        }
      }
    },
    preBind: (context, node, api) => bindVolumes(context, node, api),
  };
}

const named = ({ state }: CycleContext, node: number): NodeNamed => ({
  name: state.names[node] as string,
  labels: state.labels[node] as NodeNamed['labels'],
});

function readClaims({ pod, objects }: CycleContext): Claims | Status | undefined {
  const wanted = claimsOf(pod);
  if (wanted.length === 0) return undefined;
  const bound: PersistentVolumeClaim[] = [];
  const delayed: PersistentVolumeClaim[] = [];
  let immediate = false;
  for (const { key, name, ephemeral } of wanted) {
    const claim = objects.get('PersistentVolumeClaim', key);
    if (!claim) {
      return unresolvable(
        NAME,
        ephemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : `persistentvolumeclaim "${name}" not found`,
      );
    }
    if (claim.status?.phase === 'Lost') {
      const volume = claim.spec?.volumeName;
      return unresolvable(NAME, `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volume}"`);
    }
    if (claim.metadata?.deletionTimestamp) {
      return unresolvable(NAME, `persistentvolumeclaim "${name}" is being deleted`);
    }
    if (ephemeral && !ownedBy(claim, pod)) {
      return unresolvable(NAME, `PVC ${key} was not created for pod ${pod.key} (pod is not owner)`);
    }
    if (isBound(claim)) bound.push(claim);
    else if (waitsForConsumer(claim, objects) && !claim.spec?.volumeName) delayed.push(claim);
    else immediate = true;
  }
  if (immediate) return IMMEDIATE;
  delayed.sort((a, b) => compareQuantity(storageOf(a), storageOf(b)));
  return { bound, delayed };
}

const ownedBy = (claim: PersistentVolumeClaim, pod: PodInfo): boolean =>
  claim.metadata?.ownerReferences?.some(({ controller, uid }) => controller && uid === pod.uid) ?? false;

/** Which volume each claim would get on the node. */
function choose(
  { bound, delayed }: Claims,
  volumes: readonly PersistentVolume[],
  node: NodeNamed,
  objects: ClusterObjects,
): Choice | Status {
  for (const claim of bound) {
    const volume = objects.get('PersistentVolume', claim.spec?.volumeName ?? '');
    if (!volume) return GONE;
    if (!reachable(volume, node)) return UNREACHABLE;
  }
  const taken = new Set<string>();
  const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
  const provisions: PersistentVolumeClaim[] = [];
  for (const claim of delayed) {
    const selected = claim.metadata?.annotations?.[SELECTED_NODE];
    if (selected && selected !== node.name) return NO_VOLUME;
    const volume = selected ? undefined : findVolume(claim, volumes, node, taken);
    if (volume) {
      taken.add(volume.metadata?.name ?? '');
      bindings.push({ claim, volume });
      continue;
    }
    const made = provisioning(claim, classOf(claim, objects), node, objects);
    if (made === 'impossible') return NO_VOLUME;
    if (made === 'no capacity') return NO_SPACE;
    provisions.push(claim);
  }
  return { bindings, provisions };
}

function withClaim(volume: PersistentVolume, claim: PersistentVolumeClaim): PersistentVolume {
  const { metadata = {} } = claim;
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
  };
  const annotations = { ...volume.metadata?.annotations, [BOUND_BY_CONTROLLER]: 'yes' };
  return {
    ...volume,
    metadata: { ...volume.metadata, annotations },
    spec: { ...volume.spec, claimRef },
  } as PersistentVolume;
}

const withNode = (claim: PersistentVolumeClaim, node: string): PersistentVolumeClaim => ({
  ...claim,
  metadata: { ...claim.metadata, annotations: { ...claim.metadata?.annotations, [SELECTED_NODE]: node } },
});

/** Writes what `reserve` assumed, and waits until the volume controller has bound every claim. */
async function bindVolumes({ pod, objects }: CycleContext, node: string, api: BindApi): Promise<Status | undefined> {
  if (!pod.template.hasVolumes) return undefined;
  const unbound = claimsOf(pod).filter(({ key }) => {
    const claim = objects.get('PersistentVolumeClaim', key);
    return claim && !isBound(claim);
  });
  for (const { key } of unbound) {
    const claim = objects.get('PersistentVolumeClaim', key) as PersistentVolumeClaim;
    if (claim.metadata?.annotations?.[SELECTED_NODE] === node) {
      await api.update('PersistentVolumeClaim', claim);
      continue;
    }
    const volume = objects.list('PersistentVolume').find(({ spec }) => {
      const ref = spec?.claimRef;
      return ref && `${ref.namespace}/${ref.name}` === key;
    });
    if (volume) await api.update('PersistentVolume', volume);
  }
  const endMs = api.nowMs() + BIND_TIMEOUT_MS;
  for (const { key, name } of unbound) {
    const done = await api.waitFor(
      'PersistentVolumeClaim',
      key,
      (claim) => !claim || isBound(claim as PersistentVolumeClaim),
      Math.max(0, endMs - api.nowMs()),
    );
    if (!done) return status('Error', NAME, `binding volumes: timed out waiting for the claim "${name}"`);
  }
  return undefined;
}

const ownClaim = (pod: PodInfo, { object }: { object: object | undefined }): boolean => {
  const { namespace, name } = (object as PersistentVolumeClaim).metadata ?? {};
  return claimsOf(pod).some(({ key }) => key === `${namespace}/${name}`);
};

function labelsChange(_: PodInfo, { object, previous }: { object: object | undefined; previous: object | undefined }) {
  const labels = (node: object | undefined) =>
    JSON.stringify((node as { metadata?: { labels?: object } } | undefined)?.metadata?.labels ?? {});
  return !previous || labels(object) !== labels(previous);
}
