import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type {
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../types/flowcontrol/v1.generated.ts';
import { mandatoryPriorityLevels } from '../mandatory.ts';

const TYPES = ['Exempt', 'Limited'];
const RESPONSES = ['Queue', 'Reject'];
const EXEMPT = 'exempt';
const QUEUES_MAX = 10_000_000;
const ENTROPY_BITS_MAX = 60;

export function validatePriorityLevelConfiguration(level: DeepReadonly<PriorityLevelConfiguration>): field.ErrorList {
  const name = level.metadata?.name ?? '';
  const spec = (level.spec ?? {}) as DeepReadonly<PriorityLevelConfigurationSpec>;
  const errors = validateSpec(spec, name);
  const mandatory = mandatoryPriorityLevels.find((one) => one.metadata.name === name);
  if (mandatory && !sameValue(mandatory.spec, spec)) {
    const shown = field.verbatim(internalJson('flowcontrol.v1.PriorityLevelConfigurationSpec', spec));
    errors.push(field.invalid('spec', shown, `spec of '${name}' must equal the fixed value`));
  }
  if (name === EXEMPT && (spec.type !== 'Exempt' || spec.limited)) {
    const shown = field.verbatim(internalJson('flowcontrol.v1.PriorityLevelConfigurationSpec', spec));
    const why = "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value";
    errors.push(field.invalid('spec', shown, why));
  }
  return errors;
}

function validateSpec(spec: DeepReadonly<PriorityLevelConfigurationSpec>, name: string): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  const { type = '', limited, exempt } = spec;
  if ((name === EXEMPT) !== (type === 'Exempt') && (name === EXEMPT || type === 'Exempt')) {
    errors.push(field.invalid(at.child('type'), type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  if (type === 'Exempt') {
    if (limited) errors.push(field.forbidden(at.child('limited'), 'must be nil if the type is not Limited'));
    if (exempt) errors.push(...validateShares(exempt, at.child('exempt')));
  } else if (type === 'Limited') {
    if (exempt) errors.push(field.forbidden(at.child('exempt'), 'must be nil if the type is Limited'));
    if (!limited) errors.push(field.required(at.child('limited'), 'must not be empty when type is Limited'));
    else errors.push(...validateLimited(limited, at.child('limited')));
  } else errors.push(field.notSupported(at.child('type'), type, TYPES));
  return errors;
}

function validateShares(
  { nominalConcurrencyShares, lendablePercent }: { nominalConcurrencyShares?: number | null; lendablePercent?: number },
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if ((nominalConcurrencyShares ?? 0) < 0) {
    const shares = at.child('nominalConcurrencyShares');
    errors.push(field.invalid(shares, nominalConcurrencyShares, 'must be a non-negative integer'));
  }
  if (lendablePercent !== undefined && (lendablePercent < 0 || lendablePercent > 100)) {
    errors.push(field.invalid(at.child('lendablePercent'), lendablePercent, 'must be between 0 and 100, inclusive'));
  }
  return errors;
}

function validateLimited(limited: DeepReadonly<LimitedPriorityLevelConfiguration>, at: field.Path): field.ErrorList {
  const errors = validateShares({ nominalConcurrencyShares: limited.nominalConcurrencyShares }, at);
  const { type = '', queuing } = limited.limitResponse ?? {};
  const response = at.child('limitResponse');
  if (!RESPONSES.includes(type)) errors.push(field.notSupported(response.child('type'), type, RESPONSES));
  else if (type === 'Reject' && queuing) {
    errors.push(field.forbidden(response.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited'));
  } else if (type === 'Queue') {
    const missing = 'must not be empty if limited.limitResponse.type is Limited';
    if (!queuing) errors.push(field.required(response.child('queuing'), missing));
    else errors.push(...validateQueuing(queuing, response.child('queuing')));
  }
  errors.push(...validateShares({ lendablePercent: limited.lendablePercent }, at));
  const borrowing = limited.borrowingLimitPercent;
  if (borrowing !== undefined && borrowing < 0) {
    errors.push(
      field.invalid(at.child('borrowingLimitPercent'), borrowing, 'if specified, must be a non-negative integer'),
    );
  }
  return errors;
}

function validateQueuing(queuing: DeepReadonly<QueuingConfiguration>, at: field.Path): field.ErrorList {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  const errors: field.ErrorList = [];
  if (queueLengthLimit <= 0)
    errors.push(field.invalid(at.child('queueLengthLimit'), queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(field.invalid(at.child('queues'), queues, 'must be positive'));
  else if (queues > QUEUES_MAX) {
    errors.push(field.invalid(at.child('queues'), queues, `must not be greater than ${QUEUES_MAX}`));
  }
  const hand = at.child('handSize');
  if (handSize <= 0) errors.push(field.invalid(hand, handSize, 'must be positive'));
  else if (handSize > queues)
    errors.push(field.invalid(hand, handSize, `should not be greater than queues (${queues})`));
  else if (entropyBits(queues, handSize) > ENTROPY_BITS_MAX) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${ENTROPY_BITS_MAX}`;
    errors.push(field.invalid(hand, handSize, why));
  }
  return errors;
}

/** How many bits it takes to say which hand was dealt. */
function entropyBits(deckSize: number, handSize: number): number {
  let bits = 0;
  for (let i = 0; i < handSize; i++) bits += Math.log2(deckSize - i);
  return Math.ceil(bits);
}
