import * as dnsPacket from 'dns-packet';
import type { DnsRecord } from './answer.ts';

/** The largest message over UDP for who does not say more (RFC 1035), and for who does (RFC 9715). */
const UDP_BYTES_MIN = 512;
const UDP_BYTES_MAX = 1232;
const HEADER_BYTES = 12;
const TYPE_SOA = 6;
const TYPE_OPT = 41;

export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
export type Rcode = keyof typeof RCODES;

export interface DnsQuery {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly name: string;
  readonly type: string;
  readonly class: string;
  /** The question as it came: name, type, class. */
  readonly question: Uint8Array;
  /** Only where the client speaks EDNS(0). */
  readonly edns?: { readonly udpBytesMax: number; readonly dnssecOk: boolean };
}

/** What a resolver's message looks like where it cannot be read: enough to send an error back. */
export interface UnreadableQuery {
  readonly id: number;
  readonly unreadable: true;
}

/** Reads a query. Undefined: nothing that could be answered (too short, or a response). */
export function readQuery(bytes: Uint8Array): DnsQuery | UnreadableQuery | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const message = asBuffer(bytes);
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if (flags & 0x8000) return undefined;
  const opcode = (flags >> 11) & 15;
  const end = questionEnd(bytes);
  if (end === undefined || message.readUInt16BE(4) !== 1) return { id, unreadable: true };
  try {
    const decoded = dnsPacket.decode(message);
    const asked = decoded.questions?.[0];
    if (!asked) return { id, unreadable: true };
    const opt = decoded.additionals?.find((record) => record.type === 'OPT');
    return {
      id,
      opcode,
      recursionDesired: (flags & dnsPacket.RECURSION_DESIRED) !== 0,
      checkingDisabled: (flags & dnsPacket.CHECKING_DISABLED) !== 0,
      name: asked.name === '.' ? '' : asked.name,
      type: asked.type,
      class: asked.class ?? 'IN',
      question: copyOf(bytes.subarray(HEADER_BYTES, end)),
      ...(opt?.type === 'OPT' ? { edns: { udpBytesMax: opt.udpPayloadSize, dnssecOk: opt.flag_do } } : {}),
    };
  } catch {
    return { id, unreadable: true };
  }
}

/** How many bytes an answer to this query may have over UDP. */
export function udpBytesMaxOf(query: DnsQuery): number {
  return Math.max(UDP_BYTES_MIN, Math.min(UDP_BYTES_MAX, query.edns?.udpBytesMax ?? 0));
}

export interface DnsResponse {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/**
 * Writes an answer of at most `bytesMax` bytes: without its additional records where they do not fit, else with as many
 * answers as fit and the mark that there are more, upon which resolvers ask again over TCP.
 */
export function writeResponse(query: DnsQuery, response: DnsResponse, bytesMax: number): Uint8Array {
  const whole = encode(query, response, false);
  if (whole.length <= bytesMax) return whole;
  const bare = encode(query, { ...response, additionals: [] }, false);
  if (bare.length <= bytesMax) return bare;
  let [low, high] = [0, response.answers?.length ?? 0];
  const cut = (count: number): Uint8Array =>
    encode(
      query,
      { ...response, answers: response.answers?.slice(0, count) ?? [], authorities: [], additionals: [] },
      true,
    );
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (cut(middle).length <= bytesMax) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}

function encode(query: DnsQuery, response: DnsResponse, truncated: boolean): Uint8Array {
  const flags =
    (query.opcode << 11) |
    (response.authoritative ? dnsPacket.AUTHORITATIVE_ANSWER : 0) |
    (truncated ? dnsPacket.TRUNCATED_RESPONSE : 0) |
    (query.recursionDesired ? dnsPacket.RECURSION_DESIRED : 0) |
    (query.checkingDisabled ? dnsPacket.CHECKING_DISABLED : 0) |
    dnsPacket.RECURSION_AVAILABLE |
    RCODES[response.rcode];
  const opt = { type: 'OPT', name: '.', udpPayloadSize: UDP_BYTES_MAX, flags: 0, options: [] };
  return dnsPacket.encode({
    type: 'response',
    id: query.id,
    flags,
    questions: [{ name: query.name, type: query.type, class: query.class } as dnsPacket.Question],
    answers: [...(response.answers ?? [])] as dnsPacket.Answer[],
    authorities: [...(response.authorities ?? [])] as dnsPacket.Answer[],
    additionals: [...(response.additionals ?? []), ...(query.edns ? [opt] : [])] as dnsPacket.Answer[],
  });
}

/** Header alone: what can be said about a message that could not be read. */
export function writeError(id: number, rcode: Rcode): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  new DataView(out.buffer).setUint16(0, id);
  new DataView(out.buffer).setUint16(2, 0x8000 | RCODES[rcode]);
  return out;
}

/** The same question for another server, under another id. */
export function writeForward(query: DnsQuery, id: number): Uint8Array {
  const flags = 0x0100 | (query.checkingDisabled ? 0x0010 : 0);
  const opt = query.edns ? [0, 0, TYPE_OPT, UDP_BYTES_MAX >> 8, UDP_BYTES_MAX & 255, 0, 0] : [];
  if (query.edns) opt.push(query.edns.dnssecOk ? 0x80 : 0, 0, 0, 0);
  const header = [id >> 8, id & 255, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, query.edns ? 1 : 0];
  return Uint8Array.from([...header, ...query.question, ...opt]);
}

/** An answer of another server, as raw bytes: what is unknown here goes through unharmed. */
export interface ForeignAnswer {
  readonly bytes: Uint8Array;
  readonly rcode: number;
  readonly truncated: boolean;
  /** Where each TTL stands. */
  readonly ttlOffsets: readonly number[];
  /** The least TTL of its records, in seconds; undefined where it has none. */
  readonly ttlSecondsMin: number | undefined;
}

/** Reads another server's answer to `query` under `id`; undefined where it is not that. */
export function readForeign(bytes: Uint8Array, query: DnsQuery, id: number): ForeignAnswer | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || !(flags & 0x8000) || view.getUint16(4) !== 1) return undefined;
  const end = questionEnd(bytes);
  if (end === undefined || !sameQuestion(bytes.subarray(HEADER_BYTES, end), query.question)) return undefined;
  const ttlOffsets: number[] = [];
  let ttlSecondsMin: number | undefined;
  let at = end;
  const answers = view.getUint16(6);
  const count = answers + view.getUint16(8) + view.getUint16(10);
  for (let i = 0; i < count; i++) {
    const fixed = nameEnd(bytes, at);
    if (fixed === undefined || fixed + 10 > bytes.length) return undefined;
    if (view.getUint16(fixed) !== TYPE_OPT) {
      ttlOffsets.push(fixed + 4);
      ttlSecondsMin = Math.min(ttlSecondsMin ?? Number.POSITIVE_INFINITY, view.getUint32(fixed + 4));
    }
    at = fixed + 10 + view.getUint16(fixed + 8);
    if (at > bytes.length) return undefined;
    // How long nothing stays nothing the zone says in the last field of its SOA (RFC 2308).
    if (answers === 0 && view.getUint16(fixed) === TYPE_SOA && at - fixed >= 14)
      ttlSecondsMin = Math.min(ttlSecondsMin ?? Number.POSITIVE_INFINITY, view.getUint32(at - 4));
  }
  return { bytes: copyOf(bytes), rcode: flags & 15, truncated: (flags & 0x0200) !== 0, ttlOffsets, ttlSecondsMin };
}

/** The other server's answer as the answer to this query, `ageSeconds` later; cut to its question where it is too long. */
export function relay(foreign: ForeignAnswer, query: DnsQuery, ageSeconds: number, bytesMax: number): Uint8Array {
  const fits = foreign.bytes.length <= bytesMax;
  const out = copyOf(foreign.bytes.subarray(0, fits ? undefined : HEADER_BYTES + query.question.length));
  const view = new DataView(out.buffer);
  view.setUint16(0, query.id);
  // The asker's own spelling: some resolvers mix cases at random and look for it in the answer.
  out.set(query.question, HEADER_BYTES);
  if (!fits) {
    view.setUint16(2, view.getUint16(2) | 0x0200);
    for (const offset of [6, 8, 10]) view.setUint16(offset, 0);
    return out;
  }
  if (ageSeconds > 0) {
    for (const offset of foreign.ttlOffsets) {
      view.setUint32(offset, Math.max(0, view.getUint32(offset) - ageSeconds));
    }
  }
  return out;
}

/** The answers of another server as records, to stand behind a CNAME of ours. */
export function answersOf(foreign: ForeignAnswer): readonly DnsRecord[] {
  return (dnsPacket.decode(asBuffer(foreign.bytes)).answers ?? []) as unknown as readonly DnsRecord[];
}

/** The wire form of a question in class IN. */
export function questionBytes(name: string, type: string): Uint8Array {
  const message = dnsPacket.encode({ type: 'query', questions: [{ name, type: type as dnsPacket.RecordType }] });
  return Uint8Array.from(message.subarray(HEADER_BYTES));
}

function questionEnd(bytes: Uint8Array): number | undefined {
  const end = nameEnd(bytes, HEADER_BYTES, false);
  return end === undefined || end + 4 > bytes.length ? undefined : end + 4;
}

/** Where the name that begins at `at` ends in place: behind its last label, or behind a pointer. */
function nameEnd(bytes: Uint8Array, at: number, pointers = true): number | undefined {
  for (let next = at; next < bytes.length; ) {
    const length = bytes[next]!;
    if (length === 0) return next + 1;
    if (length >= 0xc0) return pointers ? next + 2 : undefined;
    if (length > 63) return undefined;
    next += length + 1;
  }
  return undefined;
}

function sameQuestion(a: Uint8Array, b: Uint8Array): boolean {
  const lower = (byte: number): number => (byte >= 65 && byte <= 90 ? byte + 32 : byte);
  return a.length === b.length && a.every((byte, index) => lower(byte) === lower(b[index]!));
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** Never `slice`: on the buffers that sockets give, that is the same memory. */
const copyOf = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);
