import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret } from '../../../api/types/core/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type FieldSource, fieldValue, resourceValue } from '../containers/fields.ts';
import { findContainer } from '../pod/objects.ts';
import { VolumeError } from './errors.ts';

export interface PayloadFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

/** Files of a volume by their path within it. */
export type Payload = Map<string, PayloadFile>;

type Items = DeepReadonly<KeyToPath[]> | undefined;

/** Puts the keys that `items` names, or all, into `into`. `found` undefined: the object does not exist. */
export function addKeys(
  into: Payload,
  found: ReadonlyMap<string, Uint8Array> | undefined,
  source: {
    readonly what: 'configmap' | 'secret';
    readonly name: string;
    readonly namespace: string;
    readonly items: Items;
    readonly optional: boolean | undefined;
    readonly mode: number;
  },
): void {
  const { what, name, items, optional, mode } = source;
  if (!found) {
    if (optional) return;
    throw new VolumeError(`${what} "${name}" not found`);
  }
  if (!items || items.length === 0) {
    for (const [key, data] of found) into.set(key, { data, mode });
    return;
  }
  for (const item of items) {
    const data = found.get(item.key);
    if (data) into.set(checkPath(item.path), { data, mode: item.mode ?? mode });
    else if (!optional)
      throw new VolumeError(`references non-existent ${what === 'secret' ? 'secret' : 'config'} key: ${item.key}`);
  }
}

export function configMapData(object: DeepReadonly<ConfigMap>): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(object.data ?? {})) data.set(key, encoder.encode(text));
  for (const [key, text] of Object.entries(object.binaryData ?? {}))
    data.set(key, decodeBase64(text) ?? new Uint8Array(0));
  return data;
}

export function secretData(object: DeepReadonly<Secret>): Map<string, Uint8Array> {
  return new Map(
    Object.entries(object.data ?? {}).map(([key, text]) => [key, decodeBase64(text) ?? new Uint8Array(0)]),
  );
}

export function addDownwardApi(
  into: Payload,
  items: DeepReadonly<DownwardAPIVolumeFile[]> | undefined,
  mode: number,
  source: FieldSource,
): void {
  const encoder = new TextEncoder();
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items ?? []) {
    let text = '';
    if (fieldRef) text = fieldValue(source, fieldRef.fieldPath);
    else if (resourceFieldRef) {
      const { containerName = '', resource, divisor } = resourceFieldRef;
      const container = findContainer(source.pod, containerName)?.container;
      if (!container) throw new VolumeError(`container ${containerName} not found`);
      text = resourceValue(source, container, resource, divisor);
    }
    into.set(checkPath(path), { data: encoder.encode(text), mode: own ?? mode });
  }
}

/** A path within a volume: relative, and never upwards. The API checks it as well; a node trusts no path. */
export function checkPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (path.startsWith('/') || parts.length === 0 || parts.some((part) => part === '..') || parts[0]!.startsWith('..')) {
    throw new VolumeError(`invalid path ${JSON.stringify(path)} in a volume`);
  }
  return parts.join('/');
}
