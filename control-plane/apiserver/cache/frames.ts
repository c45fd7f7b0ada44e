import { stringify } from '../../../libs/machinery/codec/json.ts';
import { encodeProtobuf } from '../../../libs/machinery/codec/protobuf/protobuf.ts';
import type { SchemaSet, TypeName } from '../../../libs/machinery/schema/ir.ts';
import type { WatchFrame } from '../api.ts';
import type { CachedObject, ChangeType } from './cached-object.ts';
import type { Form } from './encoded.ts';
import type { CacheEvent } from './event-ring.ts';

type EventType = WatchFrame['type'];

const encoder = new TextEncoder();
const JSON_HEADS = Object.freeze(
  Object.fromEntries(
    (['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const).map((type) => [
      type,
      encoder.encode(`{"type":"${type}","object":`),
    ]),
  ) as Record<EventType, Uint8Array>,
);
const JSON_TAIL = encoder.encode('}\n');

/** A watch event as it goes over the wire: a line of JSON, or a length (4 bytes, big-endian) and a `WatchEvent` in protobuf. */
export function eventFrame(media: Form['media'], type: EventType, object: Uint8Array): Uint8Array {
  return media === 'protobuf' ? protobufFrame(type, object) : jsonFrame(type, object);
}

function jsonFrame(type: EventType, object: Uint8Array): Uint8Array {
  const head = JSON_HEADS[type];
  const out = new Uint8Array(head.length + object.length + JSON_TAIL.length);
  out.set(head);
  out.set(object, head.length);
  out.set(JSON_TAIL, head.length + object.length);
  return out;
}

/** `WatchEvent { type = 1; object = 2 { raw = 1 } }`, behind its length. */
function protobufFrame(type: EventType, object: Uint8Array): Uint8Array {
  const rawHead = [0x0a, ...varint(object.length)];
  const head = [
    0x0a,
    type.length,
    ...encoder.encode(type),
    0x12,
    ...varint(rawHead.length + object.length),
    ...rawHead,
  ];
  const length = head.length + object.length;
  const out = new Uint8Array(4 + length);
  new DataView(out.buffer).setUint32(0, length);
  out.set(head, 4);
  out.set(object, 4 + head.length);
  return out;
}

export function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  bytes.push(value);
  return bytes;
}

/** The event `type` about an object in one form, shared by every watcher of the form. */
export class ObjectFrame implements WatchFrame {
  readonly type: ChangeType;
  readonly form: Form;
  readonly object: CachedObject;
  /** What has happened; undefined for what was there when the watch began. */
  readonly event: CacheEvent | undefined;
  readonly #once: boolean;

  /** Without an event it is for one watcher alone, and its bytes are not kept. */
  constructor(object: CachedObject, form: Form, type: ChangeType, event: CacheEvent | undefined) {
    this.object = object;
    this.event = event;
    this.form = form;
    this.type = type;
    this.#once = event === undefined;
  }

  bytes(): Uint8Array {
    return this.#once ? this.object.frameOnce(this.form, this.type) : this.object.frame(this.form, this.type);
  }

  value(): unknown {
    return this.object.value(this.form);
  }
}

/** An event about something that is no cached object: a bookmark, an error. */
export class ValueFrame implements WatchFrame {
  readonly type: 'BOOKMARK' | 'ERROR';
  readonly #form: Form;
  readonly #value: unknown;
  readonly #protobuf: { readonly schema: SchemaSet; readonly type: TypeName };
  #bytes: Uint8Array | undefined;

  /** `protobuf`: the value's type, for that form. */
  constructor(
    type: 'BOOKMARK' | 'ERROR',
    form: Form,
    value: unknown,
    protobuf: { readonly schema: SchemaSet; readonly type: TypeName },
  ) {
    this.type = type;
    this.#form = form;
    this.#value = value;
    this.#protobuf = protobuf;
  }

  bytes(): Uint8Array {
    this.#bytes ??= eventFrame(this.#form.media, this.type, this.#object());
    return this.#bytes;
  }

  value(): unknown {
    return this.#value;
  }

  #object(): Uint8Array {
    const { schema, type } = this.#protobuf;
    if (this.#form.media === 'protobuf') return encodeProtobuf(schema, type, this.#value as object);
    return encoder.encode(stringify(this.#value));
  }
}
