/**
 * What expressions that select devices may speak of, and what they must come to: one place for validation, which refuses
 * what does not compile, and for the scheduler, which runs it.
 */
import { CompileError, compile, type Environment, kubernetesEnvironment } from '../../libs/cel/cel.ts';
import { BOOL, DYN, formatType, type ObjectType, opaque, STRING, type Type } from '../../libs/cel/types.ts';
import * as field from '../../libs/machinery/field-errors.ts';

const entry = (name: string, type: Type) => [name, { name, type }] as const;

/** What running an expression may cost: by its estimate when it is written, and each time it runs. */
export const DEVICE_EXPRESSION_COST_MAX = 1_000_000;

// The bounds that a ResourceSlice keeps are what costs are estimated from.
const ENTRIES_MAX = 32;
const bounded = (of: Type, max: number): Type => ({ k: 'bounded', of, bounds: { max } });
const mapOf = (key: Type, of: Type): Type => ({ k: 'map', key, of, bounds: { max: ENTRIES_MAX } });
const DOMAIN = bounded(STRING, 63);
const ID = bounded(STRING, 32);
const ATTRIBUTE = bounded(DYN, 64);

/** `device` as selectors see it: attributes and capacities by domain and name. */
export const DEVICE_TYPE: ObjectType = {
  k: 'object',
  name: 'kubernetes.DRADevice',
  fields: new Map([
    entry('driver', DOMAIN),
    entry('attributes', mapOf(DOMAIN, mapOf(ID, ATTRIBUTE))),
    entry('capacity', mapOf(DOMAIN, mapOf(ID, opaque('kubernetes.Quantity')))),
    entry('allowMultipleAllocations', BOOL),
  ]),
};

export const deviceEnvironment = (): Environment => kubernetesEnvironment().with({ device: DEVICE_TYPE });

/** What is wrong with the expression of a selector. */
export function validateDeviceExpression(source: string, at: field.Path): field.ErrorList {
  try {
    const { type, cost } = compile(deviceEnvironment(), source);
    const found = formatType(type);
    if (found !== 'bool' && found !== 'dyn') {
      return [field.invalid(at, source, `must evaluate to bool or the unknown type, not ${found}`)];
    }
    return cost.max > DEVICE_EXPRESSION_COST_MAX ? [field.forbidden(at, 'too complex, exceeds cost limit')] : [];
  } catch (error) {
    if (error instanceof CompileError) return [field.invalid(at, source, `compilation failed: ${error.message}`)];
    throw error;
  }
}
