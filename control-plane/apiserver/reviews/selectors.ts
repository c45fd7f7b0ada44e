/** Selectors in access reviews: which part of a list or watch is asked about (`resourceAttributes.fieldSelector` …). */
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  ResourceAttributes,
} from '../../../api/types/authorization/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { escapeFieldValue, parseFieldSelector } from '../../../libs/machinery/fields.ts';
import { formatLabelSelector, type LabelSelectorSpec, parseLabelSelector } from '../../../libs/machinery/labels.ts';

type Attributes = DeepReadonly<ResourceAttributes>;
type Selector = DeepReadonly<FieldSelectorAttributes | LabelSelectorAttributes>;

/** What a review may not say, at `spec.resourceAttributes`. */
export function selectorErrors({ fieldSelector, labelSelector }: Attributes, at: field.Path): field.ErrorList {
  return [
    ...(fieldSelector ? formErrors(fieldSelector, at, 'fieldSelector') : []),
    ...(labelSelector ? formErrors(labelSelector, at, 'labelSelector') : []),
  ];
}

function formErrors(
  { rawSelector = '', requirements = [] }: Selector,
  parent: field.Path,
  name: string,
): field.ErrorList {
  const at = parent.child(name);
  const errors: field.ErrorList = [];
  if (rawSelector !== '' && requirements.length > 0) {
    errors.push(
      field.invalid(at.child('rawSelector'), rawSelector, 'may not specified at the same time as requirements'),
    );
  }
  if (rawSelector === '' && requirements.length === 0) {
    const why = `when ${at} is specified, requirements or rawSelector is required`;
    errors.push(field.required(at.child('requirements'), why));
  }
  requirements.forEach(({ key = '', operator, values = [] }, i) => {
    const here = at.child('requirements').index(i);
    if (key === '') errors.push(field.required(here.child('key'), 'must be specified'));
    if ((operator === 'In' || operator === 'NotIn') && values.length === 0) {
      errors.push(field.required(here.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
    }
    if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0) {
      const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
      errors.push(field.forbidden(here.child('values'), why));
    }
  });
  return errors;
}

/** The selectors as a request would say them; what cannot be understood is left out, and told. */
export function selectorsOf({ fieldSelector, labelSelector }: Attributes): {
  readonly said: { readonly fieldSelector?: string; readonly labelSelector?: string };
  readonly problems: readonly string[];
} {
  const said: { fieldSelector?: string; labelSelector?: string } = {};
  const problems: string[] = [];
  const attempt = (name: 'fieldSelector' | 'labelSelector', read: () => string) => {
    try {
      said[name] = read();
    } catch {
      problems.push(`spec.resourceAttributes.${name} ignored due to parse error`);
    }
  };
  if (fieldSelector) attempt('fieldSelector', () => fieldText(fieldSelector));
  if (labelSelector) attempt('labelSelector', () => labelText(labelSelector));
  return { said, problems };
}

function fieldText({ rawSelector, requirements = [] }: DeepReadonly<FieldSelectorAttributes>): string {
  const text = rawSelector || requirements.map(fieldRequirement).join(',');
  parseFieldSelector(text);
  return text;
}

/** Fields are equal to one value or are not; requirements could say more. */
function fieldRequirement({
  key,
  operator,
  values = [],
}: {
  key: string;
  operator: string;
  values?: readonly string[];
}) {
  const [value] = values;
  if (values.length !== 1 || value === undefined) throw new Error('a field has one value');
  if (operator === 'In') return `${key}=${escapeFieldValue(value)}`;
  if (operator === 'NotIn') return `${key}!=${escapeFieldValue(value)}`;
  throw new Error(`fields know no ${operator}`);
}

function labelText({ rawSelector, requirements = [] }: DeepReadonly<LabelSelectorAttributes>): string {
  const text = rawSelector || formatLabelSelector({ matchExpressions: requirements } as LabelSelectorSpec);
  parseLabelSelector(text);
  return text;
}
