import { decodeBase64 } from '../../../libs/base/base64.ts';
import { isDerSequence, pemBlocks } from '../../../libs/machinery/pem.ts';

/** What is wrong with a bundle of authorities, in base64; undefined where nothing is, or where there is none. */
export function caBundleProblem(bundle: string | undefined): string | undefined {
  if (!bundle) return undefined;
  const blocks = pemBlocks(new TextDecoder('latin1').decode(decodeBase64(bundle)));
  const why = (problem: string) => `unable to load root certificates: ${problem}`;
  if (blocks.length === 0) return why('unable to parse bytes as PEM block');
  const certificates = blocks.filter(({ type }) => type === 'CERTIFICATE');
  if (certificates.length === 0) return why('no valid certificate authority data seen');
  if (certificates.some(({ der }) => isDerSequence(der))) return undefined;
  return why('failed to parse certificate: x509: malformed certificate');
}
