/** Volumes of a pod (API concept "Volumes"). */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Label, dns1123Subdomain } from '../../../../libs/machinery/names.ts';
import type { Volume } from '../../../types/core/v1.generated.ts';
import { VOLUME_SOURCES, validateSource } from './volume-sources.ts';

export type Volumes = ReadonlyMap<string, DeepReadonly<Volume>>;

/** Checks them; `valid` has those without a fault, which containers may name. */
export function validateVolumes(
  volumes: DeepReadonly<Volume[]>,
  at: field.Path,
  podName?: string,
): { readonly errors: field.ErrorList; readonly valid: Volumes } {
  const errors: field.ErrorList = [];
  const valid = new Map<string, DeepReadonly<Volume>>();
  volumes.forEach((volume, i) => {
    const here = at.index(i);
    const found = validateVolumeSource(volume, here);
    const { name } = volume;
    if (volume.ephemeral && podName && name) {
      // The claim is called after both.
      const claim = `${podName}-${name}`;
      for (const text of dns1123Subdomain(claim)) {
        found.push(field.invalid(here.child('name'), name, `PVC name "${claim}": ${text}`));
      }
    }
    if (!name) found.push(field.required(here.child('name')));
    else for (const text of dns1123Label(name)) found.push(field.invalid(here.child('name'), name, text));
    if (valid.has(name)) found.push(field.duplicate(here.child('name'), name));
    if (found.length === 0) valid.set(name, volume);
    errors.push(...found);
  });
  return { errors, valid };
}

/** Exactly one source, and what that one asks for. */
function validateVolumeSource(volume: DeepReadonly<Volume>, at: field.Path): field.ErrorList {
  let errors: field.ErrorList | undefined;
  for (const source of VOLUME_SOURCES) {
    if (volume[source] === undefined || volume[source] === null) continue;
    if (errors === undefined) errors = validateSource(volume, source, at);
    else errors.push(field.forbidden(at.child(pathOf(source)), 'may not specify more than 1 volume type'));
  }
  return errors ?? [field.required(at, 'must specify a volume type')];
}

/** Upstream's errors call one of them by an old name. */
export const pathOf = (source: string): string => (source === 'gcePersistentDisk' ? 'persistentDisk' : source);
