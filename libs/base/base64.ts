const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Newer runtimes have it built in, many times as fast. */
interface WithBase64 {
  toBase64?(options?: { readonly alphabet: 'base64url'; readonly omitPadding: true }): string;
}

/** RFC 4648 with padding, as PEM, kubeconfigs and `data` of Secrets have it. Text is taken as UTF-8. */
export function encodeBase64(data: Uint8Array | string): string {
  const bytes = bytesOf(data);
  const builtin = bytes as unknown as WithBase64;
  if (builtin.toBase64) return builtin.toBase64();
  const text = encode(bytes, STANDARD);
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** RFC 4648's URL-safe alphabet without padding, as JWTs have it. Text is taken as UTF-8. */
export function encodeBase64Url(data: Uint8Array | string): string {
  const bytes = bytesOf(data);
  const builtin = bytes as unknown as WithBase64;
  if (builtin.toBase64) return builtin.toBase64({ alphabet: 'base64url', omitPadding: true });
  return encode(bytes, URL_SAFE);
}

const bytesOf = (data: Uint8Array | string) => (typeof data === 'string' ? new TextEncoder().encode(data) : data);

/** Undefined unless `text` is exactly what `encodeBase64` would write: no white space, no missing padding. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return decode(text, text.length - padding, STANDARD_VALUES);
}

/** Undefined unless `text` is exactly what `encodeBase64Url` would write. */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  return decode(text, text.length, URL_SAFE_VALUES);
}

function encode(data: Uint8Array, alphabet: string): string {
  let out = '';
  for (let at = 0; at < data.length; at += 3) {
    const left = data.length - at;
    const bits = (data[at]! << 16) | ((left > 1 ? data[at + 1]! : 0) << 8) | (left > 2 ? data[at + 2]! : 0);
    out += alphabet[bits >> 18]! + alphabet[(bits >> 12) & 63]!;
    if (left > 1) out += alphabet[(bits >> 6) & 63]!;
    if (left > 2) out += alphabet[bits & 63]!;
  }
  return out;
}

function decode(text: string, length: number, values: Int8Array): Uint8Array<ArrayBuffer> | undefined {
  if (length % 4 === 1) return undefined;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let held = 0;
  let to = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    const value = code < 128 ? values[code]! : -1;
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xfffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[to++] = (bits >> held) & 0xff;
  }
  // Left-over bits that are set would give two spellings to one value.
  return (bits & ((1 << held) - 1)) === 0 ? out : undefined;
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < 64; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

const STANDARD_VALUES = valuesOf(STANDARD);
const URL_SAFE_VALUES = valuesOf(URL_SAFE);
