import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1035Label } from '../../../libs/machinery/names.ts';
import type { CustomResourceConversion, WebhookClientConfig } from '../../types/apiextensions/v1.generated.ts';
import { oneOfTexts } from './validation.ts';

type Conversion = DeepReadonly<CustomResourceConversion>;

/** How versions are converted. Paths are those of the API's inner form, as clients see them. */
export function validateConversion(conversion: Conversion | undefined, at: field.Path): field.ErrorList {
  if (!conversion) return [];
  const errors = oneOfTexts(at.child('strategy'), conversion.strategy, ['None', 'Webhook']);
  const [clientAt, versionsAt] = [at.child('webhookClientConfig'), at.child('conversionReviewVersions')];
  const { clientConfig } = conversion.webhook ?? {};
  // A required list that was not given is null.
  const conversionReviewVersions = conversion.webhook?.conversionReviewVersions ?? [];
  if (conversion.strategy === 'Webhook') {
    if (!clientConfig) errors.push(field.required(clientAt, 'required when strategy is set to Webhook'));
    else errors.push(...validateClient(clientConfig, clientAt));
    errors.push(...validateReviewVersions(conversionReviewVersions, versionsAt));
    return errors;
  }
  const text = 'should not be set when strategy is not set to Webhook';
  if (clientConfig) errors.push(field.forbidden(clientAt, text));
  if (conversionReviewVersions.length > 0) errors.push(field.forbidden(versionsAt, text));
  return errors;
}

function validateClient({ url, service }: DeepReadonly<WebhookClientConfig>, at: field.Path): field.ErrorList {
  if ((url === undefined) === (service === undefined)) {
    return [field.required(at, 'exactly one of url or service is required')];
  }
  if (url !== undefined) return validateUrl(url, at.child('url'));
  const errors: field.ErrorList = [];
  const below = at.child('service');
  if (!service?.name) errors.push(field.required(below.child('name'), 'service name is required'));
  if (!service?.namespace) errors.push(field.required(below.child('namespace'), 'service namespace is required'));
  const { path, port } = service ?? {};
  if (path !== undefined && !path.startsWith('/')) {
    errors.push(field.invalid(below.child('path'), path, "must start with a '/'"));
  }
  if (port !== undefined && (port < 1 || port > 65535)) {
    errors.push(field.invalid(below.child('port'), port, 'port is not valid: must be between 1 and 65535, inclusive'));
  }
  return errors;
}

const FORM = 'desired format: https://host[/path]';

function validateUrl(url: string, at: field.Path): field.ErrorList {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(url);
  if (!parts) return [field.required(at, `url must be a valid URL: ${FORM}`)];
  const [, scheme = '', user, host = '', , query, fragment] = parts;
  const errors: field.ErrorList = [];
  if (scheme !== 'https') errors.push(field.invalid(at, scheme, `'https' is the only allowed URL scheme; ${FORM}`));
  if (host === '') errors.push(field.invalid(at, host, `host must be specified; ${FORM}`));
  if (user !== undefined) errors.push(field.invalid(at, user, 'user information is not permitted in the URL'));
  if (fragment) errors.push(field.invalid(at, fragment.slice(1), 'fragments are not permitted in the URL'));
  if (query) errors.push(field.invalid(at, query.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

function validateReviewVersions(versions: readonly string[], at: field.Path): field.ErrorList {
  if (versions.length === 0) return [field.required(at)];
  const errors: field.ErrorList = [];
  const seen = new Set<string>();
  versions.forEach((version, i) => {
    if (seen.has(version)) errors.push(field.invalid(at.index(i), version, 'duplicate version'));
    seen.add(version);
    const problems = dns1035Label(version);
    if (problems.length > 0) errors.push(field.invalid(at.index(i), version, problems.join(',')));
  });
  if (seen.has('v1') || seen.has('v1beta1')) return errors;
  errors.push(field.invalid(at, versions, 'must include at least one of v1, v1beta1'));
  return errors;
}
