import type { Client } from '../libs/kind/client.ts';
import type { ApiObject, Live, ResourceRef } from '../libs/kind/object.ts';
import { ApiError } from '../libs/machinery/errors.ts';
import { ManifestError } from './errors.ts';
import type { Manifest } from './manifests.ts';
import { ResourceFinder } from './resource-finder.ts';

export interface ApplyOptions {
  /** Of objects that name none. Default `default`. */
  readonly namespace?: string;
  /** Who owns the fields. Default `test`. */
  readonly fieldManager?: string;
  /** Takes fields from other owners. Default: a conflict is an error. */
  readonly force?: boolean;
}

const CRD = 'CustomResourceDefinition';
/** What others wait for goes first. */
const FIRST: readonly string[] = ['Namespace', CRD];

/**
 * Applies manifests on the server's side, namespaces and definitions before what needs them. `wait` lets time pass until
 * something holds. Throws `ManifestError` that names the manifest.
 */
export async function applyManifests(
  client: Client,
  manifests: readonly Manifest[],
  options: ApplyOptions,
  wait: (holds: () => Promise<boolean>) => Promise<boolean>,
): Promise<Live<ApiObject>[]> {
  const finder = new ResourceFinder(client);
  const applied = new Map<Manifest, Live<ApiObject>>();
  const rank = ({ object }: Manifest) => {
    const place = FIRST.indexOf(object.kind ?? '');
    return place < 0 ? FIRST.length : place;
  };
  for (let place = 0; place <= FIRST.length; place++) {
    for (const manifest of manifests) if (rank(manifest) === place) applied.set(manifest, await applyOne(manifest));
    if (FIRST[place] === CRD) for (const manifest of manifests) if (rank(manifest) === place) await served(manifest);
  }
  return manifests.map((manifest) => applied.get(manifest) as Live<ApiObject>);

  async function served({ object, where }: Manifest): Promise<void> {
    const { group, names, versions } = (object as unknown as CrdShape).spec;
    const version = versions.find((one) => one.served !== false)?.name ?? '';
    const is = await wait(async () => (await finder.byKind(`${group}/${version}`, names.kind)) !== undefined);
    if (!is) throw new ManifestError(`${where}: the definition was not established`, where);
  }

  async function applyOne({ object, where }: Manifest): Promise<Live<ApiObject>> {
    const { kind = '', apiVersion = '', metadata } = object;
    const name = metadata.name ?? metadata.generateName ?? '';
    const ref = await finder.byKind(apiVersion, kind);
    if (!ref) throw new ManifestError(`${where}: the cluster has no kind ${kind} in ${apiVersion}`, where);
    let failure: unknown;
    let live: Live<ApiObject> | undefined;
    const done = await wait(async () => {
      try {
        live = await send(ref, object);
        return true;
      } catch (error) {
        failure = error;
        // A new namespace has its service account a moment later.
        if (isAccountMissing(error)) return false;
        throw refused(where, kind, name, error);
      }
    });
    if (!done) throw refused(where, kind, name, failure);
    return live as Live<ApiObject>;
  }

  function send(ref: ResourceRef, object: Manifest['object']): Promise<Live<ApiObject>> {
    const { namespace = 'default', fieldManager = 'test', force = false } = options;
    const of = client.resource(ref);
    const target = ref.namespaced
      ? of.namespace((object.metadata as ApiObject['metadata'])?.namespace ?? namespace)
      : of;
    // What gets its name from the server cannot be applied, as it is another object each time.
    if (!object.metadata.name) return target.create(object as ApiObject, { fieldManager });
    return target.apply(object as ApiObject, { fieldManager, force, fieldValidation: 'Strict' });
  }
}

interface CrdShape {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly name: string; readonly served?: boolean }[];
  };
}

const isAccountMissing = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 403 && /service ?account .*not found/i.test(error.message);

function refused(where: string, kind: string, name: string, error: unknown): Error {
  if (!(error instanceof ApiError)) return error as Error;
  return new ManifestError(`${where}: ${kind} "${name}" was refused: ${error.message}`, where, { cause: error });
}
