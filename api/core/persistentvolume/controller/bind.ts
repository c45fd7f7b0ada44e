import { type ApiObject, keyOf, type Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  type Reconciler,
  reading,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../../resources.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../../types/core/v1.generated.ts';
import {
  type Action,
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  boundStatus,
  type Observed,
  plan,
  withClaim,
  withVolume,
} from './bind-plan.ts';
import { type Claim, classNameOf, type Volume } from './match.ts';

const CLAIM = 'claim ';
const VOLUME = 'volume ';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

/**
 * Brings claims and volumes together (API concept "Persistent Volumes"): static binding, volumes kept for a claim, claims
 * that wait for their pod's node, and what becomes of either when the other has gone. Keys are `claim namespace/name`
 * and `volume name`; one at a time, so that a volume is not given away twice.
 */
export const persistentVolumeBinder: Reconciler<Observed, Action> = {
  name: 'persistentvolume-binder-controller',
  concurrency: 1,
  watches: [
    watching(persistentVolumeClaims, (claim, { informers }) => [
      CLAIM + keyOf(claim),
      ...(claim.spec?.volumeName ? [VOLUME + claim.spec.volumeName] : []),
      ...byClaim(informers)
        .by('claim', keyOf(claim))
        .map(({ metadata }) => VOLUME + metadata.name),
    ]),
    watching(persistentVolumes, (volume, { informers }) => {
      const ref = volume.spec?.claimRef;
      const own = VOLUME + volume.metadata.name;
      if (ref) return [own, `${CLAIM}${ref.namespace}/${ref.name}`];
      return [own, ...openClaims(informers, (claim) => classNameOf(claim) === classNameOf(volume as Volume))];
    }),
    watching(storageClasses, (storageClass, { informers }) =>
      openClaims(informers, (claim) => ['', storageClass.metadata.name].includes(classNameOf(claim))),
    ),
    reading(pods),
  ],
  observe(env, key) {
    const { informers } = env;
    const volumes = byClaim(informers);
    if (key.startsWith(VOLUME)) {
      const volume = volumes.get(key.slice(VOLUME.length));
      if (!volume) return undefined;
      const { namespace, name, uid } = volume.spec?.claimRef ?? {};
      const claim = informers.informer(persistentVolumeClaims).get(`${namespace}/${name}`);
      return { volume, claim: claim?.metadata.uid === uid ? claim : undefined };
    }
    const claim = informers.informer(persistentVolumeClaims).get(key.slice(CLAIM.length));
    if (!claim) return undefined;
    const classes = informers.informer(storageClasses);
    const defaults = classes
      .list()
      .filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS] === 'true')
      .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1));
    return {
      claim,
      volume: claim.spec?.volumeName ? volumes.get(claim.spec.volumeName) : undefined,
      volumes: volumes.list(),
      storageClass: classes.get(classNameOf(claim)),
      defaultClass: defaults[0]?.metadata.name,
      // Only said of claims that wait: going through pods is not for every look at a bound one.
      waitingPods: isBound(claim) ? [] : waitingPods(env, claim),
    };
  },
  plan,
  async apply(env, action, observed) {
    if (action.type === 'tell') {
      const { type, reason, message } = action.event;
      const about = 'volumes' in observed ? observed.claim : observed.volume;
      env.events.event(about as Live<ApiObject>, type, reason, message);
      return [];
    }
    if (action.type === 'bind') return bind(env, action.claim, action.volume);
    return 'volumes' in observed
      ? changeClaim(env, action, observed.claim)
      : changeVolume(env, action, observed.volume);
  },
};

const isBound = ({ metadata }: Claim): boolean => Object.hasOwn(metadata.annotations ?? {}, BIND_COMPLETED);

type Informers = ControllerEnvironment['informers'];

/** Volumes, by the claim that they name. */
function byClaim(informers: Informers) {
  const informer = informers.informer(persistentVolumes);
  informer.index('claim', claimKeys);
  return informer;
}

function claimKeys({ spec }: Live<PersistentVolume>): readonly string[] {
  return spec?.claimRef ? [`${spec.claimRef.namespace}/${spec.claimRef.name}`] : [];
}

function openClaims(informers: Informers, wanted: (claim: Claim) => boolean): string[] {
  return informers
    .informer(persistentVolumeClaims)
    .list()
    .filter((claim) => !isBound(claim) && wanted(claim))
    .map((claim) => CLAIM + keyOf(claim));
}

function waitingPods({ informers }: ControllerEnvironment, { metadata }: Claim): string[] {
  const uses = ({ metadata: { name }, spec }: Live<Pod>) =>
    (spec?.volumes ?? []).some(
      (volume) =>
        volume.persistentVolumeClaim?.claimName === metadata.name ||
        (volume.ephemeral && `${name}-${volume.name}` === metadata.name),
    );
  return informers
    .informer(pods)
    .list(metadata.namespace)
    .filter((pod) => !pod.spec?.nodeName && uses(pod))
    .map((pod) => pod.metadata.name);
}

/** First the volume says whose it is, then the claim which it has: after a crash in between the rest is done. */
async function bind({ client }: ControllerEnvironment, claim: Claim, volume: Volume): Promise<Written[]> {
  const written: Written[] = [];
  const volumeClient = client.resource(persistentVolumes);
  const claimClient = client.resource(persistentVolumeClaims).namespace(claim.metadata.namespace ?? '');
  let boundTo = volume;
  if (volume.spec?.claimRef?.uid !== claim.metadata.uid) {
    boundTo = await volumeClient.update(withClaim(volume, claim));
    written.push({ ref: persistentVolumes, resourceVersion: boundTo.metadata.resourceVersion });
  }
  if (boundTo.status?.phase !== 'Bound') {
    boundTo = await volumeClient.subresource('status').update(inPhase(boundTo, 'Bound'));
    written.push({ ref: persistentVolumes, resourceVersion: boundTo.metadata.resourceVersion });
  }
  let bound = claim;
  if (claim.spec?.volumeName !== volume.metadata.name || !isBound(claim)) {
    bound = await claimClient.update(withVolume(claim, volume));
    written.push({ ref: persistentVolumeClaims, resourceVersion: bound.metadata.resourceVersion });
  }
  if (bound.status?.phase !== 'Bound') {
    const status = boundStatus(bound, boundTo);
    bound = await claimClient.subresource('status').update({ ...bound, status } as unknown as PersistentVolumeClaim);
    written.push({ ref: persistentVolumeClaims, resourceVersion: bound.metadata.resourceVersion });
  }
  return written;
}

/** Of a volume that was left alone nothing of an earlier phase remains. */
const inPhase = (volume: Volume, phase: string, message?: string): PersistentVolume => {
  const { message: _message, reason: _reason, ...status } = volume.status ?? {};
  return { ...volume, status: { ...status, phase, ...(message ? { message } : {}) } } as unknown as PersistentVolume;
};

async function changeVolume(env: ControllerEnvironment, action: Action, volume: Volume): Promise<Written[]> {
  const volumeClient = env.client.resource(persistentVolumes);
  // An action before this one may have written: the newest is changed.
  const current = await volumeClient.get(volume.metadata.name);
  if (current.metadata.uid !== volume.metadata.uid) return [];
  let changed = current;
  if (action.type === 'unbind') {
    const { claimRef, ...spec } = current.spec ?? {};
    const { [BOUND_BY_CONTROLLER]: byUs, ...annotations } = current.metadata.annotations ?? {};
    const { uid: _uid, resourceVersion: _version, ...kept } = claimRef ?? {};
    changed = await volumeClient.update({
      ...current,
      metadata: { ...current.metadata, annotations },
      // What a user kept for a claim by name stays kept.
      spec: byUs ? spec : { ...spec, claimRef: kept },
    } as unknown as PersistentVolume);
    changed = await volumeClient.subresource('status').update(inPhase(changed, 'Available'));
  } else if (action.type === 'volume-phase') {
    changed = await volumeClient.subresource('status').update(inPhase(current, action.phase, action.message));
  }
  return [{ ref: persistentVolumes, resourceVersion: changed.metadata.resourceVersion }];
}

async function changeClaim(env: ControllerEnvironment, action: Action, claim: Claim): Promise<Written[]> {
  const claimClient = env.client.resource(persistentVolumeClaims).namespace(claim.metadata.namespace ?? '');
  const written = ({ metadata }: Claim) => [{ ref: persistentVolumeClaims, resourceVersion: metadata.resourceVersion }];
  if (action.type === 'ask') {
    const annotations = { ...claim.metadata.annotations, ...action.annotations };
    return written(await claimClient.update({ ...claim, metadata: { ...claim.metadata, annotations } } as Claim));
  }
  if (action.type === 'class') {
    const spec = { ...claim.spec, storageClassName: action.name };
    return written(await claimClient.update({ ...claim, spec } as Claim));
  }
  if (action.type !== 'claim-phase') return [];
  const { accessModes: _modes, capacity: _capacity, ...status } = claim.status ?? {};
  const changed = { ...claim, status: { ...status, phase: action.phase } } as unknown as PersistentVolumeClaim;
  return written(await claimClient.subresource('status').update(changed));
}
