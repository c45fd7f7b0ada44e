import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { validateAnnotations } from '../../../libs/machinery/annotations.ts';
import { stringify } from '../../../libs/machinery/codec/json.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { compileDefaults } from '../../../libs/structural-schema/defaults.ts';
import { compileEmbedded } from '../../../libs/structural-schema/embedded.ts';
import { compileListTypes } from '../../../libs/structural-schema/list-types.ts';
import { compileRules } from '../../../libs/structural-schema/rules.ts';
import type { Schema } from '../../../libs/structural-schema/schema.ts';
import { compileValues } from '../../../libs/structural-schema/values.ts';
import type { CelObserver } from '../cel-observer.ts';
import { validateFinalizers, validateLabels } from '../registry/metadata.ts';
import { type DefinitionVersion, schemaOf } from './custom-kind.ts';
import { fieldsOf, valueAt } from './paths.ts';

/** What one version asks of its objects, compiled. */
export interface VersionRules {
  /** Fills defaults and drops nulls that may not be, in place. */
  readonly defaults: (object: ApiObject) => void;
  /**
   * Everything that is wrong with an object, in upstream's order. `old`: the object that it replaces; what was wrong in it
   * already and has not changed is let through. `part`: through which door it came.
   */
  readonly check: (
    object: DeepReadonly<ApiObject>,
    old: DeepReadonly<ApiObject> | undefined,
    part: 'all' | 'status',
  ) => Verdict;
}

export interface Verdict {
  readonly errors: field.ErrorList;
  /** Rules that do not hold, but did not hold before either. */
  readonly warnings: readonly string[];
}

const MAX_REPLICAS = 2 ** 31 - 1;

/** Errors after which CEL rules are not asked: they could not rely on the types of what they see. */
const BLOCKING: ReadonlySet<field.FieldErrorType> = new Set<field.FieldErrorType>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueDuplicate',
  'FieldValueTypeInvalid',
]);

/** `cel` is told how long the rules take. */
export function rulesOfVersion(version: DefinitionVersion, cel?: CelObserver): VersionRules {
  const schema = schemaOf(version);
  const values = compileValues(schema);
  const lists = compileListTypes(schema);
  const embedded = compileEmbedded(schema, checkMetadata);
  const scale = scaleCheck(version);
  const rules = timedRules(schema, cel);
  return {
    defaults: compileDefaults(schema),
    check(object, old, part) {
      const errors = values(object, old === undefined ? {} : { old });
      errors.push(...scale(object, part));
      errors.push(...(embedded?.(object) ?? []));
      if (lists && (old === undefined || lists(old).length === 0)) errors.push(...lists(object));
      const warnings: string[] = [];
      if (!rules) return { errors, warnings };
      const blocked = blocking(errors);
      if (blocked.length > 0) errors.push(...blocked);
      else
        errors.push(...rules(object, { ...(old === undefined ? {} : { old }), warn: (text) => warnings.push(text) }));
      return { errors, warnings };
    },
  };
}

function timedRules(schema: Schema, cel: CelObserver | undefined): ReturnType<typeof compileRules> {
  if (!cel) return compileRules(schema);
  const sinceMs = cel.nowMs();
  const rules = compileRules(schema);
  if (!rules) return undefined;
  cel.compiled(cel.nowMs() - sinceMs);
  return (object, context) => {
    const beganMs = cel.nowMs();
    const errors = rules(object, context);
    cel.evaluated(cel.nowMs() - beganMs);
    return errors;
  };
}

function checkMetadata(metadata: Readonly<Record<string, unknown>>, at: field.Path): field.ErrorList {
  const { labels, annotations, finalizers } = metadata as Readonly<NonNullable<ApiObject['metadata']>>;
  return [
    ...validateLabels(labels ?? {}, at.child('labels')),
    ...validateAnnotations(annotations ?? {}, at.child('annotations')),
    ...validateFinalizers(finalizers ?? [], at.child('finalizers')),
  ];
}

/** The numbers and the selector that the scale subresource reads out of an object. */
function scaleCheck(version: DefinitionVersion): (object: unknown, part: 'all' | 'status') => field.ErrorList {
  const { scale } = version.subresources ?? {};
  if (!scale) return () => [];
  const replicas = (object: unknown, path: string): field.ErrorList => {
    const value = valueAt(object, fieldsOf(path));
    if (value === undefined) return [];
    if (typeof value !== 'bigint' && !Number.isInteger(value)) {
      const shown = typeof value === 'object' ? stringify(value) : String(value);
      return [
        field.invalid(path, 0, `${path} accessor error: ${shown} is of the type ${goTypeOf(value)}, expected int64`),
      ];
    }
    const number = value as number | bigint;
    if (number < 0) return [field.invalid(path, number, 'should be a non-negative integer')];
    if (number > MAX_REPLICAS) {
      return [field.invalid(path, number, `should be less than or equal to ${MAX_REPLICAS}`)];
    }
    return [];
  };
  const selector = (object: unknown): field.ErrorList => {
    if (!scale.labelSelectorPath) return [];
    const value = valueAt(object, fieldsOf(scale.labelSelectorPath));
    if (value === undefined || typeof value === 'string') return [];
    const text = `${scale.labelSelectorPath} accessor error: ${stringify(value)} is of the type ${goTypeOf(value)}, expected string`;
    return [field.invalid(scale.labelSelectorPath, value, text)];
  };
  return (object, part) => [
    ...(part === 'all' ? replicas(object, scale.specReplicasPath) : []),
    ...replicas(object, scale.statusReplicasPath),
    ...selector(object),
  ];
}

/** A value's type as messages of accessors name it. */
function goTypeOf(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return 'map[string]interface {}';
  }
}

/** Whether errors keep CEL rules from being asked; the error that says so, or nothing. */
function blocking(errors: field.ErrorList): field.ErrorList {
  if (!errors.some(({ type }) => BLOCKING.has(type))) return [];
  const text =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [field.invalid(undefined, null, text)];
}
