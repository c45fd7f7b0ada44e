import { decodeBase64 } from '../../../libs/base/base64.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g;

/** What is wrong with a bundle of authorities, in base64; undefined where nothing is, or where there is none. */
export function caBundleProblem(bundle: string | undefined): string | undefined {
  if (!bundle) return undefined;
  const text = new TextDecoder('latin1').decode(decodeBase64(bundle));
  const blocks = [...text.matchAll(BLOCK)];
  const why = (problem: string) => `unable to load root certificates: ${problem}`;
  if (blocks.length === 0) return why('unable to parse bytes as PEM block');
  const certificates = blocks.flatMap(([, type, body = '']) => (type === 'CERTIFICATE' ? [body] : []));
  if (certificates.length === 0) return why('no valid certificate authority data seen');
  return certificates.some(isSequence) ? undefined : why('failed to parse certificate: x509: malformed certificate');
}

/** Whether a block holds one DER sequence, as certificates are. */
function isSequence(body: string): boolean {
  const der = decodeBase64(body.replace(/\s/g, '')) ?? new Uint8Array();
  const [tag, first = 0] = der;
  if (tag !== 0x30) return false;
  if (first < 0x80) return der.length === 2 + first;
  const octets = first & 0x7f;
  const length = der.subarray(2, 2 + octets).reduce((sum, byte) => sum * 256 + byte, 0);
  return der.length === 2 + octets + length;
}
