/**
 * What can be requested of a server, path by path, in a form that OpenAPI v2 and v3 are both written from. Made from
 * descriptions of resources alone: built-in and custom resources are told apart only by their media types.
 */
import type { GroupDescription, ResourceDescription, SubresourceDescription } from '../discovery/discovery.ts';
import { groupVersionPath } from '../gvk.ts';
import type { SchemaSet, TypeName } from '../schema/ir.ts';
import {
  body,
  deleteBody,
  deleteParameters,
  dryRun,
  fieldManager,
  fieldValidation,
  force,
  listParameters,
  namedParameter,
  namespaceParameter,
  optionsParameters,
  type Parameter,
  patchBody,
  pathParameter,
  pretty,
} from './parameters.ts';

/** A subresource, with what only OpenAPI wants to know. */
export interface OpenApiSubresource extends SubresourceDescription {
  /** Connects to something else; its options are this type's fields, in the query. */
  readonly optionsType?: TypeName;
  /** A path may follow. */
  readonly takesPath?: boolean;
  /** Not a connection but plain text (`log`). */
  readonly text?: boolean;
}

export interface OpenApiResource extends Omit<ResourceDescription, 'subresources'> {
  readonly subresources?: readonly OpenApiSubresource[];
  /** A delete is answered with the object, not with a Status. */
  readonly deleteAnswersObject?: boolean;
  /** Custom resources: strategic merge patch is not offered, protobuf neither. */
  readonly custom?: boolean;
}

export interface OpenApiVersion {
  readonly version: string;
  readonly resources: readonly OpenApiResource[];
}

export interface OpenApiGroup extends Omit<GroupDescription, 'versions'> {
  readonly versions: readonly OpenApiVersion[];
}

export type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A schema that an operation takes or answers: a type, plain text, or nothing that could be said. */
export type Content = { readonly type: TypeName } | { readonly text: true };

export interface Operation {
  readonly method: Method;
  readonly id: string;
  /** `x-kubernetes-action`. */
  readonly action?: string;
  readonly gvk?: GroupVersionKind;
  readonly tag: string;
  readonly consumes?: readonly string[];
  readonly produces?: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly responses: readonly { readonly code: number; readonly content?: Content }[];
}

export interface PathItem {
  readonly path: string;
  readonly operations: readonly Operation[];
}

/** The type of a kind: `builtinTypeOf`, or one that knows custom kinds too. */
export type TypeOf = (group: string, version: string, kind: string) => TypeName | undefined;

const json = 'application/json';
const yaml = 'application/yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';
const cbor = 'application/cbor';
const discoveryMedia = [json, yaml, protobuf];
const objectMedia = [json, yaml, protobuf, cbor];
const watchMedia = [...objectMedia, `${json};stream=watch`, `${protobuf};stream=watch`, 'application/cbor-seq'];
const patchMedia = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/apply-patch+cbor',
];
const customMedia = [json, yaml, cbor];
const customWatchMedia = [...customMedia, `${json};stream=watch`, 'application/cbor-seq'];
const customPatchMedia = patchMedia.filter((media) => !media.includes('strategic'));
const anyMedia = ['*/*'];

const status: Content = { type: 'meta.v1.Status' };

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** `flowcontrol.apiserver.k8s.io` → `flowcontrolApiserver`; the core group is `core`. */
function groupWord(group: string): string {
  if (group === '') return 'core';
  const [first = '', ...rest] = group.replace(/\.k8s\.io$/, '').split('.');
  return first + rest.map(capital).join('');
}

/** `/api/`, `/apis/` and everything that is no resource and no group. */
export function serverPaths(): PathItem[] {
  const get = (
    path: string,
    id: string,
    tag: string,
    rest: { content?: Content; produces?: string[]; consumes?: string[]; parameters?: Parameter[] } = {},
  ): PathItem => ({
    path,
    operations: [
      { method: 'get', id, tag, parameters: [], ...rest, responses: answers(rest.content ? [200] : [], rest.content) },
    ],
  });
  const text: Content = { text: true };
  return [
    get('/.well-known/openid-configuration/', 'getServiceAccountIssuerOpenIDConfiguration', 'WellKnown', {
      content: text,
      produces: [json],
    }),
    get('/api/', 'getCoreAPIVersions', 'core', {
      content: { type: 'meta.v1.APIVersions' },
      consumes: discoveryMedia,
      produces: discoveryMedia,
    }),
    get('/apis/', 'getAPIVersions', 'apis', {
      content: { type: 'meta.v1.APIGroupList' },
      consumes: discoveryMedia,
      produces: discoveryMedia,
    }),
    get('/logs/', 'logFileListHandler', 'logs'),
    get('/logs/{logpath}', 'logFileHandler', 'logs', { parameters: [pathParameter('logpath')] }),
    get('/openid/v1/jwks/', 'getServiceAccountIssuerOpenIDKeyset', 'openid', {
      content: text,
      produces: ['application/jwk-set+json'],
    }),
    get('/version/', 'getCodeVersion', 'version', {
      content: { type: 'version.Info' },
      consumes: [json],
      produces: [json],
    }),
  ];
}

/** `/apis/<group>/`. */
export function groupPath(group: string): PathItem {
  const word = groupWord(group);
  return {
    path: `/apis/${group}/`,
    operations: [
      {
        method: 'get',
        id: `get${capital(word)}APIGroup`,
        tag: word,
        consumes: discoveryMedia,
        produces: discoveryMedia,
        parameters: [],
        responses: answers([200], { type: 'meta.v1.APIGroup' }),
      },
    ],
  };
}

/** Everything below `/api/v1/` or `/apis/<group>/<version>/`, that path included. */
export function versionPaths(set: SchemaSet, typeOf: TypeOf, group: string, version: OpenApiVersion): PathItem[] {
  const word = groupWord(group);
  const tag = `${word}_${version.version}`;
  const prefix = `${capital(word)}${capital(version.version)}`;
  const root: PathItem = {
    path: `${groupVersionPath({ group, version: version.version })}/`,
    operations: [
      {
        method: 'get',
        id: `get${prefix}APIResources`,
        tag,
        consumes: objectMedia,
        produces: objectMedia,
        parameters: [],
        responses: answers([200], { type: 'meta.v1.APIResourceList' }),
      },
    ],
  };
  const resources = version.resources.flatMap((resource) =>
    new ResourcePaths(set, typeOf, { group, version: version.version, tag, prefix }, resource).all(),
  );
  return [root, ...resources];
}

function answers(codes: readonly number[], content?: Content): Operation['responses'] {
  return [...codes.map((code) => ({ code, ...(content ? { content } : {}) })), { code: 401 }];
}

interface Where {
  readonly group: string;
  readonly version: string;
  readonly tag: string;
  readonly prefix: string;
}

/** The paths of one resource. */
class ResourcePaths {
  readonly #set: SchemaSet;
  readonly #typeOf: TypeOf;
  readonly #where: Where;
  readonly #resource: OpenApiResource;
  readonly #gvk: GroupVersionKind;

  constructor(set: SchemaSet, typeOf: TypeOf, where: Where, resource: OpenApiResource) {
    this.#set = set;
    this.#typeOf = typeOf;
    this.#where = where;
    this.#resource = resource;
    this.#gvk = this.#kindOf(resource);
  }

  #kindOf({ group, version, kind }: { group?: string; version?: string; kind: string }): GroupVersionKind {
    return { group: group ?? (version ? '' : this.#where.group), version: version ?? this.#where.version, kind };
  }

  /** The type's content; a kind without a type is said to be any object. */
  #content(gvk: GroupVersionKind, suffix = ''): Content {
    const type = this.#typeOf(gvk.group, gvk.version, gvk.kind + suffix);
    if (type === undefined) throw new Error(`no type for ${gvk.group}/${gvk.version} ${gvk.kind}${suffix}`);
    return { type };
  }

  #media(): { object: readonly string[]; watch: readonly string[]; patch: readonly string[] } {
    return this.#resource.custom
      ? { object: customMedia, watch: customWatchMedia, patch: customPatchMedia }
      : { object: objectMedia, watch: watchMedia, patch: patchMedia };
  }

  all(): PathItem[] {
    const { name, namespaced, verbs } = this.#resource;
    const base = groupVersionPath(this.#where);
    const inNamespace = namespaced ? `${base}/namespaces/{namespace}/${name}` : `${base}/${name}`;
    const items: PathItem[] = [
      { path: inNamespace, operations: this.#collection() },
      { path: `${inNamespace}/{name}`, operations: this.#object() },
    ];
    if (namespaced && verbs.includes('list')) items.push({ path: `${base}/${name}`, operations: [this.#listAll()] });
    if (verbs.includes('watch')) items.push(...this.#watch(base));
    for (const sub of this.#resource.subresources ?? []) items.push(...this.#subresource(inNamespace, sub));
    return items.filter(({ operations }) => operations.length > 0);
  }

  #scope(): { word: string; parameters: Parameter[] } {
    return this.#resource.namespaced
      ? { word: 'Namespaced', parameters: [namespaceParameter] }
      : { word: '', parameters: [] };
  }

  #collection(): Operation[] {
    const { verbs, kind } = this.#resource;
    const { word, parameters } = this.#scope();
    const { object } = this.#media();
    const common = { tag: this.#where.tag, gvk: this.#gvk, consumes: anyMedia };
    const id = (verb: string, extra = ''): string => `${verb}${this.#where.prefix}${extra}${word}${kind}`;
    const operations: Operation[] = [];
    if (verbs.includes('list')) {
      operations.push({
        ...common,
        method: 'get',
        id: id('list'),
        action: 'list',
        produces: this.#media().watch,
        parameters: [...listParameters, ...parameters, pretty],
        responses: answers([200], this.#content(this.#gvk, 'List')),
      });
    }
    if (verbs.includes('create')) {
      operations.push({
        ...common,
        method: 'post',
        id: id('create'),
        action: 'post',
        produces: object,
        parameters: [body(this.#content(this.#gvk)), dryRun, fieldManager, fieldValidation, ...parameters, pretty],
        responses: answers([200, 201, 202], this.#content(this.#gvk)),
      });
    }
    if (verbs.includes('deletecollection')) {
      operations.push({
        ...common,
        method: 'delete',
        id: id('delete', 'Collection'),
        action: 'deletecollection',
        produces: object,
        parameters: [
          deleteBody,
          ...deleteParameters,
          ...listParameters.filter(({ name }) => name !== 'watch' && name !== 'allowWatchBookmarks'),
          ...parameters,
          pretty,
        ],
        responses: answers([200], status),
      });
    }
    return operations;
  }

  #listAll(): Operation {
    return {
      method: 'get',
      id: `list${this.#where.prefix}${this.#resource.kind}ForAllNamespaces`,
      action: 'list',
      tag: this.#where.tag,
      gvk: this.#gvk,
      consumes: anyMedia,
      produces: this.#media().watch,
      parameters: [...listParameters, pretty],
      responses: answers([200], this.#content(this.#gvk, 'List')),
    };
  }

  /** The deprecated paths that watch by being what they are. */
  #watch(base: string): PathItem[] {
    const { name, kind, namespaced, verbs } = this.#resource;
    const { word, parameters } = this.#scope();
    const operation = (id: string, action: string, more: readonly Parameter[]): Operation => ({
      method: 'get',
      id: `watch${this.#where.prefix}${id}`,
      action,
      tag: this.#where.tag,
      gvk: this.#gvk,
      consumes: anyMedia,
      produces: this.#media().watch,
      parameters: [...listParameters, ...more, pretty],
      responses: answers([200], { type: 'meta.v1.WatchEvent' }),
    });
    const under = namespaced ? `${base}/watch/namespaces/{namespace}/${name}` : `${base}/watch/${name}`;
    const items: PathItem[] = [{ path: under, operations: [operation(`${word}${kind}List`, 'watchlist', parameters)] }];
    if (namespaced) {
      items.push({
        path: `${base}/watch/${name}`,
        operations: [operation(`${kind}ListForAllNamespaces`, 'watchlist', [])],
      });
    }
    if (verbs.includes('get')) {
      items.push({
        path: `${under}/{name}`,
        operations: [operation(`${word}${kind}`, 'watch', [namedParameter, ...parameters])],
      });
    }
    return items;
  }

  #object(): Operation[] {
    const { verbs, kind, deleteAnswersObject } = this.#resource;
    const { word, parameters } = this.#scope();
    const operations = this.#changing(verbs, word, kind, '', this.#gvk);
    if (verbs.includes('delete')) {
      operations.push({
        method: 'delete',
        id: `delete${this.#where.prefix}${word}${kind}`,
        action: 'delete',
        tag: this.#where.tag,
        gvk: this.#gvk,
        consumes: anyMedia,
        produces: this.#media().object,
        parameters: [deleteBody, ...deleteParameters, namedParameter, ...parameters, pretty],
        responses: answers([200, 202], deleteAnswersObject ? this.#content(this.#gvk) : status),
      });
    }
    return operations;
  }

  /** get, put and patch of an object or of a view of one. */
  #changing(verbs: readonly string[], scope: string, kind: string, sub: string, gvk: GroupVersionKind): Operation[] {
    const { parameters } = this.#scope();
    const media = this.#media();
    const named = [namedParameter, ...parameters, pretty];
    const common = { tag: this.#where.tag, gvk, produces: media.object };
    const id = (verb: string): string => `${verb}${this.#where.prefix}${scope}${kind}${sub}`;
    const content = this.#content(gvk);
    const operations: Operation[] = [];
    if (verbs.includes('get')) {
      operations.push({
        ...common,
        method: 'get',
        id: id('read'),
        action: 'get',
        consumes: anyMedia,
        parameters: named,
        responses: answers([200], content),
      });
    }
    if (verbs.includes('update')) {
      operations.push({
        ...common,
        method: 'put',
        id: id('replace'),
        action: 'put',
        consumes: anyMedia,
        parameters: [body(content), dryRun, fieldManager, fieldValidation, ...named],
        responses: answers([200, 201], content),
      });
    }
    if (verbs.includes('patch')) {
      operations.push({
        ...common,
        method: 'patch',
        id: id('patch'),
        action: 'patch',
        consumes: media.patch,
        parameters: [patchBody, dryRun, fieldManager.ofPatch ?? fieldManager, fieldValidation, force, ...named],
        responses: answers([200, 201], content),
      });
    }
    return operations;
  }

  #subresource(inNamespace: string, sub: OpenApiSubresource): PathItem[] {
    const path = `${inNamespace}/{name}/${sub.name}`;
    if (sub.text) return [{ path, operations: [this.#text(sub)] }];
    if (sub.optionsType) return this.#connect(path, sub, sub.optionsType);
    const { word, parameters } = this.#scope();
    const gvk = this.#kindOf(sub);
    const operations = this.#changing(sub.verbs, word, this.#resource.kind, capital(sub.name), gvk);
    // Finalize is said without the scope of its resource, and so are bodies that are only created.
    if (sub.verbs.includes('create')) {
      operations.push({
        method: 'post',
        id: `create${this.#where.prefix}${word}${this.#resource.kind}${capital(sub.name)}`,
        action: 'post',
        tag: this.#where.tag,
        gvk,
        consumes: anyMedia,
        produces: this.#media().object,
        parameters: [
          body(this.#content(gvk)),
          dryRun,
          fieldManager,
          fieldValidation,
          namedParameter,
          ...parameters,
          pretty,
        ],
        responses: answers([200, 201, 202], this.#content(gvk)),
      });
    }
    return [{ path, operations }];
  }

  #text(sub: OpenApiSubresource): Operation {
    const { word, parameters } = this.#scope();
    return {
      method: 'get',
      id: `read${this.#where.prefix}${word}${this.#resource.kind}${capital(sub.name)}`,
      action: 'get',
      tag: this.#where.tag,
      gvk: this.#kindOf(sub),
      consumes: anyMedia,
      produces: ['text/plain', ...this.#media().object],
      parameters: [
        ...(sub.optionsType ? optionsParameters(this.#set.get(sub.optionsType)) : []),
        namedParameter,
        ...parameters,
        pretty,
      ],
      responses: answers([200], { text: true }),
    };
  }

  #connect(path: string, sub: OpenApiSubresource, optionsType: TypeName): PathItem[] {
    const { word, parameters } = this.#scope();
    const methods: Method[] = ['get', 'post'];
    if (sub.verbs.includes('update')) methods.push('delete', 'head', 'options', 'patch', 'put');
    const options = optionsParameters(this.#set.get(optionsType));
    const connect = (suffix: string, more: readonly Parameter[]): Operation[] =>
      methods.map((method) => ({
        method,
        id: `connect${this.#where.prefix}${capital(method)}${word}${this.#resource.kind}${capital(sub.name)}${suffix}`,
        action: 'connect',
        tag: this.#where.tag,
        gvk: this.#kindOf(sub),
        consumes: anyMedia,
        produces: anyMedia,
        parameters: [...options, namedParameter, ...parameters, ...more],
        responses: answers([200], { text: true }),
      }));
    const items = [{ path, operations: connect('', []) }];
    if (sub.takesPath) items.push({ path: `${path}/{path}`, operations: connect('WithPath', [pathParameter('path')]) });
    return items;
  }
}
