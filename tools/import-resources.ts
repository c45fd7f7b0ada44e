/**
 * Writes `api/schema/resources.json` from the reference data: which resources every group version serves. Kinds are held
 * against it by tests; OpenAPI and discovery tests are fed from it. `node tools/import-resources.ts`, once per version.
 *
 * One line per resource or subresource. Left out where it is the usual: the singular (the kind in lower case), the verbs
 * (all eight; of a subresource get, patch, update). Versions that a server does not serve by default are known from
 * the published paths alone, which do not say short names and categories: those are the stable version's.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const reference = process.env['TUTTI_REFERENCE'] ?? join(root, '../shared/reference');

interface DiscoveredResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  storageVersionHash?: string;
}
interface Operation {
  action: string | null;
  gvk: { group: string; version: string; kind: string } | null;
  produces: string[] | null;
  responses: Record<string, string | null>;
}

interface Row {
  kind: string;
  singular?: string;
  namespaced?: true;
  group?: string;
  version?: string;
  verbs?: string;
  short?: string[];
  categories?: string[];
  hash?: string;
  /** Connects; the kind of its options. */
  options?: string;
  /** A path may follow. */
  path?: true;
  /** Answers plain text; its options are of this kind. */
  text?: string;
  /** A delete is answered with the object. */
  deleted?: true;
}

const read = <T>(name: string): T => JSON.parse(readFileSync(join(reference, name), 'utf8')) as T;
const allVerbs = 'create delete deletecollection get list patch update watch';
const subVerbs = 'get patch update';

const discovery =
  read<
    Record<
      string,
      { groups?: { name: string; versions: { groupVersion: string }[] }[]; resources?: DiscoveredResource[] }
    >
  >('discovery.json');
const paths = read<Record<string, Record<string, Operation>>>('paths.json');

const out = new Map<string, Map<string, Row>>();

function row(resource: DiscoveredResource): Row {
  const isSub = resource.name.includes('/');
  const verbs = resource.verbs.join(' ');
  return {
    kind: resource.kind,
    ...(isSub || resource.singularName === resource.kind.toLowerCase() ? {} : { singular: resource.singularName }),
    ...(resource.namespaced ? { namespaced: true } : {}),
    ...(resource.group ? { group: resource.group } : {}),
    ...(resource.version ? { version: resource.version } : {}),
    ...(verbs === (isSub ? subVerbs : allVerbs) ? {} : { verbs }),
    ...(resource.shortNames ? { short: resource.shortNames } : {}),
    ...(resource.categories ? { categories: resource.categories } : {}),
    ...(resource.storageVersionHash ? { hash: resource.storageVersionHash } : {}),
  };
}

function fromDiscovery(): void {
  const groups = discovery['GET /apis']?.groups ?? [];
  for (const groupVersion of [
    'v1',
    ...groups.flatMap((group) => group.versions.map((version) => version.groupVersion)),
  ]) {
    const path = groupVersion.includes('/') ? `GET /apis/${groupVersion}` : `GET /api/${groupVersion}`;
    const rows = new Map<string, Row>();
    for (const resource of discovery[path]?.resources ?? []) rows.set(resource.name, row(resource));
    out.set(groupVersion, rows);
  }
}

const verbOf: Record<string, string> = { post: 'create', put: 'update' };

function fromPaths(): void {
  const found = new Map<string, Map<string, DiscoveredResource>>();
  for (const [path, operations] of Object.entries(paths)) {
    const match = /^\/apis\/([^/]+\/[^/]+)\/(namespaces\/\{namespace\}\/)?([a-z]+)(\/\{name\}(\/[a-z]+)?)?$/.exec(path);
    const groupVersion = match?.[1];
    if (!match || !groupVersion || out.has(groupVersion)) continue;
    const name = `${match[3]}${match[5] ?? ''}`;
    const resources = found.get(groupVersion) ?? new Map<string, DiscoveredResource>();
    found.set(groupVersion, resources);
    for (const { action, gvk } of Object.values(operations)) {
      if (!action || !gvk) continue;
      const known = resources.get(name) ?? {
        name,
        kind: gvk.kind,
        singularName: gvk.kind.toLowerCase(),
        namespaced: false,
        verbs: [],
      };
      if (match[2]) known.namespaced = true;
      known.verbs.push(verbOf[action] ?? action);
      // Whoever may list may watch.
      if (action === 'list') known.verbs.push('watch');
      resources.set(name, known);
    }
  }
  for (const [groupVersion, resources] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const rows = new Map<string, Row>();
    for (const resource of [...resources.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      resource.verbs = [...new Set(resource.verbs)].sort();
      const stable = out.get(`${groupVersion.split('/')[0]}/v1`)?.get(resource.name);
      rows.set(resource.name, {
        ...row(resource),
        ...(stable?.short ? { short: stable.short } : {}),
        ...(stable?.categories ? { categories: stable.categories } : {}),
      });
    }
    out.set(groupVersion, rows);
  }
}

/** What only the paths say: connections, plain text, and what a delete answers. */
function completeFromPaths(): void {
  for (const [path, operations] of Object.entries(paths)) {
    const match =
      /^\/apis?\/((?:[^/]+\/)?v[^/]+)\/(?:namespaces\/\{namespace\}\/)?([a-z]+)\/\{name\}(?:\/([a-z]+))?$/.exec(path);
    if (!match) continue;
    const found = out.get(match[1] ?? '')?.get(match[3] ? `${match[2]}/${match[3]}` : (match[2] ?? ''));
    if (!found) continue;
    const { get, delete: del } = operations;
    const short = (name: string): string => name.split('.').slice(-3).join('.');
    if (get?.action === 'connect') {
      found.options = `core.v1.${found.kind}`;
      if (paths[`${path}/{path}`]) found.path = true;
    } else if (get?.produces?.includes('text/plain')) {
      found.text = 'core.v1.PodLogOptions';
    }
    if (del?.action === 'delete' && short(del.responses['200'] ?? '') !== 'meta.v1.Status') found.deleted = true;
  }
}

fromDiscovery();
const served = out.size;
fromPaths();
completeFromPaths();
const text = [...out].map(([groupVersion, rows], i) => {
  const lines = [...rows].map(([name, one]) => `  ${JSON.stringify(name)}: ${JSON.stringify(one)}`);
  return `${JSON.stringify(groupVersion)}: {"served": ${i < served}, "resources": {\n${lines.join(',\n')}}}`;
});
writeFileSync(join(root, 'api/schema/resources.json'), `{\n${text.join(',\n')}\n}\n`);
console.log(`${out.size} group versions, ${served} of them served by default`);
