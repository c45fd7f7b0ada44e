import { decodeBase64, encodeBase64 } from '../base64.ts';

/** RFC 7468: lines of 64, a line feed at the end. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array<ArrayBuffer>;
}

/** Every well-formed block in `text`, in order; what stands around the blocks is passed over. */
export function decodePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  const form = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/g;
  for (const [, label = '', body = ''] of text.matchAll(form)) {
    const der = decodeBase64(body.replace(/\s+/g, ''));
    if (der !== undefined && der.length > 0) blocks.push({ label, der });
  }
  return blocks;
}
