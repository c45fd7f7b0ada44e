/**
 * What expressions that select devices may speak of, and what they must come to: one place for validation, which refuses
 * what does not compile, and for the scheduler, which runs it.
 */
import { CompileError, compile, type Environment, kubernetesEnvironment } from '../../libs/cel/cel.ts';
import { BOOL, DYN, formatType, mapOf, type ObjectType, opaque, STRING, type Type } from '../../libs/cel/types.ts';

const field = (name: string, type: Type) => [name, { name, type }] as const;

/** `device` as selectors see it: attributes and capacities by domain and name. */
export const DEVICE_TYPE: ObjectType = {
  k: 'object',
  name: 'kubernetes.DRADevice',
  fields: new Map([
    field('driver', STRING),
    field('attributes', mapOf(STRING, mapOf(STRING, DYN))),
    field('capacity', mapOf(STRING, mapOf(STRING, opaque('kubernetes.Quantity')))),
    field('allowMultipleAllocations', BOOL),
  ]),
};

export const deviceEnvironment = (): Environment => kubernetesEnvironment().with({ device: DEVICE_TYPE });

/** What is wrong with a selector's expression; undefined where nothing is. */
export function deviceExpressionProblem(source: string): string | undefined {
  try {
    const found = formatType(compile(deviceEnvironment(), source).type);
    return found === 'bool' || found === 'dyn' ? undefined : `must evaluate to bool or the unknown type, not ${found}`;
  } catch (error) {
    if (error instanceof CompileError) return `compilation failed: ${error.message}`;
    throw error;
  }
}
