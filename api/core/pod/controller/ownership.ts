import type { Informer, Informers } from '../../../../libs/kind/client.ts';
import { type ApiObject, apiVersionOf, keyOf, type Live, type ResourceRef } from '../../../../libs/kind/object.ts';
import type { ControllerEnvironment, Written } from '../../../../libs/kind/reconciler.ts';
import { conflict, isNotFound } from '../../../../libs/machinery/errors.ts';
import type { LabelSelector } from '../../../../libs/machinery/labels.ts';
import { controllerOf, controllerReference } from '../../../../libs/machinery/meta.ts';

/** What a controller makes of the objects that are, or could be, its own. */
export interface Claim<T extends ApiObject> {
  /** Its own, those included that it adopts. */
  readonly owned: readonly Live<T>[];
  /** Match and belong to nobody. */
  readonly adopt: readonly Live<T>[];
  /** Belong to it and match no more. */
  readonly release: readonly Live<T>[];
}

/** Decides on `candidates`: an object that matches belongs to at most one controller, and stays with the one it has. */
export function claim<T extends ApiObject>(
  owner: Live<ApiObject>,
  selector: LabelSelector,
  candidates: readonly Live<T>[],
  adoptable: (object: Live<T>) => boolean = () => true,
): Claim<T> {
  const [owned, adopt, release]: [Live<T>[], Live<T>[], Live<T>[]] = [[], [], []];
  const deleting = Boolean(owner.metadata.deletionTimestamp);
  for (const object of candidates) {
    const matches = selector.matches(object.metadata.labels as Record<string, string> | undefined);
    const controller = controllerOf(object as ApiObject);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches || deleting) owned.push(object);
      else release.push(object);
    } else if (matches && !deleting && !object.metadata.deletionTimestamp && adoptable(object)) {
      adopt.push(object);
      owned.push(object);
    }
  }
  return { owned, adopt, release };
}

const controllerUids = (object: Live<ApiObject>): readonly string[] => {
  const uid = controllerOf(object as ApiObject)?.uid;
  return uid === undefined ? [`orphan ${object.metadata.namespace ?? ''}`] : [uid];
};

/** An informer that finds objects by their controller. */
export function byController<T extends ApiObject>(informers: Informers, ref: ResourceRef<T>): Informer<T> {
  const informer = informers.informer(ref);
  informer.index('controller', controllerUids as (object: Live<T>) => readonly string[]);
  return informer;
}

/** What `owner` controls, and what in its namespace nobody does. */
export function candidatesOf<T extends ApiObject>(
  informers: Informers,
  ref: ResourceRef<T>,
  owner: Live<ApiObject>,
): readonly Live<T>[] {
  const informer = byController(informers, ref);
  return [
    ...informer.by('controller', owner.metadata.uid),
    ...informer.by('controller', `orphan ${owner.metadata.namespace ?? ''}`),
  ];
}

/** What `owner` controls. */
export function controlledBy<T extends ApiObject>(
  informers: Informers,
  ref: ResourceRef<T>,
  owner: Live<ApiObject>,
): readonly Live<T>[] {
  return byController(informers, ref).by('controller', owner.metadata.uid);
}

/**
 * The key of the controller of an object, if it is of this kind. For what has none: those in its namespace that select
 * it; without `selectorOf`, none.
 */
export function keysOfController<T extends ApiObject>(
  object: Live<ApiObject>,
  ref: ResourceRef<T>,
  env: ControllerEnvironment,
  selectorOf?: (owner: Live<T>) => LabelSelector,
): readonly string[] {
  const controller = controllerOf(object as ApiObject);
  const { namespace, labels } = object.metadata;
  if (controller) {
    const ours = controller.kind === ref.kind && controller.apiVersion === apiVersionOf(ref);
    return ours ? [keyOf({ metadata: { namespace, name: controller.name } })] : [];
  }
  if (!labels || !selectorOf) return [];
  return env.informers
    .informer(ref)
    .list(namespace)
    .filter((owner) => selectorOf(owner).matches(labels as Record<string, string>))
    .map(keyOf as (owner: Live<T>) => string);
}

/** Puts the adopted under their owner, whose being alive is asked of the server first, and lets the released go. */
export async function settleClaim<T extends ApiObject, O extends ApiObject>(
  env: ControllerEnvironment,
  ref: ResourceRef<T>,
  ownerRef: ResourceRef<O>,
  owner: Live<O>,
  { adopt, release }: Pick<Claim<T>, 'adopt' | 'release'>,
): Promise<readonly Written[]> {
  const written: Written[] = [];
  const objects = env.client.resource(ref).namespace(owner.metadata.namespace ?? '');
  if (adopt.length > 0) {
    const fresh = await env.client
      .resource(ownerRef)
      .namespace(owner.metadata.namespace ?? '')
      .get(owner.metadata.name);
    if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp) {
      throw conflict(ownerRef, owner.metadata.name, 'it is gone or being deleted, and adopts nothing any more');
    }
  }
  const type = { apiVersion: apiVersionOf(ownerRef), kind: ownerRef.kind };
  const references = (object: Live<T>) => (object as Live<ApiObject>).metadata.ownerReferences ?? [];
  const changes = [
    ...adopt.map((object) => ({ object, owners: [...references(object), controllerReference(owner as never, type)] })),
    ...release.map((object) => ({
      object,
      owners: references(object).filter(({ uid }) => uid !== owner.metadata.uid),
    })),
  ];
  for (const { object, owners } of changes) {
    const { name, uid } = object.metadata;
    try {
      const changed = await objects.patch(name, { metadata: { uid, ownerReferences: owners } }, { type: 'merge' });
      written.push({ ref, resourceVersion: changed.metadata.resourceVersion });
    } catch (error) {
      // Gone meanwhile: neither to be adopted nor to be released.
      if (!isNotFound(error)) throw error;
    }
  }
  return written;
}
