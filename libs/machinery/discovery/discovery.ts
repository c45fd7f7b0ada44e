/**
 * Discovery documents from descriptions of what is served: `/api`, `/apis`, `/apis/<group>`, `/apis/<group>/<version>`
 * and the aggregated documents of both versions. Pure; the caller caches what it wants to.
 */

import { deepFreeze } from '../freeze.ts';

/** A subresource as discovery tells it. Group and version are given only where they are not the parent's. */
export interface SubresourceDescription {
  /** Without the parent: `status`. */
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

export interface ResourceDescription {
  /** Plural, as in paths. */
  readonly name: string;
  readonly singular: string;
  readonly kind: string;
  /** Where the kind is not of the version's own group and version. */
  readonly group?: string;
  readonly version?: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly storageVersionHash?: string;
  readonly subresources?: readonly SubresourceDescription[];
}

export interface VersionDescription {
  readonly version: string;
  readonly resources: readonly ResourceDescription[];
  /** `Stale` where an aggregated server did not answer lately. Default `Current`. */
  readonly freshness?: 'Current' | 'Stale';
}

/** A group with its versions, the preferred one first; the core group's name is `''`. */
export interface GroupDescription {
  readonly name: string;
  readonly versions: readonly VersionDescription[];
}

export interface ServerAddress {
  readonly clientCIDR: string;
  readonly serverAddress: string;
}

const groupVersion = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`);

/** `GET /api`. */
export function apiVersions(core: GroupDescription, addresses: readonly ServerAddress[]): object {
  return {
    kind: 'APIVersions',
    versions: core.versions.map(({ version }) => version),
    serverAddressByClientCIDRs: addresses,
  };
}

/** `GET /apis`: every group but the core group, in the order given. */
export function apiGroupList(groups: readonly GroupDescription[]): object {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.filter(({ name }) => name !== '').map(groupBody),
  };
}

/** `GET /apis/<group>`. */
export function apiGroup(group: GroupDescription): object {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(group) };
}

function groupBody({ name, versions }: GroupDescription): object {
  const named = versions.map(({ version }) => ({ groupVersion: groupVersion(name, version), version }));
  return { name, versions: named, preferredVersion: named[0] };
}

/** `GET /api/v1`, `GET /apis/<group>/<version>`: subresources follow their resource. */
export function apiResourceList(group: string, { version, resources }: VersionDescription): object {
  return {
    kind: 'APIResourceList',
    // The core group's document has always gone without.
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: groupVersion(group, version),
    resources: resources.flatMap((resource) => [
      apiResource(resource),
      ...(resource.subresources ?? []).map((sub) => ({
        name: `${resource.name}/${sub.name}`,
        singularName: '',
        namespaced: resource.namespaced,
        ...foreignKind(sub),
        kind: sub.kind,
        verbs: sub.verbs,
      })),
    ]),
  };
}

function apiResource(resource: ResourceDescription): object {
  return {
    name: resource.name,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    ...foreignKind(resource),
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames?.length ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories?.length ? { categories: resource.categories } : {}),
    ...(resource.storageVersionHash ? { storageVersionHash: resource.storageVersionHash } : {}),
  };
}

function foreignKind({ group, version }: { group?: string; version?: string }): { group?: string; version?: string } {
  return { ...(group ? { group } : {}), ...(version ? { version } : {}) };
}

/**
 * The aggregated document: of the core group for `/api` (pass it alone), of all others for `/apis`. `v2beta1` differs in
 * nothing but its name.
 */
export function aggregatedDiscovery(groups: readonly GroupDescription[], form: 'v2' | 'v2beta1' = 'v2'): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${form}`,
    metadata: {},
    items: groups.map(({ name, versions }) => ({
      metadata: name === '' ? {} : { name },
      versions: versions.map(({ version, resources, freshness }) => ({
        version,
        ...(resources.length > 0 ? { resources: resources.map(resourceDiscovery) } : {}),
        freshness: freshness ?? 'Current',
      })),
    })),
  };
}

/** By description: those of built-in kinds stay what they are, and every cluster is asked for them when it starts. */
const discoveries = new WeakMap<ResourceDescription, object>();

function resourceDiscovery(resource: ResourceDescription): object {
  let known = discoveries.get(resource);
  if (!known) discoveries.set(resource, (known = deepFreeze(describedAnew(resource))));
  return known;
}

function describedAnew(resource: ResourceDescription): object {
  return {
    resource: resource.name,
    responseKind: responseKind(resource),
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames?.length ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories?.length ? { categories: resource.categories } : {}),
    ...(resource.subresources?.length
      ? {
          subresources: resource.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: responseKind(sub),
            verbs: sub.verbs,
          })),
        }
      : {}),
  };
}

function responseKind({ group, version, kind }: { group?: string; version?: string; kind: string }): object {
  return { group: group ?? '', version: version ?? '', kind };
}

/**
 * What `storageVersionHash` says: eight bytes of the SHA-256 of `group/version/kind` as they are stored, in base64.
 * `digest` is `Keys.digest` for SHA-256.
 */
export function storageVersionHash(
  digest: (text: string) => Uint8Array,
  storage: { group: string; version: string; kind: string },
): string {
  const bytes = digest(`${storage.group}/${storage.version}/${storage.kind}`).subarray(0, 8);
  return btoa(String.fromCharCode(...bytes));
}
