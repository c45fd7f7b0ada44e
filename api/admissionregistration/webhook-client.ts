/** Where a webhook is called: a URL, or a path of a Service. Admission, conversion and token webhooks alike. */
import * as field from '../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, port as portProblems } from '../../libs/machinery/names.ts';

export interface WebhookClient {
  readonly url?: string;
  readonly service?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly path?: string;
    readonly port?: number;
  };
}

const FORM = '; desired format: https://host[/path]';

export function validateWebhookClient(client: WebhookClient, at: field.Path): field.ErrorList {
  const { url, service } = client;
  if ((url === undefined) === (service === undefined)) {
    return [field.required(at, 'exactly one of url or service is required')];
  }
  if (url !== undefined) return validateWebhookUrl(url, at.child('url'));
  // The API tells of a missing namespace at the name, and the other way round.
  return validateWebhookService(
    { ...service, name: service?.namespace, namespace: service?.name },
    at.child('service'),
  );
}

/** https, a host, and nothing but a path. */
export function validateWebhookUrl(text: string, at: field.Path): field.ErrorList {
  const parts = /^(?:([a-zA-Z][\w+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  if (!parts || /[\x00-\x20\x7f]/.test(text)) {
    return [
      field.required(
        at,
        `url must be a valid URL: parse ${JSON.stringify(text)}: net/url: invalid control character in URL${FORM}`,
      ),
    ];
  }
  const [, scheme = '', authority = '', , query = '', fragment = ''] = parts;
  const [user, host] = authority.includes('@')
    ? [authority.slice(0, authority.lastIndexOf('@')), authority.slice(authority.lastIndexOf('@') + 1)]
    : [undefined, authority];
  const errors: field.ErrorList = [];
  if (scheme.toLowerCase() !== 'https') {
    errors.push(field.invalid(at, scheme, `'https' is the only allowed URL scheme${FORM}`));
  }
  if (host === '') errors.push(field.invalid(at, host, `host must be specified${FORM}`));
  if (user !== undefined) errors.push(field.invalid(at, user, 'user information is not permitted in the URL'));
  if (fragment !== '') errors.push(field.invalid(at, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') errors.push(field.invalid(at, query, 'query parameters are not permitted in the URL'));
  return errors;
}

export function validateWebhookService(
  service: NonNullable<WebhookClient['service']>,
  at: field.Path,
): field.ErrorList {
  const { name, namespace, port, path } = service;
  const errors: field.ErrorList = [];
  if (!name) errors.push(field.required(at.child('name')));
  if (!namespace) errors.push(field.required(at.child('namespace')));
  if (port !== undefined) {
    for (const problem of portProblems(port)) {
      errors.push(field.invalid(at.child('port'), port, `port is not valid: ${problem}`));
    }
  }
  if (path !== undefined) errors.push(...validatePath(path, at.child('path')));
  return errors;
}

function validatePath(path: string, at: field.Path): field.ErrorList {
  if (path === '' || path === '/') return [];
  if (path === '//') return [field.invalid(at, path, 'segment[0] may not be empty')];
  const errors: field.ErrorList = [];
  if (!path.startsWith('/')) errors.push(field.invalid(at, path, "must start with a '/'"));
  const steps = path.slice(1).replace(/\/$/, '').split('/');
  steps.forEach((step, i) => {
    if (step === '') {
      errors.push(field.invalid(at, path, `segment[${i}] may not be empty`));
      return;
    }
    for (const problem of dns1123Subdomain(step)) errors.push(field.invalid(at, path, `segment[${i}]: ${problem}`));
  });
  return errors;
}
