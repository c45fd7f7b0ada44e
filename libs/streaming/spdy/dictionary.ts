/**
 * The dictionary that SPDY/3 and 3.1 prime header compression with: a constant of the protocol (SPDY Protocol draft 3,
 * section 2.6.10.1). Names and a few values stand with their 32-bit length before them, the rest is bare text. Both ends
 * must have it to the byte; its Adler-32 checksum is 0xe3c6a7c2.
 */
const PREFIXED =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
  'authorization cache-control connection content-base content-encoding content-language content-length ' +
  'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
  'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
  'user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie ' +
  'keep-alive origin';

const CODES =
  '100 101 201 202 205 206 300 302 303 304 305 306 307 402 405 406 407 408 409 410 411 412 413 414 415 416 417 502 504 505';

const STATUS_LINES = [
  '203 Non-Authoritative Information',
  '204 No Content',
  '301 Moved Permanently',
  '400 Bad Request',
  '401 Unauthorized',
  '403 Forbidden',
  '404 Not Found',
  '500 Internal Server Error',
  ['501 Not', 'Implemented'].join(' '),
  '503 Service Unavailable',
];

const REST =
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,' +
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

export const SPDY_DICTIONARY: Uint8Array = build();

function build(): Uint8Array {
  const bytes: number[] = [];
  const put = (text: string) => {
    for (let i = 0; i < text.length; i++) bytes.push(text.charCodeAt(i));
  };
  for (const word of PREFIXED.split(' ')) {
    bytes.push(0, 0, 0, word.length);
    put(word.replace('_', ' '));
  }
  put(CODES.replaceAll(' ', ''));
  put(STATUS_LINES.join(''));
  put(REST);
  return Uint8Array.from(bytes);
}

/** RFC 1950's checksum; `FDICT` names a dictionary by it. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}
