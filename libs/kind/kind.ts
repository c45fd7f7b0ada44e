import { assert } from '../base/assert.ts';
import type { TypeName } from '../machinery/schema/ir.ts';
import type { Column, RowCondition } from './column.ts';
import type { ApiObject, DeepReadonly, GroupVersionKind } from './object.ts';
import type { Registry } from './registry.ts';
import type { RequestContext, Verb } from './request.ts';
import type { Strategy } from './strategy.ts';

/**
 * One kind, told whole: what it is called, in which versions it is served, how it is stored, checked and shown. The
 * engines (API server, client, printers) know no kind by name; they are handed `Kind`s. CRDs become `Kind`s too.
 *
 * Worked example, `api/core/configmap/kind.ts`:
 *
 *     export const configMap = defineKind<ConfigMap>({
 *       group: '', kind: 'ConfigMap', resource: 'configmaps', namespaced: true, shortNames: ['cm'],
 *       versions: [{ version: 'v1', type: 'core.v1.ConfigMap' }],
 *       strategy,                                 // strategy.ts: validation, immutability
 *       columns: [name, { name: 'Data', type: 'string', description: '…', value: (o) => count(o) }, age],
 *     });
 *
 * ## Versions
 * A resource has one storage version and a list of served ones. Strategies, selectors, columns and the cache see the
 * storage version alone; `toStorage` and `fromStorage` stand between it and the wire, and are the identity for most.
 * `fromStorage(toStorage(x))` equals x for every x that the version can say.
 *
 * ## Subresources
 * A subresource names its own kind and has its own rules: `status` (the same object, another part of it may change),
 * an `object` view (scale), an `action` (binding, eviction, token), or a `connect` stream (exec, log, proxy).
 */
export interface Kind<T extends ApiObject = ApiObject> {
  /** `''` is the core group. */
  readonly group: string;
  readonly kind: string;
  /** Default `<kind>List`. */
  readonly listKind: string;
  /** Plural, lower-case: what stands in paths. */
  readonly resource: string;
  /** Default: the kind in lower case. */
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** At least one; in order of preference. */
  readonly versions: readonly ServedVersion<T>[];
  /** The versions that writes may have been made in, where that is more than `versions`: one of several of a definition. */
  readonly writtenVersions?: readonly ServedVersion<T>[];
  /** The one of `versions` that is stored; default the first. */
  readonly storageVersion: ServedVersion<T>;
  /** The version that discovery's `storageVersionHash` is of, where upstream still stores an older one. */
  readonly hashedVersion?: string;
  readonly strategy: Strategy<T>;
  /** `get` as a table; default name and age. */
  readonly columns: readonly Column<T>[];
  /** What a table says of an object's row as a whole; default nothing. */
  readonly rowConditions?: (object: DeepReadonly<T>) => readonly RowCondition[];
  /** Field selectors beyond `metadata.name` and `metadata.namespace`: label and how to read it. */
  readonly selectableFields: Readonly<Record<string, (object: DeepReadonly<T>) => string>>;
  /** What is said of a field selector that is not among them, where upstream has a wording of its own. */
  readonly unknownField?: (label: string) => string;
  /**
   * Brings an object of the storage version that was stored under other rules (an older definition) to what the kind says
   * now, in place. Called for what comes from the store and was not written by this kind. Default: nothing.
   */
  readonly onRead?: (object: ApiObject) => void;
  readonly subresources: Readonly<Record<string, Subresource<T>>>;
  /** What the main resource allows; default all. */
  readonly verbs: readonly Verb[];
  /** Objects disappear by themselves this long after their last write (Events). Default: never. */
  readonly expireAfterSeconds?: number;
  /** Not stored but answered by code: reviews, component statuses. */
  readonly virtual?: VirtualKind<T>;
}

export interface ServedVersion<T extends ApiObject = ApiObject> {
  /** Default the kind's group; another one where a resource is served in two groups (Events). */
  readonly group?: string;
  readonly version: string;
  /** Its type in the `SchemaSet`. */
  readonly type: TypeName;
  /** Off until `--runtime-config` says otherwise: alpha and beta versions. Default true. */
  readonly servedByDefault?: boolean;
  /** Where a version has columns of its own (custom resources); default the kind's. */
  readonly columns?: readonly Column<T>[];
  /** The text of the deprecation `Warning`. */
  readonly deprecationWarning?: string;
  /** The labels of field selectors in this version, each with its label in `selectableFields`. Default: the same. */
  readonly fieldLabels?: Readonly<Record<string, string>>;
  /** Takes and may reuse its argument. */
  toStorage?(object: ApiObject): T;
  fromStorage?(object: DeepReadonly<T>): ApiObject;
  /**
   * Where conversion takes time (a webhook): asked about objects before they are handed to the two above, which then know
   * the answer for as long as somebody holds the object. Throws `ApiError`. Objects of such a kind are held in whichever
   * version they were stored, so the storage version has to be prepared for, too, when one is read; `toStorage` it has none.
   */
  readonly prepare?: {
    toStorage?(object: ApiObject, signal: AbortSignal): Promise<void>;
    fromStorage(objects: readonly DeepReadonly<ApiObject>[], signal: AbortSignal): Promise<void>;
  };
}

export type Subresource<T extends ApiObject = ApiObject> =
  | StatusSubresource<T>
  | ObjectSubresource<T>
  | ActionSubresource
  | ConnectSubresource;

/** get, update, patch of the same object with rules of its own. Metadata beyond what `keeps` says is taken from the old. */
export interface StatusSubresource<T extends ApiObject = ApiObject> {
  readonly form: 'status';
  /** Default get, update, patch. */
  readonly verbs?: readonly Verb[];
  /** Where the kind of the body is not the main one (pods/ephemeralcontainers and resize use the same Pod). */
  readonly strategy: Pick<
    Strategy<T>,
    'defaults' | 'prepareForUpdate' | 'validateUpdate' | 'warnings' | 'resetFields' | 'allowUnconditionalUpdate'
  >;
}

/** get, update, patch of a view upon the object: `scale`. */
export interface ObjectSubresource<T extends ApiObject = ApiObject, V extends ApiObject = ApiObject> {
  readonly form: 'object';
  readonly verbs?: readonly Verb[];
  readonly gvk: GroupVersionKind;
  readonly type: TypeName;
  /** Everything of the view but kind, apiVersion and metadata, which are the engine's. */
  view(object: DeepReadonly<T>): Partial<V>;
  validate(view: DeepReadonly<V>): import('../machinery/field-errors.ts').ErrorList;
  /** Carries the submitted view over into the object. */
  write(draft: T, view: DeepReadonly<V>): void;
  /** Which fields of the object a writer of the view owns: `[['spec','replicas']]`. */
  readonly ownedPaths: readonly (readonly string[])[];
}

/** create of something that makes the server act upon the object: binding, eviction, token. */
export interface ActionSubresource<B extends ApiObject = ApiObject> {
  readonly form: 'action';
  readonly verbs?: readonly Verb[];
  readonly gvk: GroupVersionKind;
  readonly type: TypeName;
  /** The body gets a uid and a time as an object does that is created: where it is the answer. */
  readonly asCreated?: boolean;
  /** Answers with the object to send back (`code` 201), or a Status. Throws `ApiError`. `body` is the action's own copy. */
  run(ctx: RequestContext, registry: Registry, body: B): Promise<ApiObject>;
  /** How the draft is filled and checked before it runs. */
  readonly strategy?: Pick<Strategy<B>, 'defaults' | 'validate'>;
}

/** A stream to somewhere else: exec, attach, portforward, proxy, log. The API server knows how; the kind says where to. */
export interface ConnectSubresource {
  readonly form: 'connect';
  readonly verbs: readonly Verb[];
  readonly gvk: GroupVersionKind;
  /** The type of the options in the query (`core.v1.PodExecOptions`). */
  readonly optionsType: TypeName;
  /** A path may follow the subresource's name (`proxy/some/path`). */
  readonly takesPath?: boolean;
  /** Not a stream but plain text (`log`). */
  readonly answersText?: boolean;
  /** Where to connect: throws `ApiError` when it cannot be said. undefined: there is nothing yet, which is an answer too. */
  locate(ctx: RequestContext, registry: Registry, options: ConnectOptions): Promise<ConnectTarget | undefined>;
}

export interface ConnectOptions {
  readonly query: ReadonlyMap<string, readonly string[]>;
  /** The query as it came. */
  readonly queryText: string;
  /** What follows the subresource in the request's path, decoded, with its leading slash. */
  readonly path: string;
}

/** A place that the API server dials with its own client certificate (kubelets) or as a plain proxy (pods, services). */
export interface ConnectTarget {
  /** `node`: a kubelet's HTTPS port; `pod` and `service`: whatever listens there. */
  readonly kind: 'node' | 'pod' | 'service';
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  /** For a `proxy`: the request's path up to where the target's own begins. What is asked of the target is its own affair. */
  readonly prefix?: string;
  /** For in-process nodes: the node's name. */
  readonly node?: string;
}

export interface VirtualKind<T extends ApiObject = ApiObject> {
  create?(ctx: RequestContext, registry: Registry, body: T): Promise<ApiObject>;
  get?(ctx: RequestContext, registry: Registry, namespace: string, name: string): Promise<ApiObject>;
  list?(ctx: RequestContext, registry: Registry, namespace: string): Promise<readonly ApiObject[]>;
}

export type KindDefinition<T extends ApiObject> = Pick<
  Kind<T>,
  'group' | 'kind' | 'resource' | 'namespaced' | 'versions'
> &
  Partial<Omit<Kind<T>, 'storageVersion'>> & { readonly storageVersion?: string };

export const ALL_VERBS: readonly Verb[] = Object.freeze([
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]);

/** Completes a definition with its defaults and freezes it. Throws for one that contradicts itself (a bug). */
export function defineKind<T extends ApiObject>(definition: KindDefinition<T>): Kind<T> {
  const { versions, storageVersion } = definition;
  const first = versions[0];
  assert(first !== undefined, `${definition.kind} has no version`);
  const storage = storageVersion === undefined ? first : versions.find((v) => v.version === storageVersion);
  assert(storage !== undefined, `${definition.kind} is stored as ${storageVersion}, which it does not have`);
  assert(definition.resource === definition.resource.toLowerCase(), `${definition.resource} is not lower-case`);
  return Object.freeze({
    // First, so that this is a copy and no literal: V8 makes those old, as nearly all kinds stay for good, and with the kinds
    // that an API server makes for itself all that they see.
    ...UNSAID,
    listKind: `${definition.kind}List`,
    singular: definition.kind.toLowerCase(),
    verbs: definition.virtual ? virtualVerbs(definition.virtual) : ALL_VERBS,
    ...definition,
    storageVersion: storage,
  });
}

/** What a kind has none of that says nothing. */
const UNSAID = Object.freeze({
  shortNames: Object.freeze([]),
  categories: Object.freeze([]),
  strategy: Object.freeze({}),
  columns: Object.freeze([]),
  selectableFields: Object.freeze({}),
  subresources: Object.freeze({}),
});

const virtualVerbs = (virtual: VirtualKind<never>): Verb[] =>
  (['create', 'get', 'list'] as const).filter((verb) => virtual[verb] !== undefined);
