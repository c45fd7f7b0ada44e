import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import type { PersistentVolumeClaimStatus } from '../../../types/core/v1.generated.ts';
import type { StorageClass } from '../../../types/storage/v1.generated.ts';
import { type Claim, classNameOf, findVolume, isFor, type Volume, whyNot } from './match.ts';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
const BETA_STORAGE_PROVISIONER = 'volume.beta.kubernetes.io/storage-provisioner';

/** One claim or one volume, with what matters about it. */
export type Observed = ClaimObserved | VolumeObserved;

export interface ClaimObserved {
  readonly claim: Claim;
  /** The volume that the claim names. */
  readonly volume: Volume | undefined;
  readonly volumes: readonly Volume[];
  readonly storageClass: Live<StorageClass> | undefined;
  /** What a claim gets that says nothing of its class. */
  readonly defaultClass: string | undefined;
  /** Pods that wait for a node and for this claim. */
  readonly waitingPods: readonly string[];
}

export interface VolumeObserved {
  readonly volume: Volume;
  /** The claim that the volume names, if it is still the same one. */
  readonly claim: Claim | undefined;
}

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'bind'; readonly claim: Claim; readonly volume: Volume }
  | { readonly type: 'class'; readonly name: string }
  | { readonly type: 'ask'; readonly annotations: Readonly<Record<string, string>> }
  | { readonly type: 'claim-phase'; readonly phase: 'Pending' | 'Lost' }
  | {
      readonly type: 'volume-phase';
      readonly phase: 'Available' | 'Bound' | 'Released' | 'Failed';
      readonly message?: string;
    }
  | { readonly type: 'unbind' }
  | { readonly type: 'tell'; readonly event: Told }
);

const has = ({ metadata }: Claim | Volume, annotation: string): boolean =>
  Object.hasOwn(metadata.annotations ?? {}, annotation);
const tell = (type: Told['type'], reason: string, message: string): Action => ({
  type: 'tell',
  reason: 'an event',
  event: { type, reason, message },
});

/** What is to be done about a claim, or about a volume. */
export function plan(observed: Observed): Plan<Action> {
  return { actions: 'volumes' in observed ? planClaim(observed) : planVolume(observed) };
}

function planClaim(observed: ClaimObserved): Action[] {
  return has(observed.claim, BIND_COMPLETED) ? planBoundClaim(observed) : planUnboundClaim(observed);
}

/** Both sides agreed once: the claim keeps its volume, or is lost with it. */
function planBoundClaim({ claim, volume }: ClaimObserved): Action[] {
  const lost = (reason: string, message: string): Action[] =>
    claim.status?.phase === 'Lost'
      ? []
      : [{ type: 'claim-phase', phase: 'Lost', reason: 'its volume is lost' }, tell('Warning', reason, message)];
  if (!claim.spec?.volumeName) {
    return lost('ClaimLost', 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!');
  }
  if (!volume) return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  const uid = volume.spec?.claimRef?.uid;
  if (volume.spec?.claimRef && uid !== claim.metadata.uid) {
    return lost('ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }
  return bind(claim, volume);
}

function planUnboundClaim(observed: ClaimObserved): Action[] {
  const { claim, volume, volumes, storageClass, defaultClass, waitingPods } = observed;
  const pending: Action[] =
    claim.status?.phase === 'Pending' ? [] : [{ type: 'claim-phase', phase: 'Pending', reason: 'nothing is bound' }];
  if (claim.spec?.volumeName) {
    if (!volume) return pending;
    if (volume.spec?.claimRef) {
      if (isFor(volume, claim)) return bind(claim, volume);
      const message = `volume "${volume.metadata.name}" already bound to a different claim.`;
      return [tell('Warning', 'FailedBinding', message), ...pending];
    }
    const problem = whyNot(volume, claim);
    if (problem === undefined) return bind(claim, volume);
    const message = `Cannot bind to requested volume "${volume.metadata.name}": ${problem}`;
    return [tell('Warning', 'VolumeMismatch', message), ...pending];
  }
  const says = claim.spec?.storageClassName !== undefined || classNameOf(claim) !== '';
  if (!says && defaultClass !== undefined) {
    return [{ type: 'class', name: defaultClass, reason: 'there is a default class now' }];
  }
  const waits = storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
  const found = findVolume(claim, volumes, waits);
  if (found) return bind(claim, found);
  if (waits && !has(claim, SELECTED_NODE)) return [waitForConsumer(waitingPods), ...pending];
  if (classNameOf(claim) !== '') return [...provision(claim, storageClass), ...pending];
  const message = 'no persistent volumes available for this claim and no storage class is set';
  return [tell('Normal', 'FailedBinding', message), ...pending];
}

function waitForConsumer(waitingPods: readonly string[]): Action {
  if (waitingPods.length === 0) {
    return tell('Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
  }
  const pods = `${waitingPods.length > 1 ? 'pods' : 'pod'} ${waitingPods.join(',')}`;
  return tell('Normal', 'WaitForPodScheduled', `waiting for ${pods} to be scheduled`);
}

/** Volumes are made by provisioners outside: the claim says which one is asked. */
function provision(claim: Claim, storageClass: Live<StorageClass> | undefined): Action[] {
  if (!storageClass) {
    const message = `storageclass.storage.k8s.io "${classNameOf(claim)}" not found`;
    return [tell('Warning', 'ProvisioningFailed', message)];
  }
  const { provisioner } = storageClass;
  if (provisioner.startsWith('kubernetes.io/')) {
    return [tell('Warning', 'ProvisioningFailed', `no volume plugin matched name: ${provisioner}`)];
  }
  const asked = claim.metadata.annotations?.[STORAGE_PROVISIONER] === provisioner;
  const annotations = { [BETA_STORAGE_PROVISIONER]: provisioner, [STORAGE_PROVISIONER]: provisioner };
  const message =
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system ` +
    'administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.';
  return [
    ...(asked ? [] : [{ type: 'ask', annotations, reason: 'a provisioner is to make a volume' } as const]),
    tell('Normal', 'ExternalProvisioning', message),
  ];
}

function bind(claim: Claim, volume: Volume): Action[] {
  const ref = volume.spec?.claimRef;
  const done =
    ref?.uid === claim.metadata.uid &&
    volume.status?.phase === 'Bound' &&
    claim.spec?.volumeName === volume.metadata.name &&
    has(claim, BIND_COMPLETED) &&
    claim.status?.phase === 'Bound';
  return done ? [] : [{ type: 'bind', claim, volume, reason: 'they fit each other' }];
}

/** The volume with the claim's name and uid on it. What a user wrote there before is completed, not claimed as ours. */
export function withClaim(volume: Volume, claim: Claim): Volume {
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion };
  const mark = isFor(volume, claim) ? {} : { [BOUND_BY_CONTROLLER]: 'yes' };
  const annotations = { ...volume.metadata.annotations, ...mark };
  return {
    ...volume,
    metadata: { ...volume.metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: { ...volume.spec, claimRef },
  } as Volume;
}

/** The claim with the volume's name, marked as bound. */
export function withVolume(claim: Claim, volume: Volume): Claim {
  const mark = claim.spec?.volumeName ? {} : { [BOUND_BY_CONTROLLER]: 'yes' };
  const annotations = { ...claim.metadata.annotations, ...mark, [BIND_COMPLETED]: 'yes' };
  return {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  } as Claim;
}

/** What a bound claim says it has. A size that it already has stays: who makes volumes larger says so there. */
export function boundStatus({ status }: Claim, { spec }: Volume): PersistentVolumeClaimStatus {
  const { storage } = spec?.capacity ?? {};
  const keepsSize = status?.phase === 'Bound' && status.capacity?.storage !== undefined;
  const attributes = spec?.volumeAttributesClassName;
  return {
    ...status,
    phase: 'Bound',
    accessModes: [...(spec?.accessModes ?? [])],
    ...(keepsSize || storage === undefined ? {} : { capacity: { storage } }),
    ...(attributes ? { currentVolumeAttributesClassName: attributes } : {}),
  } as PersistentVolumeClaimStatus;
}

function planVolume({ volume, claim }: VolumeObserved): Action[] {
  const ref = volume.spec?.claimRef;
  // One that a user keeps for a claim is free as long as the claim has not come.
  if (!ref?.uid) return phase(volume, 'Available', 'nobody has it');
  if (!claim) return release(volume);
  if (!claim.spec?.volumeName) return [];
  if (claim.spec.volumeName === volume.metadata.name) return phase(volume, 'Bound', 'its claim has it');
  // The claim has another volume.
  const isMade = has(volume, PROVISIONED_BY) && volume.spec?.persistentVolumeReclaimPolicy === 'Delete';
  return isMade ? release(volume) : [{ type: 'unbind', reason: 'its claim has another volume' }];
}

const phase = (volume: Volume, wanted: 'Available' | 'Bound' | 'Released', reason: string): Action[] =>
  volume.status?.phase === wanted ? [] : [{ type: 'volume-phase', phase: wanted, reason }];

/** The claim is gone: what becomes of the volume is its policy's to say. */
function release(volume: Volume): Action[] {
  if (volume.status?.phase === 'Failed') return [];
  const released = phase(volume, 'Released', 'its claim is gone');
  const failure = reclaimFailure(volume);
  if (!failure) return released;
  return [
    ...released,
    { type: 'volume-phase', phase: 'Failed', message: failure.message, reason: 'it cannot be reclaimed' },
    { type: 'tell', event: failure, reason: 'an event' },
  ];
}

/** Provisioners delete what they have made, and CSI drivers what is theirs; nobody is there for anything else. */
function reclaimFailure({ metadata, spec }: Volume): Told | undefined {
  if (metadata.deletionTimestamp) return undefined;
  const warning = (reason: string, message: string): Told => ({ type: 'Warning', reason, message });
  if (spec?.persistentVolumeReclaimPolicy === 'Recycle') {
    return warning('VolumeFailedRecycle', 'No recycler plugin found for the volume!');
  }
  if (spec?.persistentVolumeReclaimPolicy !== 'Delete' || spec.csi) return undefined;
  const provisioner = metadata.annotations?.[PROVISIONED_BY];
  if (provisioner && !provisioner.startsWith('kubernetes.io/')) return undefined;
  const problem = spec.hostPath
    ? `host_path deleter only supports /tmp/.+ but received provided ${spec.hostPath.path}`
    : `error getting deleter volume plugin for volume "${metadata.name}": no deletable volume plugin matched`;
  return warning('VolumeFailedDelete', problem);
}
