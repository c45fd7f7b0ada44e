import { assert } from '../../../libs/base/assert.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Documentation } from '../../../libs/kind/column.ts';
import type { Kind, ServedVersion } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import { decodeAny, normalize, stringify } from '../../../libs/machinery/codec/json.ts';
import { encodeProtobuf } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import { encodeYaml } from '../../../libs/machinery/codec/yaml.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import type { SchemaSet, StructType, TypeName } from '../../../libs/machinery/schema/ir.ts';
import type { Form } from './encoded.ts';
import { hasLongNumber } from './json-scan.ts';
import { type TableObject, tableOf } from './table.ts';

const encoder = new TextEncoder();
const NO_ANNOTATIONS: Readonly<Record<string, string>> = Object.freeze({});
const PARTIAL_METADATA: TypeName = 'meta.v1.PartialObjectMetadata';
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Turns stored objects of one kind into the forms that are asked for. What it knows is fixed: when a kind changes (a
 * CRD), the cache gets a new writer and new handles.
 */
export class ObjectWriter {
  readonly kind: Kind;
  readonly schema: SchemaSet;
  readonly documentation: Documentation | undefined;
  readonly #clock: Clock;
  readonly #storageApiVersion: string;
  /** By apiVersion, made when the first object is written: most kinds of a cluster have none. */
  readonly #heads = new Map<string, readonly Uint8Array[]>();
  /** The types of lists' items carry no kind and apiVersion of their own: so it is with all types but custom ones. */
  readonly itemsAreBare: boolean;

  constructor(kind: Kind, schema: SchemaSet, clock: Clock, documentation?: Documentation) {
    this.documentation = documentation;
    this.kind = kind;
    this.schema = schema;
    this.#clock = clock;
    const { group = kind.group, version } = kind.storageVersion;
    this.#storageApiVersion = apiVersionOf({ group, version });
    this.itemsAreBare = schema.get(kind.storageVersion.type).protobufName !== undefined;
  }

  /** Wall time, for ages. */
  get nowMs(): number {
    return this.#clock.now();
  }

  /** The apiVersion that objects are stored in. */
  get storageApiVersion(): string {
    return this.#storageApiVersion;
  }

  /** Whether stored bytes are what `form` wants to see, whoever's object it is. */
  isStored(form: Form): boolean {
    return (
      form.media === 'json' &&
      form.as === 'object' &&
      form.apiVersion === this.#storageApiVersion &&
      this.kind.strategy.decorate === undefined
    );
  }

  /** Length of the text of kind and apiVersion at the beginning, the brace included; 0 where `json` is of another version. */
  headLength(json: Uint8Array, apiVersion = this.#storageApiVersion): number {
    let heads = this.#heads.get(apiVersion);
    if (!heads) this.#heads.set(apiVersion, (heads = headsOf(this.kind, apiVersion)));
    for (const head of heads) if (beginsWith(json, head)) return head.length;
    return 0;
  }

  /** Stored bytes as the kind would store them now; the same bytes where nothing changes. */
  upgraded(stored: Uint8Array): Uint8Array {
    const { kind, schema } = this;
    if (!kind.onRead) return stored;
    const text = decoder.decode(stored);
    const value = decodeAny(text) as ApiObject;
    const current = this.headLength(stored) > 0 ? value : this.#toStorage(value);
    if (current.apiVersion !== this.#storageApiVersion) return stored;
    const object = normalize<ApiObject>(schema, kind.storageVersion.type, current);
    kind.onRead(object);
    const now = stringify(normalize(schema, kind.storageVersion.type, object));
    return now === text ? stored : encoder.encode(now);
  }

  /**
   * The object of today's storage version, whichever version it was stored in, deeply frozen. Where a webhook converts it
   * is of the version that it was stored in: nobody can be asked here.
   */
  parse(stored: Uint8Array): DeepReadonly<ApiObject> {
    const text = decoder.decode(stored);
    const value = (hasLongNumber(text) ? decodeAny(text) : JSON.parse(text)) as ApiObject;
    return deepFreeze(this.headLength(stored) > 0 ? value : this.#toStorage(value)) as DeepReadonly<ApiObject>;
  }

  /** The object as `form` shows it, deeply frozen. */
  value(object: DeepReadonly<ApiObject>, form: Form): unknown {
    if (form.as === 'metadata') return partialMetadata(object, form.asVersion);
    if (form.as === 'object') return this.shown(object, form.apiVersion);
    return tableOf(this.tableKind(form), [this.tableObject(object, form)], {
      asVersion: form.asVersion,
      includeObject: form.includeObject || 'Metadata',
      columns: form.columns,
      nowMs: this.nowMs,
      // What only pretends to be stored has no version.
      metadata: object.metadata?.resourceVersion ? { resourceVersion: object.metadata.resourceVersion } : {},
      documentation: this.documentation,
    });
  }

  /** Whose columns a table in this form has: the version's own, or the kind's. */
  tableKind(form: Form): Pick<Kind, 'columns' | 'rowConditions'> {
    const { columns, rowConditions } = this.kind;
    return { columns: this.#served(form.apiVersion).columns ?? columns, ...(rowConditions && { rowConditions }) };
  }

  /** A table's object: a version's own columns are of the object as the version shows it. */
  tableObject(object: DeepReadonly<ApiObject>, form: Form): TableObject {
    const shown = this.shown(object, form.apiVersion);
    return { stored: this.#served(form.apiVersion).columns ? shown : object, shown };
  }

  /** The object in the served version `apiVersion`, with its decorations. */
  shown(object: DeepReadonly<ApiObject>, apiVersion: string): DeepReadonly<ApiObject> {
    const { decorate } = this.kind.strategy;
    if (!decorate && apiVersion === this.#storageApiVersion && object.apiVersion === apiVersion) return object;
    const served = this.#served(apiVersion);
    let shown: ApiObject;
    if (served.fromStorage) shown = served.fromStorage(object) as ApiObject;
    else if (decorate) shown = structuredClone(object) as ApiObject;
    else shown = { ...(object as ApiObject) };
    shown.apiVersion = apiVersion;
    decorate?.(shown);
    // A converter's object has what the converter wrote, in its order, until it has been through the schema.
    if (apiVersion !== this.#storageApiVersion && this.schema.has(served.type)) {
      shown = normalize<ApiObject>(this.schema, served.type, shown);
    }
    return deepFreeze(shown) as DeepReadonly<ApiObject>;
  }

  /** `value` as bytes of the form's media type. `value` must be what `this.value` gave for the form. */
  bytes(value: unknown, form: Form): Uint8Array {
    if (form.media === 'yaml') return encoder.encode(encodeYaml(value));
    const type = this.#typeOf(form);
    if (form.media === 'protobuf') {
      assert(type !== undefined, `a table has no protobuf form`);
      return encodeProtobuf(this.schema, type, value as object);
    }
    return encoder.encode(stringify(value));
  }

  /** An object of the form that has only a revision and these frozen annotations, as bookmarks carry it, and its type. */
  emptyObject(
    form: Form,
    resourceVersion: string,
    annotations: Readonly<Record<string, string>> | undefined,
  ): { value: unknown; type: TypeName } {
    const metadata = { resourceVersion, ...(annotations && { annotations }) };
    if (form.as === 'metadata') return { value: partialMetadata({ metadata }, form.asVersion), type: PARTIAL_METADATA };
    const { type } = this.#served(form.apiVersion);
    const empty = emptyOf(this.schema, type, this.kind.kind, form.apiVersion, annotations ?? NO_ANNOTATIONS);
    const own = Object.freeze({ ...empty.metadata, resourceVersion });
    return { value: Object.freeze({ ...empty, metadata: own }), type };
  }

  #toStorage(stored: ApiObject): ApiObject {
    const version = this.kind.versions.find((one) => this.#isOf(one, stored.apiVersion));
    if (version?.prepare) return stored;
    const converted = version?.toStorage ? version.toStorage(stored) : { ...stored };
    converted.apiVersion = this.#storageApiVersion;
    return converted;
  }

  #typeOf(form: Form): TypeName | undefined {
    if (form.as === 'table') return undefined;
    return form.as === 'metadata' ? PARTIAL_METADATA : this.#served(form.apiVersion).type;
  }

  #served(apiVersion: string): ServedVersion {
    const { versions } = this.kind;
    for (let i = 0; i < versions.length; i++) {
      const served = versions[i] as ServedVersion;
      if (this.#isOf(served, apiVersion)) return served;
    }
    throw new Error(`${this.kind.kind} is not served as ${apiVersion}`);
  }

  /** Without making its text: every object that is shown comes by here. */
  #isOf({ group = this.kind.group, version }: ServedVersion, apiVersion: string | undefined): boolean {
    if (group === '' || apiVersion === undefined) return version === apiVersion;
    return (
      apiVersion.length === group.length + 1 + version.length &&
      apiVersion[group.length] === '/' &&
      apiVersion.startsWith(group) &&
      apiVersion.endsWith(version)
    );
  }
}

interface Empty {
  readonly kind: string;
  readonly apiVersion: string;
  readonly object: DeepReadonly<ApiObject>;
}

/** By annotations and type: a hundred watches begin with a bookmark when a cluster starts. */
const empties = new WeakMap<object, WeakMap<StructType, Empty[]>>();

/** The canonical form of an object without content, of whatever revision. */
function emptyOf(
  schema: SchemaSet,
  type: TypeName,
  kind: string,
  apiVersion: string,
  annotations: Readonly<Record<string, string>>,
): DeepReadonly<ApiObject> {
  let byType = empties.get(annotations);
  if (!byType) empties.set(annotations, (byType = new WeakMap()));
  const struct = schema.get(type);
  let known = byType.get(struct);
  if (!known) byType.set(struct, (known = []));
  for (let i = 0; i < known.length; i++) {
    const empty = known[i] as Empty;
    if (empty.apiVersion === apiVersion && empty.kind === kind) return empty.object;
  }
  const object = deepFreeze(
    normalize<ApiObject>(schema, type, { kind, apiVersion, metadata: { resourceVersion: '0', annotations } }),
  );
  known.push({ kind, apiVersion, object });
  return object;
}

/** The metadata of an object as an object of its own. */
export function partialMetadata(object: DeepReadonly<ApiObject>, asVersion: 'v1' | 'v1beta1'): DeepReadonly<ApiObject> {
  return Object.freeze({
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${asVersion}`,
    metadata: object.metadata ?? Object.freeze({}),
  });
}

/** How an object's JSON may begin: in the order of built-in types, and in that of custom ones. */
function headsOf(kind: Kind, apiVersion: string): Uint8Array[] {
  const [name, version] = [JSON.stringify(kind.kind), JSON.stringify(apiVersion)];
  const heads = [`{"kind":${name},"apiVersion":${version},`, `{"apiVersion":${version},"kind":${name},`];
  return heads.map((head) => encoder.encode(head));
}

function beginsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  if (bytes.length < head.length) return false;
  for (let i = 0; i < head.length; i++) if (bytes[i] !== head[i]) return false;
  return true;
}
