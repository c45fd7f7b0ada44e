import { certificateSigningRequests } from '../../../api/resources.ts';
import type { CertificateSigningRequest } from '../../../api/types/certificates/v1.generated.ts';
import { decodeBase64, encodeBase64 } from '../../../libs/base/base64.ts';
import { type Clock, withTimeout } from '../../../libs/base/clock.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { Client, ResourceClient } from '../../../libs/kind/client.ts';
import type { DeepReadonly, Live } from '../../../libs/kind/object.ts';
import { isAlreadyExists, isNotFound } from '../../../libs/machinery/errors.ts';
import { type CertificatePurpose, SIGNERS, type WantedCertificate } from './plan.ts';

type Request = CertificateSigningRequest;

/** The cluster has said no: it has to be asked for anew, with another request. */
export class RequestRefusedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RequestRefusedError';
  }
}

export type RequestOutcome =
  | { readonly type: 'issued'; readonly certificatePem: string }
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'waiting' };

/** What has become of a request. A denial counts even beside an approval. */
export function outcomeOf({ metadata, status }: DeepReadonly<Request>): RequestOutcome {
  for (const [type, words] of [
    ['Denied', 'is denied'],
    ['Failed', 'failed'],
  ] as const) {
    const condition = status?.conditions?.find((one) => one.type === type);
    if (!condition) continue;
    const { reason = '', message = '' } = condition;
    const text = `certificate signing request ${metadata?.name} ${words}, reason: ${reason}, message: ${message}`;
    return { type: 'refused', message: text };
  }
  const approved = status?.conditions?.some(({ type }) => type === 'Approved');
  if (!approved || !status?.certificate) return { type: 'waiting' };
  return {
    type: 'issued',
    certificatePem: new TextDecoder().decode(decodeBase64(status.certificate) ?? new Uint8Array()),
  };
}

/**
 * Asks the cluster for a certificate and waits, for `timeoutMs` at most, until it is issued. The request's name comes
 * from what is asked for, so who asks again after a crash goes on waiting for the same. Rejects with
 * `RequestRefusedError`, a `TimeoutError`, or what the API said.
 */
export async function requestCertificate(
  { client, clock, keys }: { readonly client: Client; readonly clock: Clock; readonly keys: Keys },
  asked: {
    readonly purpose: CertificatePurpose;
    readonly wanted: WantedCertificate;
    readonly privateKeyPem: string;
    readonly expirationSeconds?: number;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { purpose, wanted, expirationSeconds } = asked;
  const key = keys.importKey(asked.privateKeyPem);
  const pem = await keys.createCertificateSigningRequest(key, wanted.subject, wanted.names);
  const { signerName, usages } = SIGNERS[purpose];
  const parts = [key.keyId, signerName, wanted.subject, wanted.names];
  const digest = keys.digest('sha256', JSON.stringify(parts)).subarray(0, 20);
  const name = `node-csr-${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  const resource = client.resource(certificateSigningRequests);
  using deadline = withTimeout(clock, asked.timeoutMs, asked.signal);
  const { signal } = deadline;
  const spec = {
    request: encodeBase64(pem),
    signerName,
    usages: [...usages],
    ...(expirationSeconds !== undefined && { expirationSeconds }),
  };
  let request: Live<Request>;
  try {
    request = await resource.create({ metadata: { name }, spec }, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    request = await resource.get(name, { signal });
  }
  for (;;) {
    const outcome = outcomeOf(request);
    if (outcome.type === 'issued') return outcome.certificatePem;
    if (outcome.type === 'refused') throw new RequestRefusedError(outcome.message);
    request = await changed(resource, request, clock, signal);
  }
}

const POLL_MS = 5_000;

/** The request's next state; where the watch ends without one, the state after a while. */
async function changed(
  resource: ResourceClient<Request>,
  { metadata }: Live<Request>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Live<Request>> {
  const { name, resourceVersion } = metadata;
  try {
    for await (const event of resource.watch({ fieldSelector: `metadata.name=${name}`, resourceVersion, signal })) {
      if (event.type === 'DELETED') throw new RequestRefusedError(`certificate signing request ${name} was deleted`);
      if (event.type === 'MODIFIED' && event.object.metadata.name === name) return event.object;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RequestRefusedError) throw error;
  }
  await clock.sleep(POLL_MS, signal);
  try {
    return await resource.get(name, { signal });
  } catch (error) {
    if (isNotFound(error)) throw new RequestRefusedError(`certificate signing request ${name} was deleted`);
    throw error;
  }
}
