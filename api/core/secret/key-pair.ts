/** A certificate and its key as PEM: whether they can be a pair at all. What they mean is looked at by whoever uses them. */
import { isDerSequence, pemBlocks } from '../../../libs/machinery/pem.ts';

const CERTIFICATE = 'CERTIFICATE';
const KEY = 'PRIVATE KEY';
const isKey = (type: string): boolean => type === KEY || type.endsWith(` ${KEY}`);

/** What is wrong with the pair, in the words that clients know; undefined where nothing is seen. */
export function keyPairProblem(certificate: string, key: string): string | undefined {
  return certificateProblem(certificate) ?? keyProblem(key);
}

function certificateProblem(text: string): string | undefined {
  const blocks = pemBlocks(text);
  const found = blocks.find(({ type }) => type === CERTIFICATE);
  if (found) return isDerSequence(found.der) ? undefined : 'x509: malformed certificate';
  const others = blocks.map(({ type }) => type);
  if (others.length === 0) return 'tls: failed to find any PEM data in certificate input';
  if (others.length === 1 && others[0]?.endsWith(KEY)) {
    const switched = 'but did find a private key; PEM inputs may have been switched';
    return `tls: failed to find certificate PEM data in certificate input, ${switched}`;
  }
  return `tls: failed to find "${CERTIFICATE}" PEM block in certificate input after ${skipping(others)}`;
}

function keyProblem(text: string): string | undefined {
  const blocks = pemBlocks(text);
  const found = blocks.find(({ type }) => isKey(type));
  if (found) return isDerSequence(found.der) ? undefined : 'tls: failed to parse private key';
  const others = blocks.map(({ type }) => type);
  if (others.length === 0) return 'tls: failed to find any PEM data in key input';
  if (others.length === 1 && others[0] === CERTIFICATE) {
    return 'tls: found a certificate rather than a key in the PEM for the private key';
  }
  return `tls: failed to find PEM block with type ending in "${KEY}" in key input after ${skipping(others)}`;
}

const skipping = (types: readonly string[]): string =>
  `skipping PEM blocks of the following types: [${types.join(' ')}]`;
