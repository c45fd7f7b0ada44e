import type { KubeletTls } from '../../node/kubelet/server/server.ts';
import type { Around } from './components.ts';

const DAY_MS = 86_400_000;
const BACKDATE_MS = 5 * 60_000;

/** What a kubelet's server shows: made at every start, and good for a year. */
export async function kubeletTls({ machine, pki }: Around, nodeName: string, nodeIp: string): Promise<KubeletTls> {
  const { keys, clock } = machine;
  const key = await keys.generateKey('kubelet serving');
  const nowMs = clock.now();
  const certificatePem = await keys.issueCertificate(
    {
      subject: { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] },
      names: { dns: [nodeName], ip: [nodeIp] },
      usages: ['digital signature', 'key encipherment', 'server auth'],
      publicKey: key,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + 365 * DAY_MS,
    },
    pki.ca,
  );
  return { certificatePem, privateKeyPem: key.privateKeyPem(), clientAuthoritiesPem: pki.ca.certificatePem };
}
