/**
 * Which resources Kubernetes serves in which group version: `resources.json`, made by `tools/import-resources.ts`.
 * Kinds are checked against it; a server's own discovery is made from its kinds.
 */
import type { OpenApiGroup, OpenApiResource, OpenApiSubresource } from '../../libs/machinery/openapi/operations.ts';
import source from './resources.json' with { type: 'json' };

interface Row {
  kind: string;
  singular?: string;
  namespaced?: boolean;
  group?: string;
  version?: string;
  verbs?: string;
  short?: string[];
  categories?: string[];
  hash?: string;
  options?: string;
  path?: boolean;
  text?: string;
  deleted?: boolean;
}

const allVerbs = 'create delete deletecollection get list patch update watch';
const subVerbs = 'get patch update';

export interface BuiltinGroupVersion {
  readonly group: string;
  readonly version: string;
  /** Served unless `--runtime-config` says otherwise; alpha and beta versions are not. */
  readonly servedByDefault: boolean;
  readonly resources: readonly OpenApiResource[];
}

/** All group versions: those served by default in the order of discovery, then the others by name. */
export function builtinGroupVersions(): BuiltinGroupVersion[] {
  return Object.entries(source as Record<string, { served: boolean; resources: Record<string, Row> }>).map(
    ([groupVersion, { served, resources }]) => {
      const slash = groupVersion.indexOf('/');
      return {
        group: groupVersion.slice(0, Math.max(slash, 0)),
        version: groupVersion.slice(slash + 1),
        servedByDefault: served,
        resources: describe(resources),
      };
    },
  );
}

/** What a server with all built-in kinds and no custom ones serves by default, the core group first. */
export function builtinGroups(): OpenApiGroup[] {
  const groups = new Map<string, OpenApiGroup['versions'][number][]>();
  for (const { group, version, servedByDefault, resources } of builtinGroupVersions()) {
    if (!servedByDefault) continue;
    const versions = groups.get(group) ?? [];
    groups.set(group, versions);
    versions.push({ version, resources });
  }
  return [...groups].map(([name, versions]) => ({ name, versions }));
}

function describe(rows: Record<string, Row>): OpenApiResource[] {
  const resources: (OpenApiResource & { subresources: OpenApiSubresource[] })[] = [];
  for (const [path, row] of Object.entries(rows)) {
    const [name = '', sub] = path.split('/');
    const foreign = { ...(row.group ? { group: row.group } : {}), ...(row.version ? { version: row.version } : {}) };
    if (sub !== undefined) {
      const verbs = (row.verbs ?? subVerbs).split(' ');
      resources
        .find((resource) => resource.name === name)
        ?.subresources.push({
          name: sub,
          kind: row.kind,
          ...foreign,
          verbs,
          ...(row.text ? { text: true, optionsType: row.text } : {}),
          ...(row.options ? { optionsType: row.options } : {}),
          ...(row.path ? { takesPath: true } : {}),
        });
      continue;
    }
    resources.push({
      name,
      singular: row.singular ?? row.kind.toLowerCase(),
      kind: row.kind,
      ...foreign,
      namespaced: row.namespaced === true,
      verbs: (row.verbs ?? allVerbs).split(' '),
      ...(row.short ? { shortNames: row.short } : {}),
      ...(row.categories ? { categories: row.categories } : {}),
      ...(row.hash ? { storageVersionHash: row.hash } : {}),
      ...(row.deleted ? { deleteAnswersObject: true } : {}),
      subresources: [],
    });
  }
  return resources;
}
