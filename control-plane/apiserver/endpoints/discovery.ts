import type { Kind, ServedVersion, Subresource } from '../../../libs/kind/kind.ts';
import {
  aggregatedDiscovery,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  type GroupDescription,
  type ResourceDescription,
} from '../../../libs/machinery/discovery/discovery.ts';
import { methodNotAllowed, notAcceptable, unknownPath } from '../../../libs/machinery/errors.ts';
import { compareVersions } from '../../../libs/machinery/gvk.ts';
import type { OpenApiResource, OpenApiSubresource } from '../../../libs/machinery/openapi/operations.ts';
import type { SchemaSet } from '../../../libs/machinery/schema/ir.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { header } from '../headers.ts';
import { CONTENT_TYPES, type Representation } from '../negotiation.ts';
import type { KindSet, ServedResource } from '../registry/kind-set.ts';
import { respond, textResponse, type Writable, wholeBody } from '../responses.ts';
import { decodeSegment } from '../router.ts';
import type { Endpoint } from '../server.ts';

/**
 * The order in which groups are told: clients that look for a kind by its name alone take the first. What is not named
 * comes after these by its name, as custom groups do.
 */
const GROUP_ORDER: readonly string[] = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

export interface DiscoveryOptions {
  readonly kinds: KindSet;
  /** `host:port` that clients inside the cluster use. */
  readonly serverAddress: string;
  /** The groups that others serve, best first. */
  readonly remote?: () => readonly GroupDescription[];
  /** Of a storage version's name, for `storageVersionHash`. */
  sha256(text: string): Uint8Array;
}

const AGGREGATED = /application\/json;.*as=APIGroupDiscoveryList/;

/** `/api`, `/apis` and what is directly below them; made anew when kinds come or go. */
export function discoveryEndpoint(options: DiscoveryOptions): Endpoint {
  const { kinds, serverAddress, sha256 } = options;
  let groups: readonly GroupDescription[] | undefined;
  kinds.onChange(() => {
    groups = undefined;
  });
  const all = () => {
    groups ??= describeGroups(kinds.served, sha256);
    return withRemote(groups, options.remote?.() ?? []);
  };
  const addresses = [{ clientCIDR: '0.0.0.0/0', serverAddress }];

  return {
    handle({ engine: { schema } }, ctx, request, form) {
      const segments = request.path.split('/').slice(1).map(decodeSegment);
      if (segments.at(-1) === '') segments.pop();
      const [root, ...rest] = segments;
      if ((root !== 'api' && root !== 'apis') || ctx.attributes.isResourceRequest) return undefined;
      if (rest.length === 0) return atRoot(request, form, schema, root, all(), addresses);
      const [name, version] = root === 'api' ? ['', rest[0]] : rest;
      const group = all().find((one) => one.name === name);
      if (!group) return root === 'api' ? undefined : textResponse(404, '404 page not found\n');
      if (version === undefined)
        return document(request, form, { value: apiGroup(group), type: 'meta.v1.APIGroup', schema });
      const found = group.versions.find((one) => one.version === version);
      if (!found && kinds.isForeign(group.name)) return textResponse(404, '404 page not found\n');
      if (!found) throw unknownPath();
      return document(request, form, {
        value: apiResourceList(group.name, found),
        type: 'meta.v1.APIResourceList',
        schema,
      });
    },
  };
}

function atRoot(
  request: ApiRequest,
  form: Representation,
  schema: SchemaSet,
  root: 'api' | 'apis',
  groups: readonly GroupDescription[],
  addresses: readonly { clientCIDR: string; serverAddress: string }[],
): ApiResponse {
  const mine = groups.filter((group) => (group.name === '') === (root === 'api'));
  const clauses = (header(request, 'accept') ?? '').replace(/\s+/g, '').split(',');
  for (const clause of clauses) {
    // The first that can be served counts: a plain form before the aggregated one does too.
    if (!clause.includes('as=')) break;
    if (!AGGREGATED.test(clause) || !/;g=apidiscovery\.k8s\.io(;|$)/.test(clause) || !/;v=v2(;|$)/.test(clause))
      continue;
    const body = wholeBody({ value: aggregatedDiscovery(mine, 'v2') });
    const contentType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    return respond(200, { ...body, contentType }, [], { vary: 'Accept' });
  }
  if (clauses.every((clause) => clause.includes('as='))) throw notAcceptable(Object.values(CONTENT_TYPES));
  if (root === 'apis') {
    return respond(200, wholeBody({ value: apiGroupList(groups), type: 'meta.v1.APIGroupList', schema }, form));
  }
  const core = mine[0];
  if (!core) throw notAcceptable(Object.values(CONTENT_TYPES));
  return respond(200, wholeBody({ value: apiVersions(core, addresses), type: 'meta.v1.APIVersions', schema }, form));
}

function document(request: ApiRequest, form: Representation, content: Writable): ApiResponse {
  if (request.method !== 'GET') throw methodNotAllowed();
  return respond(200, wholeBody(content, form));
}

/** Own groups with those of others behind them; a group that both serve has the versions of both. */
function withRemote(
  own: readonly GroupDescription[],
  remote: readonly GroupDescription[],
): readonly GroupDescription[] {
  if (remote.length === 0) return own;
  const more = new Map(remote.map((group) => [group.name, group]));
  const merged = own.map((group) => {
    const versions = (more.get(group.name)?.versions ?? []).filter(
      ({ version }) => !group.versions.some((one) => one.version === version),
    );
    more.delete(group.name);
    return versions.length === 0 ? group : { ...group, versions: [...group.versions, ...versions] };
  });
  return [...merged, ...more.values()];
}

/** Groups, versions and resources in the order of discovery. */
export function describeGroups(
  served: readonly ServedResource[],
  sha256: (text: string) => Uint8Array,
): GroupDescription[] {
  const byGroup = new Map<string, Map<string, ResourceDescription[]>>();
  for (const resource of served) {
    let versions = byGroup.get(resource.group);
    if (!versions) byGroup.set(resource.group, (versions = new Map<string, ResourceDescription[]>()));
    const resources = versions.get(resource.version);
    if (resources) resources.push(described(resource, sha256));
    else versions.set(resource.version, [described(resource, sha256)]);
  }
  const rank = (name: string) => {
    const at = GROUP_ORDER.indexOf(name);
    return at < 0 ? GROUP_ORDER.length : at;
  };
  const names = [...byGroup.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return names.map((name) => ({
    name,
    versions: inOrder(name, byGroup.get(name) as Map<string, ResourceDescription[]>).map(([version, resources]) => ({
      version,
      resources: resources.sort((a, b) => (a.name < b.name ? -1 : 1)),
    })),
  }));
}

/** Versions as they were given; those of custom groups by their maturity, the newest first. */
function inOrder<T>(group: string, versions: ReadonlyMap<string, T>): [string, T][] {
  const all = [...versions];
  return GROUP_ORDER.includes(group) ? all : all.sort(([a], [b]) => compareVersions(a, b));
}

/**
 * Those of built-in kinds are the same for all servers of a process, and every cluster is asked for them when it starts. They
 * hold nothing of the server that has made them: what a map of the process holds outlives many collections of young objects.
 */
const descriptions = new WeakMap<Kind, Map<ServedVersion, Described>>();

function described(resource: ServedResource, sha256: (text: string) => Uint8Array): Described {
  let ofKind = descriptions.get(resource.kind);
  if (!ofKind) descriptions.set(resource.kind, (ofKind = new Map()));
  let known = ofKind.get(resource.served);
  if (!known) ofKind.set(resource.served, (known = new Described(resource, sha256)));
  return known;
}

/** With what OpenAPI wants to know besides; discovery does not look at that. */
class Described implements OpenApiResource {
  readonly name: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly deleteAnswersObject: boolean;
  readonly subresources: readonly OpenApiSubresource[];
  readonly storageVersionHash: string | undefined;

  constructor({ kind, schema, served }: ServedResource, sha256: (text: string) => Uint8Array) {
    const custom = schema.get(served.type).custom === true;
    const subresources = Object.entries(kind.subresources).map(([name, subresource]) =>
      describeSubresource(kind, name, subresource),
    );
    this.name = kind.resource;
    this.singular = kind.singular;
    this.kind = kind.kind;
    this.namespaced = kind.namespaced;
    this.verbs = custom ? kind.verbs : [...kind.verbs].sort();
    this.shortNames = kind.shortNames;
    this.categories = kind.categories;
    this.deleteAnswersObject = kind.strategy.deleteReturnsObject ?? false;
    this.subresources = custom ? subresources : subresources.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.storageVersionHash = kind.virtual ? undefined : hashOf(kind, sha256);
  }
}

function hashOf({ storageVersion, hashedVersion, group, kind }: Kind, sha256: (text: string) => Uint8Array): string {
  const hashed = `${storageVersion.group ?? group}/${hashedVersion ?? storageVersion.version}/${kind}`;
  return btoa(String.fromCharCode(...sha256(hashed).subarray(0, 8)));
}

function describeSubresource(kind: Kind, name: string, subresource: Subresource): OpenApiSubresource {
  if (subresource.form === 'status') {
    return { name, kind: kind.kind, verbs: [...(subresource.verbs ?? ['get', 'patch', 'update'])].sort() };
  }
  if (subresource.form === 'connect') {
    const { gvk, optionsType, takesPath = false, answersText = false, verbs } = subresource;
    const what = { optionsType, ...(takesPath ? { takesPath } : {}), ...(answersText ? { text: true } : {}) };
    // What is text is told as part of its object, what is a stream by its options.
    return { name, kind: answersText ? kind.kind : gvk.kind, verbs: [...verbs].sort(), ...what };
  }
  const { gvk } = subresource;
  const verbs = subresource.verbs ?? (subresource.form === 'action' ? ['create'] : ['get', 'patch', 'update']);
  const foreign = gvk.group !== kind.group ? { group: gvk.group, version: gvk.version } : {};
  return { name, kind: gvk.kind, ...foreign, verbs: [...verbs].sort() };
}
