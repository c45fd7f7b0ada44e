import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { humanDuration } from '../../../libs/machinery/printers/duration.ts';
import { documented, NONE } from '../../meta/columns.ts';
import type { CertificateSigningRequest } from '../../types/certificates/v1.generated.ts';
import { approvalStrategy, statusStrategy, strategy } from './strategy.ts';

export const certificateSigningRequest = defineKind<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  kind: 'CertificateSigningRequest',
  resource: 'certificatesigningrequests',
  namespaced: false,
  shortNames: ['csr'],
  versions: [{ version: 'v1', type: 'certificates.v1.CertificateSigningRequest' }],
  strategy,
  subresources: {
    status: { form: 'status', strategy: statusStrategy },
    approval: { form: 'status', strategy: approvalStrategy },
  },
  selectableFields: { 'spec.signerName': (object) => object.spec?.signerName ?? '' },
  columns: [
    nameColumn,
    ageColumn,
    {
      name: 'SignerName',
      type: 'string',
      description: documented('certificates.v1.CertificateSigningRequestSpec', 'signerName'),
      value: ({ spec }) => spec?.signerName ?? NONE,
    },
    {
      name: 'Requestor',
      type: 'string',
      description: documented('certificates.v1.CertificateSigningRequestSpec', 'request'),
      value: ({ spec }) => spec?.username ?? '',
    },
    {
      name: 'RequestedDuration',
      type: 'string',
      description: documented('certificates.v1.CertificateSigningRequestSpec', 'expirationSeconds'),
      value: ({ spec }) =>
        spec?.expirationSeconds === undefined ? NONE : humanDuration(spec.expirationSeconds * 1000),
    },
    {
      name: 'Condition',
      type: 'string',
      description: documented('certificates.v1.CertificateSigningRequestStatus', 'conditions'),
      value: conditionText,
    },
  ],
});

function conditionText({ status }: DeepReadonly<CertificateSigningRequest>): string {
  const has = (type: string) => status?.conditions?.some((condition) => condition.type === type);
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${decision}${has('Failed') ? ',Failed' : ''}${status?.certificate ? ',Issued' : ''}`;
}
