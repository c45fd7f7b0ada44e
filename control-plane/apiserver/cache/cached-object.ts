import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { Entry } from '../../store/store.ts';
import type { Encoded, Form } from './encoded.ts';
import { eventFrame } from './frames.ts';
import { memberSpan, withResourceVersion } from './json-scan.ts';
import type { ObjectWriter } from './object-writer.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** What an object was stored with, and where that stands: the parts of an `Entry` that the cache keeps. */
export type Stored = Pick<Entry, 'key' | 'value' | 'revision' | 'createRevision' | 'companion'>;

/**
 * `Encoded` in the memory of one process.
 *
 * What is parsed or made from the bytes is kept in two ways. While an object is news (`relax` has not been called: its
 * event is still in the ring), the parsed object is held, because the watchers of this process are about to ask for it.
 * Later it is held weakly: whoever uses it keeps it, and a cluster full of objects that nobody looks at costs their
 * bytes alone. One that nobody has asked for at all is let go of sooner (`settle`): where every client is another
 * process, parsed objects would only grow old.
 */
export class CachedObject implements Encoded {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly namespace: string;
  readonly name: string;
  readonly #writer: ObjectWriter;
  /** As the kind would store it today; what lies in the store may be older. */
  readonly #stored: Uint8Array;
  /** What lies in the store, where that is something else. */
  readonly #raw: Uint8Array | undefined;
  #object: DeepReadonly<ApiObject> | undefined;
  #weakObject: WeakRef<DeepReadonly<ApiObject>> | undefined;
  /** Somebody has the object. */
  #isUsed = false;
  #uid: string | undefined;
  #labels: Readonly<Record<string, string>> | undefined;
  #fields: Map<string, string> | undefined;
  #forms: Map<Form, Uint8Array> | undefined;
  #frames: Map<Form, Partial<Record<ChangeType, Uint8Array>>> | undefined;

  constructor(writer: ObjectWriter, stored: Stored, namespace: string, name: string) {
    this.#writer = writer;
    this.key = stored.key;
    this.revision = stored.revision;
    this.createRevision = stored.createRevision;
    this.namespace = namespace;
    this.name = name;
    this.#stored = stored.companion === undefined ? writer.upgraded(stored.value) : stored.value;
    this.#raw = this.#stored === stored.value ? undefined : stored.value;
    if (stored.companion !== undefined) this.#object = stored.companion as DeepReadonly<ApiObject>;
  }

  /** Bytes that the store holds for the object. */
  get storedBytes(): number {
    return this.#stored.length;
  }

  object(): DeepReadonly<ApiObject> {
    this.#isUsed = true;
    const known = this.#known();
    if (known) return known;
    const object = this.#writer.parse(this.#stored);
    this.#weakObject = new WeakRef(object);
    return object;
  }

  get uid(): string {
    this.#uid ??= this.#known()?.metadata?.uid ?? (this.#metadataMember('uid') as string | undefined) ?? '';
    return this.#uid;
  }

  get labels(): Readonly<Record<string, string>> {
    if (this.#labels) return this.#labels;
    const known = this.#known();
    const labels = (known ? known.metadata?.labels : this.#metadataMember('labels')) as
      | Record<string, string>
      | undefined;
    this.#labels = labels ? Object.freeze(labels) : NO_LABELS;
    return this.#labels;
  }

  field(label: string): string | undefined {
    if (label === 'metadata.name') return this.name;
    if (label === 'metadata.namespace') return this.namespace;
    const { selectableFields } = this.#writer.kind;
    const read = Object.hasOwn(selectableFields, label) ? selectableFields[label] : undefined;
    if (!read) return undefined;
    let value = this.#fields?.get(label);
    if (value === undefined) {
      value = read(this.object());
      this.#fields ??= new Map();
      this.#fields.set(label, value);
    }
    return value;
  }

  knowsField(label: string): boolean {
    return this.#fields?.has(label) ?? false;
  }

  isIn(apiVersion: string): boolean {
    return this.#writer.headLength(this.#stored, apiVersion) > 0;
  }

  value(form: Form): unknown {
    return this.#writer.value(this.object(), form);
  }

  bytes(form: Form): Uint8Array {
    if (this.#writer.isStored(form) && this.#writer.headLength(this.#stored) > 0) return this.#stored;
    const known = this.#forms?.get(form);
    if (known) return known;
    const bytes = this.#metadataBytes(form) ?? this.#writer.bytes(this.value(form), form);
    // A table's cells age; YAML is for people, who ask once.
    if (form.as !== 'table' && form.media !== 'yaml') {
      this.#forms ??= new Map();
      this.#forms.set(form, bytes);
    }
    return bytes;
  }

  frame(form: Form, type: ChangeType): Uint8Array {
    const known = this.#frames?.get(form)?.[type];
    if (known) return known;
    const frame = this.frameOnce(form, type);
    if (form.as !== 'table') {
      this.#frames ??= new Map();
      this.#frames.set(form, { ...this.#frames.get(form), [type]: frame });
    }
    return frame;
  }

  /** `frame` for one reader: the first state of a watch, which others hardly share. Not kept. */
  frameOnce(form: Form, type: ChangeType): Uint8Array {
    return eventFrame(form.media, type, this.bytes(form));
  }

  /** The same object as its deletion at `revision` shows it. */
  deletedAt(revision: number): CachedObject {
    const value = withResourceVersion(this.#stored, revision);
    const { key, createRevision, namespace, name } = this;
    // Where it is at hand, who is told of the deletion need not parse the object again.
    const known = this.#known();
    const companion = known && withRevision(known, revision);
    return new CachedObject(this.#writer, { key, value, revision, createRevision, companion }, namespace, name);
  }

  /** The same bytes under another writer: the kind has changed. */
  under(writer: ObjectWriter, namespace: string, name: string): CachedObject {
    return new CachedObject(writer, this.entry(), namespace, name);
  }

  /** The same handle with an object that was made of its own: in today's storage version, which the bytes are not. */
  holding(object: DeepReadonly<ApiObject>): CachedObject {
    return new CachedObject(this.#writer, { ...this.entry(), companion: object }, this.namespace, this.name);
  }

  /** What the store holds, without the parsed object. */
  entry(): Entry {
    const { key, revision, createRevision } = this;
    return { key, revision, createRevision, value: this.#raw ?? this.#stored };
  }

  /** Lets go of the object unless somebody has it. */
  settle(): void {
    if (!this.#isUsed) this.#object = undefined;
  }

  /** The object is no longer news: lets go of what can be made again. */
  relax(): void {
    this.#frames = undefined;
    if (!this.#object) return;
    this.#weakObject = new WeakRef(this.#object);
    this.#object = undefined;
  }

  #known(): DeepReadonly<ApiObject> | undefined {
    return this.#object ?? this.#weakObject?.deref();
  }

  /** Reads one member of the metadata from the bytes, where that is cheaper than parsing the whole. */
  #metadataMember(name: string): unknown {
    const metadata = memberSpan(this.#stored, 0, 'metadata');
    const span = metadata && memberSpan(this.#stored, metadata.start, name);
    return span && JSON.parse(decoder.decode(this.#stored.subarray(span.start, span.end)));
  }

  /** Metadata alone in JSON is a part of the stored bytes, whatever the version: no version changes metadata. */
  #metadataBytes(form: Form): Uint8Array | undefined {
    if (form.as !== 'metadata' || form.media !== 'json') return undefined;
    const span = memberSpan(this.#stored, 0, 'metadata');
    if (!span) return undefined;
    const head = encoder.encode(
      `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${form.asVersion}","metadata":`,
    );
    const out = new Uint8Array(head.length + span.end - span.start + 1);
    out.set(head);
    out.set(this.#stored.subarray(span.start, span.end), head.length);
    out[out.length - 1] = 0x7d;
    return out;
  }
}

/** The frozen object with another revision, sharing all else. */
function withRevision(object: DeepReadonly<ApiObject>, revision: number): DeepReadonly<ApiObject> {
  const metadata = Object.freeze({ ...object.metadata, resourceVersion: String(revision) });
  return Object.freeze({ ...object, metadata });
}
