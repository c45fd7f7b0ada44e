import { assert } from '../../../libs/base/assert.ts';
import { stringify } from '../../../libs/machinery/codec/json.ts';
import { encodeYaml } from '../../../libs/machinery/codec/yaml.ts';
import type { CachedObject } from './cached-object.ts';
import type { Form } from './encoded.ts';
import { varint } from './frames.ts';
import { type ObjectWriter, partialMetadata } from './object-writer.ts';
import { objectsOf, type Slice } from './segments.ts';
import { tableOf } from './table.ts';

/** `metadata` of a list, in the order of the wire. */
export interface ListMetadata {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

const encoder = new TextEncoder();
const COMMA = 0x2c;
const BRACE = 0x7b;
const MAGIC = Uint8Array.of(0x6b, 0x38, 0x73, 0);
const ITEMS_FIELD = 0x12;
const JSON_TAIL = encoder.encode(']}');

/** Writes lists of one kind. Items come from segments, which keep them joined: see `Segment.joined`. */
export class ListWriter {
  readonly #writer: ObjectWriter;

  constructor(writer: ObjectWriter) {
    this.#writer = writer;
  }

  /** The list as a frozen value; its items are the cached objects themselves where the form lets them be. */
  value(objects: readonly CachedObject[], form: Form, metadata: ListMetadata): unknown {
    const writer = this.#writer;
    if (form.as === 'table') {
      const rows = objects.map((object) => writer.tableObject(object.object(), form));
      const { asVersion, includeObject, columns } = form;
      return tableOf(writer.tableKind(form), rows, {
        asVersion,
        includeObject: includeObject || 'Metadata',
        columns,
        nowMs: writer.nowMs,
        metadata: { ...metadata },
        documentation: writer.documentation,
      });
    }
    const items = objects.map((object) =>
      form.as === 'metadata'
        ? partialMetadata(object.object(), form.asVersion)
        : writer.shown(object.object(), form.apiVersion),
    );
    return Object.freeze({
      ...this.#typeOf(form),
      metadata: Object.freeze({ ...metadata }),
      // So upstream writes the empty list of this one type.
      items: form.as === 'metadata' && items.length === 0 ? null : Object.freeze(items),
    });
  }

  /** The list's bytes, piece by piece, each made when it is asked for (but for protobuf, where the length comes first). */
  *pieces(slices: readonly Slice[], form: Form, metadata: ListMetadata): Generator<Uint8Array, void, undefined> {
    if (form.as === 'table' || form.media === 'yaml') {
      const value = this.value(objectsOf(slices), form, metadata);
      yield encoder.encode(form.media === 'yaml' ? encodeYaml(value) : stringify(value));
    } else if (form.media === 'protobuf') {
      yield* this.#protobufPieces(slices, form, metadata);
    } else if (slices.length === 0 && form.as === 'metadata') {
      yield encoder.encode(stringify(this.value([], form, metadata)));
    } else {
      const { kind, apiVersion } = this.#typeOf(form);
      const head = JSON.stringify({ kind, apiVersion, metadata });
      yield encoder.encode(`${head.slice(0, -1)},"items":[`);
      // Each item has its comma before it; the first does without.
      let first = true;
      for (const slice of slices) {
        const items = this.#items(slice, form);
        yield first ? items.subarray(1) : items;
        first = false;
      }
      yield JSON_TAIL;
    }
  }

  /** The items of a segment, one behind the other: `,{…},{…}` in JSON, as repeated field 2 in protobuf. */
  join(objects: readonly CachedObject[], form: Form): Uint8Array {
    const items = objects.map((object) => object.bytes(form));
    return form.media === 'protobuf' ? joinProtobuf(items) : this.#joinJson(items, form);
  }

  #items({ segment, from, to }: Slice, form: Form): Uint8Array {
    const { objects } = segment;
    if (from === 0 && to === objects.length) return segment.joined(form, this);
    return this.join(objects.slice(from, to), form);
  }

  #joinJson(items: readonly Uint8Array[], form: Form): Uint8Array {
    const bare = form.as === 'object' && this.#writer.itemsAreBare;
    // What stands before the members that stay; the brace is written anew.
    const heads = items.map((item) => (bare ? this.#writer.headLength(item, form.apiVersion) : 0) || 1);
    let length = 0;
    for (let i = 0; i < items.length; i++) length += (items[i] as Uint8Array).length - (heads[i] as number) + 2;
    const out = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as Uint8Array;
      out[at++] = COMMA;
      out[at++] = BRACE;
      out.set(item.subarray(heads[i]), at);
      at += item.length - (heads[i] as number);
    }
    return out;
  }

  *#protobufPieces(
    slices: readonly Slice[],
    form: Form,
    metadata: ListMetadata,
  ): Generator<Uint8Array, void, undefined> {
    const items = slices.map((slice) => this.#items(slice, form));
    const listMeta = listMetaProtobuf(metadata);
    const rawLength = items.reduce((sum, piece) => sum + piece.length, listMeta.length);
    const { kind, apiVersion } = this.#typeOf(form);
    const typeMeta = [...textField(1, apiVersion), ...textField(2, kind)];
    yield Uint8Array.from([
      ...MAGIC,
      0x0a,
      ...varint(typeMeta.length),
      ...typeMeta,
      0x12,
      ...varint(rawLength),
      ...listMeta,
    ]);
    yield* items;
    // contentEncoding and contentType, both empty, are written all the same.
    yield Uint8Array.of(0x1a, 0, 0x22, 0);
  }

  #typeOf(form: Form): { kind: string; apiVersion: string } {
    if (form.as === 'metadata')
      return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.asVersion}` };
    return { kind: this.#writer.kind.listKind, apiVersion: form.apiVersion };
  }
}

function joinProtobuf(items: readonly Uint8Array[]): Uint8Array {
  const raws = items.map(rawOf);
  const heads = raws.map((raw) => [ITEMS_FIELD, ...varint(raw.length)]);
  const out = new Uint8Array(raws.reduce((sum, raw, i) => sum + raw.length + (heads[i] as number[]).length, 0));
  let at = 0;
  raws.forEach((raw, i) => {
    const head = heads[i] as number[];
    out.set(head, at);
    out.set(raw, at + head.length);
    at += head.length + raw.length;
  });
  return out;
}

/** The object's own message in `k8s\0` and the `runtime.Unknown` (field 2) around it. */
function rawOf(envelope: Uint8Array): Uint8Array {
  let at = MAGIC.length;
  while (at < envelope.length) {
    const field = envelope[at++] as number;
    let length = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = envelope[at++] as number;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (field === 0x12) return envelope.subarray(at, at + length);
    at += length;
  }
  return envelope.subarray(0, 0);
}

/** `ListMeta { selfLink = 1, resourceVersion = 2, continue = 3, remainingItemCount = 4 }` as field 1 of a list. */
function listMetaProtobuf(metadata: ListMetadata): number[] {
  const { resourceVersion, continue: token = '', remainingItemCount } = metadata;
  const fields = [...textField(1, ''), ...textField(2, resourceVersion), ...textField(3, token)];
  if (remainingItemCount !== undefined) fields.push(0x20, ...varint(remainingItemCount));
  return [0x0a, ...varint(fields.length), ...fields];
}

function textField(number: number, text: string): number[] {
  assert(number < 16, 'a field number of one byte');
  const bytes = encoder.encode(text);
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}
