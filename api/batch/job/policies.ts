/** When a job counts as failed, and when as done, before its time. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import type {
  JobSpec,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicy,
} from '../../types/batch/v1.generated.ts';

type Spec = DeepReadonly<JobSpec>;

const RULES_MAX = 20;
const EXIT_CODES_MAX = 255;
const CONDITIONS_MAX = 20;
const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];

export function validatePodFailurePolicy(
  spec: Spec,
  policy: DeepReadonly<PodFailurePolicy>,
  at: field.Path,
): field.ErrorList {
  // A required list that was not given is null.
  const rules = policy.rules ?? [];
  const here = at.child('rules');
  if (rules.length > RULES_MAX) return [field.tooMany(here, rules.length, RULES_MAX)];
  const { containers, initContainers } = spec.template?.spec ?? {};
  const names = [...(containers ?? []), ...(initContainers ?? [])].map(({ name }) => name);
  return rules.flatMap((rule, i) => validateRule(spec, rule, names, here.index(i)));
}

function validateRule(
  spec: Spec,
  { action, onExitCodes, onPodConditions = [] }: DeepReadonly<PodFailurePolicyRule>,
  containers: readonly string[],
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!action) errors.push(field.required(at.child('action'), `valid values: [${ACTIONS.map(quote).join(' ')}]`));
  else if (!ACTIONS.includes(action)) errors.push(field.notSupported(at.child('action'), action, ACTIONS));
  else if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(field.invalid(at.child('action'), action, 'requires the backoffLimitPerIndex to be set'));
  }
  if (onExitCodes) errors.push(...validateExitCodes(onExitCodes, containers, at.child('onExitCodes')));
  const conditionsAt = at.child('onPodConditions');
  if (onPodConditions.length > CONDITIONS_MAX) {
    errors.push(field.tooMany(conditionsAt, onPodConditions.length, CONDITIONS_MAX));
  }
  onPodConditions.forEach(({ type, status }, i) => {
    const here = conditionsAt.index(i);
    for (const text of qualifiedName(type ?? '')) errors.push(field.invalid(here.child('type'), type ?? '', text));
    if (!STATUSES.includes(status ?? '')) {
      errors.push(field.notSupported(here.child('status'), status ?? '', STATUSES));
    }
  });
  const nothing = field.omitted;
  if (onExitCodes && onPodConditions.length > 0) {
    errors.push(field.invalid(at, nothing, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    errors.push(field.invalid(at, nothing, 'specifying one of OnExitCodes and OnPodConditions is required'));
  }
  return errors;
}

function validateExitCodes(
  { containerName, operator, values: given }: DeepReadonly<PodFailurePolicyOnExitCodesRequirement>,
  containers: readonly string[],
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!operator) errors.push(field.required(at.child('operator'), `valid values: [${OPERATORS.map(quote).join(' ')}]`));
  else if (!OPERATORS.includes(operator)) errors.push(field.notSupported(at.child('operator'), operator, OPERATORS));
  if (containerName !== undefined && !containers.includes(containerName)) {
    const detail = 'must be one of the container or initContainer names in the pod template';
    errors.push(field.invalid(at.child('containerName'), containerName, detail));
  }
  const here = at.child('values');
  const values = given ?? [];
  if (values.length === 0) errors.push(field.invalid(here, values, 'at least one value is required'));
  else if (values.length > EXIT_CODES_MAX) errors.push(field.tooMany(here, values.length, EXIT_CODES_MAX));
  values.forEach((value, i) => {
    if (operator === 'In' && value === 0) {
      errors.push(field.invalid(here.index(i), value, 'must not be 0 for the In operator'));
    }
    if (values.indexOf(value) < i) errors.push(field.duplicate(here.index(i), value));
  });
  if (values.some((value, i) => i > 0 && (values[i - 1] as number) > value)) {
    errors.push(field.invalid(here, values, 'must be ordered'));
  }
  return errors;
}

export function validateSuccessPolicy(
  { completions = 0 }: Spec,
  policy: DeepReadonly<SuccessPolicy>,
  at: field.Path,
): field.ErrorList {
  const rules = policy.rules ?? [];
  const here = at.child('rules');
  if (rules.length === 0)
    return [field.required(here, 'at least one rules must be specified when the successPolicy is specified')];
  if (rules.length > RULES_MAX) return [field.tooMany(here, rules.length, RULES_MAX)];
  return rules.flatMap(({ succeededCount: count, succeededIndexes: indexes }, i) => {
    const place = here.index(i);
    if (count === undefined && indexes === undefined) {
      return [field.required(place, 'at least one of succeededCount or succeededIndexes must be specified')];
    }
    const errors: field.ErrorList = [];
    let total = completions;
    if (indexes !== undefined) {
      const read = countIndexes(indexes, completions);
      if (typeof read === 'string') {
        const detail = `error parsing succeededIndexes: ${read}`;
        return [field.invalid(place.child('succeededIndexes'), indexes, detail)];
      }
      total = read;
    }
    if (count === undefined) return errors;
    const countAt = place.child('succeededCount');
    if (count < 1) errors.push(field.invalid(countAt, count, 'must be greater than or equal to 1'));
    if (count > completions) {
      errors.push(
        field.invalid(
          countAt,
          count,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      );
    }
    if (indexes !== undefined && count > total) {
      const detail = `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`;
      errors.push(field.invalid(countAt, count, detail));
    }
    return errors;
  });
}

/** An index that both lists name: the first that is found. Intervals that cannot be read are passed over. */
export function commonIndex(a: string, b: string, completions: number): number | undefined {
  const [as, bs] = [intervals(a, completions), intervals(b, completions)];
  for (let i = 0, k = 0; i < as.length && k < bs.length; ) {
    const [one, other] = [as[i] as Interval, bs[k] as Interval];
    if (one.first <= other.last && other.first <= one.last) return Math.max(one.first, other.first);
    if (one.last < other.last) i++;
    else k++;
  }
  return undefined;
}

interface Interval {
  readonly first: number;
  readonly last: number;
}

function intervals(text: string, completions: number): Interval[] {
  return text.split(',').flatMap((one) => {
    if (one === '' || typeof countIndexes(one, completions) === 'string') return [];
    const [first = 0, last = first] = one.split('-').map(Number);
    return [{ first, last }];
  });
}

/** How many indexes `0,2-4` names, or what is wrong with it. */
export function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let previous: number | undefined;
  let count = 0;
  for (const interval of text.split(',')) {
    const parts = interval.split('-');
    if (parts.length > 2)
      return `the fragment ${quote(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`;
    let first: number | undefined;
    for (const part of parts) {
      if (!/^[+-]?\d+$/.test(part)) return `cannot convert string to integer for index: ${quote(part)}`;
      const index = Number(part);
      if (index >= completions) return `too large index: ${quote(part)}`;
      if (previous !== undefined && previous >= index) {
        return `non-increasing order, previous: ${previous}, current: ${index}`;
      }
      previous = index;
      first ??= index;
    }
    count += (previous as number) - (first as number) + 1;
  }
  return count;
}
