import type { ApiRequest } from '../api.ts';
import { header } from '../headers.ts';

/** What the audit log says of a request whose sender nobody knew: the forms of its credentials, never what was in them. */
export function attemptedCredentials(request: ApiRequest): string {
  const [scheme = '', credential] = (header(request, 'authorization') ?? '').trim().split(' ', 2);
  const forms: [string, boolean][] = [
    ['basic', /^basic$/i.test(scheme) && credential !== undefined],
    ['bearer', /^bearer$/i.test(scheme) && credential !== undefined],
    ['access_token', Boolean(new URLSearchParams(request.query).get('access_token')?.trim())],
    ['x509', request.peer.certificateDer !== undefined],
  ];
  const attempted = forms.flatMap(([form, found]) => (found ? [form] : []));
  return attempted.length === 0
    ? 'Authentication failed, no credentials provided'
    : `Authentication failed, attempted: ${attempted.join(', ')}`;
}
