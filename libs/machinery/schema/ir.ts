/**
 * The schema's intermediate form: what every codec, patch, prune and publish step knows about a type.
 *
 * One `SchemaSet` describes all built-in types (made from the compact source under `api/schema/` by `tools/generate`);
 * a CRD version is compiled to a `StructType` of the same form, so that built-in and custom kinds go down one path.
 * Everything here is data: frozen, JSON-serialisable, without functions.
 *
 * How values are held in memory, whatever the wire format:
 *
 *   string, quantity, time, microTime, duration   string   (quantities in canonical form once decoded, times RFC 3339 UTC)
 *   bool                                          boolean
 *   int32, double                                 number
 *   int64                                         number, or bigint where |x| > 2^53 - 1 (never rounded)
 *   bytes                                         string   (base64, as in JSON)
 *   intOrString                                   number | string
 *   list                                          array;  map: plain object with own properties only
 *   struct                                        plain object; a field that is absent is not a property
 *   any                                           any JSON value, numbers as above (RawExtension, FieldsV1, JSON, preserved content)
 */

/** A scalar's wire type. The Go name that decode errors cite stands in `Field.goType`. */
export type Scalar =
  | 'string'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'intOrString'
  | 'any';

/** What a value looks like. `ref` names another type of the same `SchemaSet`; `struct` holds it in place (CRDs). */
export type TypeRef =
  | { readonly k: Scalar }
  /** `wrapped`: protobuf has the list as a message of its own whose field 1 repeats (`APIResource.verbs`). */
  | { readonly k: 'list'; readonly of: TypeRef; readonly wrapped?: true }
  | { readonly k: 'map'; readonly of: TypeRef }
  | { readonly k: 'ref'; readonly name: TypeName }
  | { readonly k: 'struct'; readonly type: StructType };

/** Short name of a type: `core.v1.Pod`, `apps.v1.Deployment`, `meta.v1.ObjectMeta` (OpenAPI's name less its prefix). */
export type TypeName = string;

/** How server-side apply and validation treat a list. Absent in the source means atomic. */
export type ListType = 'atomic' | 'set' | 'map';

export interface Field {
  /** JSON name, unique in its struct. Fields stand in wire order (the order in which JSON is written). */
  readonly name: string;
  readonly type: TypeRef;
  /** Protobuf field number; absent where the type has no protobuf form. */
  readonly number?: number;
  /**
   * Embedded structs that the field lies in, outermost first; JSON does not see them, protobuf nests them as messages
   * (always written), and error paths name them: `spec.PersistentVolumeSource.nfs.readOnly`.
   */
  readonly inline?: readonly { readonly name: string; readonly number: number }[];
  /** Required by the published schema (a missing value is then a validation error, not a decode error). */
  readonly required?: true;
  /** The type as decode errors name it, e.g. `v1.PullPolicy`, `[]v1.EnvVar`, `int32`. */
  readonly goType?: string;
  /**
   * What is written when the field is empty: `""`, `0`, `"0"`, `false`, `null`, or `{}` (a struct: filled with its own
   * zeros in turn). Not a property: nothing is written. Canonical objects (decoded or normalized) hold these zeros.
   */
  readonly zero?: unknown;
  /** An explicit 0, false, "" or {} survives a decode (a pointer upstream); otherwise it is the same as absent. */
  readonly keepsZero?: true;
  /** The published default, where one exists (`"TCP"`); given by defaulting, not by decode. */
  readonly default?: unknown;
  readonly listType?: ListType;
  /** For `listType: 'map'`: the fields that make an item's key. */
  readonly listMapKeys?: readonly string[];
  /** `atomic`: a map or struct that one manager owns whole. Absent means granular. */
  readonly mapType?: 'atomic' | 'granular';
  /** Strategic merge patch: how lists (and `retainKeys` structs) merge, and by which key. */
  readonly patchStrategy?: readonly ('merge' | 'replace' | 'retainKeys')[];
  readonly patchMergeKey?: string;
  readonly enum?: readonly string[];

  // What only custom resources know; absent on built-in types.
  readonly nullable?: true;
}

export interface StructType {
  readonly name: TypeName;
  readonly fields: readonly Field[];
  /** Discriminated and plain unions, as published. */
  readonly unions?: readonly { readonly discriminator?: string; readonly fields: Readonly<Record<string, string>> }[];
  /** Group, version and kind where the type is a top-level kind (some, like DeleteOptions, belong to many groups). */
  readonly gvk?: readonly { readonly group: string; readonly version: string; readonly kind: string }[];
  /** Full name in OpenAPI documents (`io.k8s.api.core.v1.Pod`) and in protobuf (`k8s.io.api.core.v1.Pod`). */
  readonly openapiName?: string;
  readonly protobufName?: string;

  /**
   * JSON holds the value of just one of the fields, told apart by its kind: an object is the struct's, an array or a
   * bool the other's (`JSONSchemaPropsOrArray`, `…OrBool`). In memory the value is held as in JSON.
   */
  readonly either?: 'array' | 'bool';

  // What only custom resources know; absent on built-in types.
  /**
   * Compiled from a CRD, as are all structs in place below it: values of a wrong type and nulls are kept for validation
   * to report, nothing is written or left out for being empty. Typed parts (`ref`, such as `metadata`) stay typed.
   */
  readonly custom?: true;
  /** Of a whole resource: the schema as its definition states it, for documents. */
  readonly stated?: object;
  /** Unknown fields are kept (`x-kubernetes-preserve-unknown-fields`). */
  readonly preserveUnknownFields?: true;
  /** `x-kubernetes-embedded-resource`: apiVersion, kind and metadata are known whatever the schema says. */
  readonly embeddedResource?: true;
  /** The struct as a whole is owned by one manager (`x-kubernetes-map-type: atomic`). */
  readonly mapType?: 'atomic' | 'granular';
}

/** All types that belong together; `get` throws for a name that does not exist (a bug, not bad input). */
export interface SchemaSet {
  readonly names: readonly TypeName[];
  get(name: TypeName): StructType;
  has(name: TypeName): boolean;
}
