import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
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
  columns: [nameColumn, ageColumn],
});
