import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1035Label } from '../../../libs/machinery/names.ts';
import { validateWebhookClient } from '../../admissionregistration/webhook-client.ts';
import { caBundleProblem } from './ca-bundle.ts';
import { type Definition, oneOfTexts } from './validation.ts';

type Conversion = DeepReadonly<Definition['spec']['conversion']>;

/** How versions are converted. Paths are those of the API's inner form, as clients see them. */
export function validateConversion(
  conversion: Conversion,
  at: field.Path,
  old: Definition | undefined,
): field.ErrorList {
  if (!conversion) return [];
  const errors = oneOfTexts(at.child('strategy'), conversion.strategy, ['None', 'Webhook']);
  const [clientAt, versionsAt] = [at.child('webhookClientConfig'), at.child('conversionReviewVersions')];
  const { clientConfig } = conversion.webhook ?? {};
  // A required list that was not given is null.
  const conversionReviewVersions = conversion.webhook?.conversionReviewVersions ?? [];
  if (conversion.strategy === 'Webhook') {
    if (!clientConfig) errors.push(field.required(clientAt, 'required when strategy is set to Webhook'));
    else {
      errors.push(...validateWebhookClient(clientConfig, clientAt));
      const problem = mayHaveWrongBundle(old) ? undefined : caBundleProblem(clientConfig.caBundle);
      if (problem !== undefined) errors.push(field.invalid(clientAt.child('caBundle'), clientConfig.caBundle, problem));
    }
    errors.push(...validateReviewVersions(conversionReviewVersions, versionsAt));
    return errors;
  }
  const text = 'should not be set when strategy is not set to Webhook';
  if (clientConfig) errors.push(field.forbidden(clientAt, text));
  if (conversionReviewVersions.length > 0) errors.push(field.forbidden(versionsAt, text));
  return errors;
}

/** Until a definition is established others may still fill the bundle in; and one that is wrong already is no reason to refuse. */
function mayHaveWrongBundle(old: Definition | undefined): boolean {
  const established = old?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
  return !established || caBundleProblem(old?.spec.conversion?.webhook?.clientConfig?.caBundle) !== undefined;
}

function validateReviewVersions(versions: readonly string[], at: field.Path): field.ErrorList {
  if (versions.length === 0) return [field.required(at)];
  const errors: field.ErrorList = [];
  const seen = new Set<string>();
  versions.forEach((version, i) => {
    if (seen.has(version)) {
      errors.push(field.invalid(at.index(i), version, 'duplicate version'));
      return;
    }
    seen.add(version);
    for (const problem of dns1035Label(version)) errors.push(field.invalid(at.index(i), version, problem));
  });
  if (seen.has('v1') || seen.has('v1beta1')) return errors;
  errors.push(field.invalid(at, versions, 'must include at least one of v1, v1beta1'));
  return errors;
}
