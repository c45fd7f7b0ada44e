import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';

/**
 * One version of one stored object, as the cache keeps it: **the bytes are the object**. They come from the store, are
 * written out as they are, and are parsed only when somebody looks inside. A handle never changes; the next write of
 * the object makes the next handle. The bytes themselves are not a property, so that they may later lie in memory shared
 * between threads.
 *
 *     GET       response.write(encoded.bytes(form))                     no JSON is parsed or made
 *     watch     one frame for each (form, event type), shared by all watchers
 *     selector  encoded.labels, encoded.field(…): parsed once, at the first question
 */
export interface Encoded {
  /** The store's key. */
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly namespace: string;
  readonly name: string;
  /**
   * The parsed object of the storage version (where a webhook converts: of the version that it was stored in), deeply
   * frozen; the same reference as long as anybody holds it.
   */
  object(): DeepReadonly<ApiObject>;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The selectable field's value, `''` where the object does not have it; undefined for a label that the kind does not know. */
  field(label: string): string | undefined;
  /** Whether `field` has been asked for it already: then it answers without looking at the object. */
  knowsField(label: string): boolean;
  /** Whether the object lies there in that version. */
  isIn(apiVersion: string): boolean;
  /** The object in `form`: made at the first call, then kept as long as the handle lives (tables and YAML are not kept). */
  bytes(form: Form): Uint8Array;
  /** What `bytes(form)` says, as a frozen value: `object()` itself where the form is the whole object as it is stored. */
  value(form: Form): unknown;
  /** The event `type` about the object, framed for `form`. For `DELETED` the revision inside is that of the deletion. */
  frame(form: Form, type: 'ADDED' | 'MODIFIED' | 'DELETED'): Uint8Array;
}

/**
 * One way to write an object: which version, in which media type, as what. Forms are interned (`Forms`), so that they can
 * be compared and used as keys by reference.
 */
export interface Form {
  /** Of the object, also where only its metadata or a table of it is written: `v1`, `events.k8s.io/v1`. */
  readonly apiVersion: string;
  readonly media: 'json' | 'yaml' | 'protobuf';
  /** The whole object, its metadata alone (`PartialObjectMetadata`), or a table of one row. */
  readonly as: 'object' | 'metadata' | 'table';
  /** The version of `meta.k8s.io` for metadata and tables. */
  readonly asVersion: 'v1' | 'v1beta1';
  /** Tables: what each row carries of its object (`includeObject`). Empty otherwise. */
  readonly includeObject: '' | 'None' | 'Metadata' | 'Object';
  /** Tables: with the definitions of their columns. In a watch only the first event has them. */
  readonly columns: boolean;
}
