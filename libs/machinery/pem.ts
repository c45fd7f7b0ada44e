/** The frame of PEM texts (RFC 7468) and of the DER within: what is there, not what it means. */
import { decodeBase64 } from '../base/base64.ts';

export interface PemBlock {
  /** `CERTIFICATE` */
  readonly type: string;
  readonly der: Uint8Array;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g;
const SEQUENCE = 0x30;

/** The blocks of a text in their order; what stands between them is passed over. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, type = '', body = '']) => ({
    type,
    der: decodeBase64(body.replace(/\s/g, '')) ?? new Uint8Array(),
  }));
}

/** Whether the bytes are one DER sequence and nothing more, as certificates and keys are. */
export function isDerSequence(der: Uint8Array): boolean {
  const [tag, first = 0] = der;
  if (tag !== SEQUENCE) return false;
  if (first < 0x80) return der.length === 2 + first;
  const octets = first & 0x7f;
  const length = der.subarray(2, 2 + octets).reduce((sum, byte) => sum * 256 + byte, 0);
  return der.length === 2 + octets + length;
}
