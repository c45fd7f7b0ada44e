import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label, dns1123Subdomain } from '../../../libs/machinery/names.ts';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../types/certificates/v1.generated.ts';

const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const SIGNER_NAME_BYTES_MAX = 571;
const EXPIRATION_SECONDS_MIN = 600;
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';
const SIGNER_FORM = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
const NOT_A_REQUEST = 'PEM block type must be CERTIFICATE REQUEST';

export function validateCertificateSigningRequest({ spec }: DeepReadonly<CertificateSigningRequest>): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  if (!isRequest(spec?.request ?? ''))
    errors.push(field.invalid(at.child('request'), spec?.request ?? null, NOT_A_REQUEST));
  const usages = spec?.usages ?? [];
  if (usages.length === 0) errors.push(field.required(at.child('usages')));
  usages.forEach((usage, i) => {
    const here = at.child('usages').index(i);
    if (!USAGES.includes(usage)) errors.push(field.notSupported(here, usage, USAGES));
    else if (usages.indexOf(usage) < i) errors.push(field.duplicate(here, usage));
  });
  const signer = spec?.signerName ?? '';
  if (signer === LEGACY_SIGNER) {
    const why = 'the legacy signerName is not allowed via this API version';
    errors.push(field.invalid(at.child('signerName'), signer, why));
  } else errors.push(...validateSignerName(signer, at.child('signerName')));
  const seconds = spec?.expirationSeconds;
  if (seconds !== undefined && seconds < EXPIRATION_SECONDS_MIN) {
    const why = `may not specify a duration less than ${EXPIRATION_SECONDS_MIN} seconds (10 minutes)`;
    errors.push(field.invalid(at.child('expirationSeconds'), seconds, why));
  }
  return errors;
}

/** Whether the bytes are a PEM block of the right type that holds an ASN.1 sequence. */
function isRequest(base64: string): boolean {
  const text = atob(base64);
  const block = /-----BEGIN CERTIFICATE REQUEST-----([\s\S]*?)-----END CERTIFICATE REQUEST-----/.exec(text);
  if (!block) return false;
  try {
    return atob((block[1] as string).replace(/\s+/g, '')).charCodeAt(0) === 0x30;
  } catch {
    return false;
  }
}

/** `example.com/name`: a domain of two parts or more, and one path segment. */
export function validateSignerName(signer: string, at: field.Path): field.ErrorList {
  if (signer === '') return [field.required(at)];
  const [domain = '', path = '', ...more] = signer.split('/');
  if (path === '' || more.length > 0) return [field.invalid(at, signer, SIGNER_FORM)];
  const errors: field.ErrorList = [];
  const labels = domain.split('.');
  if (labels.length < 2)
    errors.push(field.invalid(at, domain, 'should be a domain with at least two segments separated by dots'));
  for (const label of labels) {
    for (const problem of dns1123Label(label)) {
      errors.push(field.invalid(at, domain, `validating label ${JSON.stringify(label)}: ${problem}`));
    }
  }
  for (const segment of path.split('.')) {
    for (const problem of dns1123Subdomain(segment)) {
      errors.push(field.invalid(at, path, `validating label ${JSON.stringify(segment)}: ${problem}`));
    }
  }
  if (new TextEncoder().encode(signer).length > SIGNER_NAME_BYTES_MAX)
    errors.push(field.tooLong(at, SIGNER_NAME_BYTES_MAX));
  return errors;
}

type Conditions = readonly DeepReadonly<CertificateSigningRequestCondition>[];

const conditionsOf = ({ status }: DeepReadonly<CertificateSigningRequest>, type: string): Conditions =>
  (status?.conditions ?? []).filter((condition) => condition.type === type);

/** What became of a request; `through` says which part of it the writer may decide. */
export function validateStatusUpdate(
  request: DeepReadonly<CertificateSigningRequest>,
  old: DeepReadonly<CertificateSigningRequest>,
  through: 'approval' | 'status',
): field.ErrorList {
  return [...validateConditionsUpdate(request, old, through), ...validateCertificateUpdate(request, old)];
}

/** What was signed stays as it is. */
function validateCertificateUpdate(
  { status }: DeepReadonly<CertificateSigningRequest>,
  old: DeepReadonly<CertificateSigningRequest>,
): field.ErrorList {
  const at = field.path('status', 'certificate');
  const [now, was] = [status?.certificate ?? '', old.status?.certificate ?? ''];
  if (now === was) return [];
  if (was !== '') return [field.forbidden(at, 'updates may not modify existing certificate content')];
  const problem = certificateProblem(atob(now));
  return problem === undefined ? [] : [field.invalid(at, '<certificate data>', problem)];
}

/** A chain of certificates in PEM, and nothing else that is PEM. */
function certificateProblem(text: string): string | undefined {
  const blocks = [...text.matchAll(/^-----BEGIN ([^\n-]+)-----\s*?\n([\s\S]*?)^-----END \1-----/gm)];
  for (const [, type = '', body = ''] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(':')) return 'no PEM block headers are permitted';
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

/** Every condition once; what was decided stays decided. */
function validateConditionsUpdate(
  request: DeepReadonly<CertificateSigningRequest>,
  old: DeepReadonly<CertificateSigningRequest>,
  through: 'approval' | 'status',
): field.ErrorList {
  const at = field.path('status', 'conditions');
  const errors: field.ErrorList = [];
  for (const type of ['Approved', 'Denied'] as const) {
    const [now, before] = [conditionsOf(request, type).length, conditionsOf(old, type).length];
    const where = 'approval';
    if (now > before && through !== where) {
      errors.push(field.forbidden(at, `updates may not add a condition of type "${type}"`));
    } else if (now < before) errors.push(field.forbidden(at, `updates may not remove a condition of type "${type}"`));
  }
  const failed = [conditionsOf(request, 'Failed').length, conditionsOf(old, 'Failed').length] as const;
  if (failed[0] < failed[1]) errors.push(field.forbidden(at, 'updates may not remove a condition of type "Failed"'));
  const seen = new Set<string>();
  const conditions = request.status?.conditions ?? [];
  conditions.forEach((condition, i) => {
    const here = at.index(i);
    if (!condition.type) errors.push(field.required(here.child('type')));
    if (!condition.status) errors.push(field.required(here.child('status')));
    else if (!['True', 'False', 'Unknown'].includes(condition.status)) {
      errors.push(field.notSupported(here.child('status'), condition.status, ['False', 'True', 'Unknown']));
    } else if (condition.status !== 'True' && ['Approved', 'Denied', 'Failed'].includes(condition.type)) {
      errors.push(field.notSupported(here.child('status'), condition.status, ['True']));
    }
    if (seen.has(condition.type)) errors.push(field.duplicate(here.child('type'), condition.type));
    seen.add(condition.type);
  });
  if (seen.has('Approved') && seen.has('Denied')) {
    errors.push(field.invalid(at, 'Denied', 'Approved and Denied conditions are mutually exclusive'));
  }
  return errors;
}
