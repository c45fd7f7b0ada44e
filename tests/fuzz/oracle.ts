/** What must hold of every answer, whatever was asked, and of what a server holds after many questions. */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { builtinTypeOf } from '../../api/schema/builtin.ts';
import type { ApiResponse, WatchFrame } from '../../control-plane/apiserver/api.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import type { ApiObject, DeepReadonly } from '../../libs/kind/object.ts';
import { decodeProtobuf } from '../../libs/machinery/codec/protobuf/protobuf.ts';
import { yamlToJson } from '../../libs/machinery/codec/yaml.ts';

/** Upstream answers these with 500 too: what its clients are told of is part of the API. */
const UPSTREAMS_OWN_500 = [
  /strconv\.ParseUint/,
  /^failed to create typed patch object/,
  /^failed to create typed live object/,
  /failed to create RequestInfo: /,
  /^Internal error occurred: the spec replicas field ".*" does not exist$/,
  /^duplicate nodePort:/,
  /^failed to allocate /,
  // Bindings tell of what is wrong in them so.
  /^\[?(?:target|metadata)\./,
  /^map: .*does not contain declared merge key/,
  /unknown patch type: /,
  /^list element types are not identical: /,
  /^unable to find api field in struct /,
  /merg(?:e|ing) lists (?:without merge key|cannot yet be specified)/,
];

type Stored = ApiObject & { readonly metadata: Required<ApiObject>['metadata'] };

/** What is wrong with an answer; undefined: nothing. */
export function problemOf(response: ApiResponse): string | undefined {
  const { code, body } = response;
  if (!Number.isInteger(code) || code < 200 || code > 599) return `the code is ${code}`;
  if (body.form !== 'whole') return code >= 500 && code !== 503 ? `${code} with a ${body.form} body` : undefined;
  const value = body.value();
  if (code >= 500 && code !== 501 && code !== 503 && code !== 504) {
    const message = String((value as { message?: unknown })?.message ?? value);
    if (code !== 500 || !UPSTREAMS_OWN_500.some((known) => known.test(message)))
      return `${code}: ${message.slice(0, 500)}`;
  }
  if (code >= 400 && body.contentType.startsWith('application/json')) {
    const status = value as { kind?: unknown; code?: unknown; status?: unknown };
    if (status?.kind !== 'Status' || status.code !== code || status.status !== 'Failure') {
      return `${code} comes with ${JSON.stringify(status).slice(0, 300)}`;
    }
  }
  for (const text of response.warnings) if (text === '') return 'an empty warning';
  return undefined;
}

/** Whether the bytes of an answer say what its value says. */
export function bytesProblemOf(server: ApiServer, { body }: ApiResponse): string | undefined {
  if (body.form !== 'whole') return undefined;
  const bytes = Buffer.concat([...body.bytes()]);
  const value = body.value();
  let said: unknown;
  try {
    if (body.contentType.startsWith('application/json')) said = JSON.parse(bytes.toString());
    else if (body.contentType === 'application/yaml') said = JSON.parse(Buffer.from(yamlToJson(bytes).json).toString());
    else if (body.contentType === 'application/vnd.kubernetes.protobuf') {
      // What `/api` and `/apis` tell of the core group names no version.
      said = decodeProtobuf(server.schema, builtinTypeOf, bytes, { apiVersion: 'v1', kind: '' }).object;
    } else return undefined;
  } catch (error) {
    return `the answer cannot be read: ${error instanceof Error ? error.message : error}: ${bytes.toString('latin1').slice(0, 300)}`;
  }
  if (body.contentType !== 'application/json') return undefined;
  const meant = untypedItems(plain(value));
  said = untypedItems(said);
  return isDeepStrictEqual(said, meant) ? undefined : `bytes and value differ: ${firstDifference(said, meant)}`;
}

/** In the same process a list has the cache's own objects, which say their kinds; on the wire the list says it. */
function untypedItems(value: unknown): unknown {
  const { items } = (value ?? {}) as { items?: unknown };
  if (!Array.isArray(items)) return value;
  const untyped = items.map((item) =>
    typeof item === 'object' && item !== null ? { ...item, kind: undefined, apiVersion: undefined } : item,
  );
  return { ...(value as object), items: untyped };
}

/** A watch's frames must be what they say. */
export function frameProblemOf(frame: WatchFrame): string | undefined {
  const bytes = Buffer.from(frame.bytes());
  if (bytes[0] !== 0x7b) return undefined;
  try {
    const event = JSON.parse(bytes.toString()) as { type?: string; object?: unknown };
    if (event.type !== frame.type || typeof event.object !== 'object')
      return `a frame says ${bytes.toString().slice(0, 200)}`;
  } catch {
    return `a frame cannot be read: ${bytes.toString('latin1').slice(0, 200)}`;
  }
  return undefined;
}

/** Everything that is stored can be read in every form, carries what every object carries, and none is from the future. */
export async function checkStored(server: ApiServer): Promise<void> {
  const { caches, kinds, store } = server.engine;
  const head = await store.currentRevision();
  for (const kind of kinds.kinds) {
    if (kind.virtual) continue;
    const uids = new Set<string>();
    for (const encoded of caches.resource(kind).all()) {
      const where = `${kind.resource} ${encoded.key}`;
      const object = encoded.object() as DeepReadonly<Stored>;
      const { uid, name, creationTimestamp, resourceVersion } = object.metadata;
      assert.ok(uid && name && creationTimestamp, `${where} lacks metadata`);
      assert.ok(!uids.has(uid), `${where}: two objects of one uid`);
      uids.add(uid);
      assert.equal(resourceVersion, String(encoded.revision), where);
      assert.ok(encoded.revision <= head && encoded.createRevision <= encoded.revision, `${where}: revisions`);
      for (const served of kind.versions) {
        const group = served.group ?? kind.group;
        if (!kinds.find(group, served.version, kind.resource)) continue;
        const apiVersion = group === '' ? served.version : `${group}/${served.version}`;
        const form = { apiVersion, as: 'object', asVersion: 'v1', includeObject: '', columns: false } as const;
        const json = encoded.bytes(caches.forms.get({ ...form, media: 'json' }));
        const value = JSON.parse(Buffer.from(json).toString());
        assert.equal(value.apiVersion, apiVersion, where);
        if (server.schema.has(served.type)) {
          const protobuf = encoded.bytes(caches.forms.get({ ...form, media: 'protobuf' }));
          const { object: decoded } = decodeProtobuf(server.schema, builtinTypeOf, protobuf);
          const seen = JSON.parse(JSON.stringify(plain(decoded)));
          assert.ok(isDeepStrictEqual(seen, value), `${where} differs in protobuf: ${firstDifference(seen, value)}`);
        }
        encoded.bytes(caches.forms.get({ ...form, media: 'json', as: 'table', columns: true }));
      }
    }
  }
}

/** JSON has no bigint: what is one becomes the number that a reader of the text gets. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    Object.defineProperty(out, key, { value: plain(member), enumerable: true, writable: true, configurable: true });
  }
  return out;
}

function firstDifference(a: unknown, b: unknown, at = ''): string {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return `${at || '.'}: ${JSON.stringify(a)?.slice(0, 100)} and ${JSON.stringify(b)?.slice(0, 100)}`;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [left, right] = [(a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]];
    if (!isDeepStrictEqual(left, right)) return firstDifference(left, right, `${at}.${key}`);
  }
  return `${at}: order or prototype`;
}
