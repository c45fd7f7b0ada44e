/** Numbers in specs, and numbers that may be percentages. */
import * as field from '../../libs/machinery/field-errors.ts';
import { percent } from '../../libs/machinery/names.ts';
import { NOT_NEGATIVE } from './immutable.ts';

export function notNegative(value: number | bigint | undefined, at: field.Path): field.ErrorList {
  return value !== undefined && value < 0 ? [field.invalid(at, value, NOT_NEGATIVE)] : [];
}

/** Collisions of names are counted, and the count is never lost. */
export function notDecremented(value: number | undefined, old: number | undefined, at: field.Path): field.ErrorList {
  if (old === undefined || (value !== undefined && value >= old)) return [];
  return [field.invalid(at, value ?? 0, 'cannot be decremented')];
}

/** A count that is not negative, or a percentage. */
export function countOrPercent(value: number | string | undefined, at: field.Path): field.ErrorList {
  if (typeof value !== 'string') return notNegative(value, at);
  return percent(value).map((text) => field.invalid(at, value, text));
}

export function atMostAll(value: number | string | undefined, at: field.Path): field.ErrorList {
  const most = percentOf(value);
  return most !== undefined && most > 100 ? [field.invalid(at, value, 'must not be greater than 100%')] : [];
}

/** `25` of `"25%"`; undefined for what is no percentage. */
export function percentOf(value: number | string | undefined): number | undefined {
  return typeof value === 'string' && /^[0-9]+%$/.test(value) ? Number.parseInt(value, 10) : undefined;
}

/** Whether it comes to none; a text that is no number does. */
export function isZero(value: number | string | undefined): boolean {
  const number = percentOf(value) ?? (typeof value === 'string' && !/^[+-]?\d+$/.test(value) ? 0 : Number(value ?? 0));
  return number === 0;
}
