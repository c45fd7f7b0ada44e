/**
 * Writes the compact schema source under `api/schema/` from the reference data: `node tools/import-schema.ts`.
 *
 * Run once per Kubernetes version; what it writes is committed and is then the project's own source of truth, read by
 * `tools/generate.ts`. Only facts are taken (names, numbers, types, markers), never a description. Files that it does
 * not produce (`*.extra.json`: types that no OpenAPI document publishes) are written by hand and left alone.
 *
 * The form is described in `libs/machinery/schema/compact.ts`. One file per API package, one line per field.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompactField, CompactFile, CompactType } from '../libs/machinery/schema/compact.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const reference = process.env['TUTTI_REFERENCE'] ?? join(root, '../shared/reference');
const target = join(root, 'api/schema');

type FactType = string | { list: FactType } | { map: FactType };
interface FactField {
  t: FactType;
  default?: unknown;
  'list-type'?: CompactField['list'];
  'list-map-keys'?: string[];
  'map-type'?: 'atomic' | 'granular';
  'patch-strategy'?: string;
  'patch-merge-key'?: string;
}
interface FactStruct {
  fields?: Record<string, FactField>;
  required?: string[];
  type?: string;
  format?: string;
  'map-type'?: 'atomic';
  unions?: { discriminator?: string; 'fields-to-discriminateBy': Record<string, string> }[];
  'group-version-kind'?: { group: string; version: string; kind: string }[];
}
interface ProtobufField {
  name: string;
  number: number;
  type?: string;
  repeated?: boolean;
  map?: [string, string];
}
interface WireField {
  t: string;
  zero?: unknown;
  keepsZero?: true;
}

const read = <T>(name: string): T => JSON.parse(readFileSync(join(reference, name), 'utf8')) as T;
const facts = read<Record<string, FactStruct>>('openapi-facts.json');
const protobuf = read<Record<string, { messages: Record<string, ProtobufField[]> }>>('protobuf.json');
const wire = read<Record<string, Record<string, WireField>>>('wire-zero.json');

/** OpenAPI names whose values are scalars to every codec, and the scalar that stands for them. */
const scalars: Record<string, string> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'any',
};

/** Types whose JSON is the value of one of their protobuf fields: which field, by the kind of the value. */
const either: Record<string, CompactType> = {
  JSONSchemaPropsOrArray: {
    either: 'array',
    fields: { schema: { t: 'JSONSchemaProps', pb: 1, p: true }, jSONSchemas: { t: '[]JSONSchemaProps', pb: 2 } },
  },
  JSONSchemaPropsOrBool: {
    either: 'bool',
    fields: { allows: { t: 'bool', pb: 1 }, schema: { t: 'JSONSchemaProps', pb: 2, p: true } },
  },
  JSONSchemaPropsOrStringArray: {
    either: 'array',
    fields: { schema: { t: 'JSONSchemaProps', pb: 1, p: true }, property: { t: '[]string', pb: 2 } },
  },
};

const packageOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));
const lastOf = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
const protobufPackage = (openapi: string): string => openapi.replace(/^io\.k8s\./, 'k8s.io.').replaceAll('-', '_');
/** `io.k8s.api.core.v1` → `core.v1`, `io.k8s.apimachinery.pkg.version` → `version`. */
const shortPackage = (openapi: string): string =>
  openapi
    .split('.')
    .slice(/\.v\d[^.]*$/.test(openapi) ? -2 : -1)
    .join('.');

function message(qualified: string, from: string): ProtobufField[] | undefined {
  const name = qualified.replace(/^\./, '');
  return name.includes('.') ? protobuf[packageOf(name)]?.messages[lastOf(name)] : protobuf[from]?.messages[name];
}

/** Protobuf writes `aPIGroup` and `xKubernetesListType` for what JSON calls `apiGroup` and `x-kubernetes-list-type`. */
const fold = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

interface Located extends ProtobufField {
  /** Embedded structs the field lies in, outermost first: their Go names and protobuf numbers. */
  inline: [string, number][];
  package: string;
}

/** A message's fields in wire order; embedded structs, which JSON does not see, are opened in place. */
function flatten(
  fields: readonly ProtobufField[],
  pkg: string,
  known: ReadonlySet<string>,
  inline: [string, number][] = [],
): Located[] {
  return fields.flatMap((field): Located[] => {
    if (known.has(fold(field.name)) || !field.type) return [{ ...field, inline, package: pkg }];
    const qualified = field.type.replace(/^\./, '');
    const inner = message(field.type, pkg);
    if (!inner) throw new Error(`${pkg}: embedded ${field.name} of unknown type ${field.type}`);
    const innerPackage = qualified.includes('.') ? packageOf(qualified) : pkg;
    return flatten(inner, innerPackage, known, [...inline, [lastOf(qualified), field.number]]);
  });
}

function typeText(type: FactType, from: string, field: Located | undefined): string {
  if (typeof type === 'object') {
    if ('list' in type) {
      const wrapped = field && !field.repeated && !field.map;
      return `${wrapped ? '[w]' : '[]'}${typeText(type.list, from, undefined)}`;
    }
    const inner = type.map;
    const wrapped = typeof inner === 'object' && 'list' in inner;
    return `{}${wrapped ? `[w]${typeText(inner.list, from, undefined)}` : typeText(inner, from, undefined)}`;
  }
  switch (type) {
    case 'string':
      return 'string';
    case 'string:byte':
      return 'bytes';
    case 'boolean':
      return 'bool';
    case 'integer:int32':
      return 'int32';
    case 'integer:int64':
      return 'int64';
    case 'number:double':
      return 'double';
  }
  const scalar = scalars[type];
  if (scalar) return scalar;
  if (!facts[type] && !protobuf[protobufPackage(packageOf(type))]?.messages[lastOf(type)])
    throw new Error(`unknown type ${type}`);
  return packageOf(type) === from ? lastOf(type) : `${shortPackage(packageOf(type))}.${lastOf(type)}`;
}

/** The type of a field of a type that OpenAPI does not publish, from its protobuf type. */
function typeFromProtobuf(field: Located, from: string): FactType {
  const one = (name: string): FactType => {
    switch (name) {
      case 'string':
        return 'string';
      case 'bytes':
        return 'string:byte';
      case 'bool':
        return 'boolean';
      case 'int32':
      case 'int64':
        return `integer:${name}`;
      case 'double':
        return 'number:double';
    }
    const qualified = name.replace(/^\./, '');
    const openapi = qualified.includes('.') ? qualified.replace(/^k8s\.io\./, 'io.k8s.') : `${from}.${qualified}`;
    return openapi;
  };
  if (field.map) return { map: one(field.map[1]) };
  return field.repeated ? { list: one(field.type ?? '') } : one(field.type ?? '');
}

/** What decode errors call a type, where the source does not say otherwise. Must agree with `compact.ts`. */
function impliedGoType(text: string, version: string): string {
  if (text.startsWith('[w]') || text.startsWith('[]'))
    return `[]${impliedGoType(text.slice(text.indexOf(']') + 1), version)}`;
  if (text.startsWith('{}')) return `map[string]${impliedGoType(text.slice(2), version)}`;
  const named: Record<string, string> = {
    double: 'float64',
    bytes: '[]uint8',
    quantity: 'resource.Quantity',
    time: 'v1.Time',
    microTime: 'v1.MicroTime',
    intOrString: 'intstr.IntOrString',
    any: 'runtime.RawExtension',
    duration: 'v1.Duration',
  };
  if (named[text]) return named[text];
  if (!/[A-Z]/.test(text)) return text;
  return text.includes('.') ? text.split('.').slice(-2).join('.') : `${version}.${text}`;
}

function compactType(openapi: string, file: CompactFile): CompactType {
  const from = packageOf(openapi);
  const name = lastOf(openapi);
  const fact = facts[openapi] ?? {};
  const wireFields = wire[openapi] ?? {};
  const known = new Set([...Object.keys(fact.fields ?? {}), ...Object.keys(wireFields)]);
  const pkg = protobufPackage(from);
  const fields = message(name, pkg);
  const type: CompactType = {};

  const gvks = fact['group-version-kind'] ?? [];
  if (from.includes('.apidiscovery.') && known.has('kind')) type.kind = true;
  else if (
    gvks.length === 1 &&
    gvks[0]?.kind === name &&
    gvks[0].group === file.group &&
    gvks[0].version === file.version
  )
    type.kind = true;
  else if (gvks.length > 0) type.gvk = gvks.map((g) => `${g.group}/${g.version}/${g.kind}`);
  if (known.has('kind') && known.has('apiVersion') && !fields?.some((field) => field.name === 'kind')) type.meta = true;
  if (fact['map-type']) type.map = fact['map-type'];
  if (fact.unions)
    type.unions = fact.unions.map((u) => ({
      ...(u.discriminator ? { discriminator: u.discriminator } : {}),
      fields: u['fields-to-discriminateBy'],
    }));
  if (!fields) type.noProtobuf = true;

  const foldedKnown = new Set([...known].map(fold));
  const byFold = new Map([...known].map((json) => [fold(json), json]));
  const located: Located[] = fields
    ? flatten(fields, pkg, foldedKnown)
    : [...known].map((json) => ({ name: json, number: 0, inline: [], package: pkg }));
  const seen = new Set<string>();
  for (const field of located) {
    const json = byFold.get(fold(field.name));
    if (!json) throw new Error(`${openapi}: protobuf field ${field.name} has no JSON name`);
    seen.add(json);
    const f = fact.fields?.[json];
    const w = wireFields[json];
    const out: CompactField = {
      t: typeText(f?.t ?? typeFromProtobuf(field, from), from, field.number ? field : undefined),
    };
    if (field.number) out.pb = field.number;
    if (field.inline.length > 0) out.in = field.inline;
    // An update tells `managedFields: []` (forget them) from null (keep them), though no pointer stands behind it.
    if (w?.keepsZero || json === 'managedFields') out.p = true;
    if (w && 'zero' in w) out.z = w.zero;
    const go = w?.t.replace(/^\*/, '');
    if (go && go !== impliedGoType(out.t, file.version)) out.go = go;
    if (fact.required?.includes(json)) out.req = true;
    if (f && 'default' in f) out.d = f.default;
    if (f?.['list-type']) out.list = f['list-type'];
    if (f?.['list-map-keys']) out.keys = f['list-map-keys'];
    if (f?.['map-type']) out.map = f['map-type'];
    if (f?.['patch-strategy']) out.patch = f['patch-strategy'];
    if (f?.['patch-merge-key']) out.mergeKey = f['patch-merge-key'];
    (type.fields ??= {})[json] = out;
  }
  for (const json of known) {
    if (!seen.has(json) && !(type.meta && (json === 'kind' || json === 'apiVersion')))
      throw new Error(`${openapi}.${json} has no protobuf field`);
  }
  return type;
}

/** One line per field and per type without fields, so that a diff shows what changed. */
function print(file: CompactFile): string {
  const { types, ...head } = file;
  const lines = Object.entries(types).map(([name, { fields, ...rest }]) => {
    const flags = JSON.stringify(rest).slice(1, -1);
    if (!fields) return `${JSON.stringify(name)}: {${flags}}`;
    const rows = Object.entries(fields).map(([json, field]) => `  ${JSON.stringify(json)}: ${JSON.stringify(field)}`);
    return `${JSON.stringify(name)}: {${flags}${flags ? ', ' : ''}"fields": {\n${rows.join(',\n')}}}`;
  });
  return `{${JSON.stringify(head).slice(1, -1)},\n"types": {\n${lines.join(',\n')}\n}}\n`;
}

/** Kept by hand in an `.extra.json`: no reference says in which order their fields are written. */
const byHand = new Set(['io.k8s.apimachinery.pkg.version']);

function groupOf(openapi: string, version: string): string {
  if (openapi.includes('.apidiscovery.')) return 'apidiscovery.k8s.io';
  for (const [name, fact] of Object.entries(facts)) {
    if (packageOf(name) !== openapi) continue;
    for (const gvk of fact['group-version-kind'] ?? [])
      if (gvk.version === version && !/meta/.test(openapi)) return gvk.group;
  }
  return '';
}

function main(): void {
  mkdirSync(target, { recursive: true });
  for (const name of existsSync(target) ? readdirSync(target) : []) {
    if (/\.json$/.test(name) && !/\.extra\.json$|^resources\.json$|^paths\.json$/.test(name))
      rmSync(join(target, name));
  }
  const all = [...new Set([...Object.keys(facts), ...Object.keys(wire)])].filter((name) => !scalars[name]).sort();
  const packages = [...new Set(all.map(packageOf))].filter((name) => !byHand.has(name));
  let count = 0;
  for (const openapi of packages) {
    const short = shortPackage(openapi);
    const version = short.includes('.') ? lastOf(short) : '';
    const file: CompactFile = {
      package: short,
      group: groupOf(openapi, version),
      version,
      openapi,
      protobuf: protobufPackage(openapi),
      types: {},
    };
    for (const name of all.filter((candidate) => packageOf(candidate) === openapi)) {
      file.types[lastOf(name)] = either[lastOf(name)] ?? compactType(name, file);
      count++;
    }
    writeFileSync(join(target, `${short}.json`), print(file));
  }
  console.log(`${count} types in ${packages.length} packages`);
}

main();
