import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { compareQuantity, mustParseQuantity, toMilli } from '../../../libs/machinery/quantity.ts';
import type { LimitRange, LimitRangeItem } from '../../types/core/v1.generated.ts';
import { validateResourceName } from '../pod/validation/resources.ts';

type Item = DeepReadonly<LimitRangeItem>;

const TYPES = ['Container', 'PersistentVolumeClaim', 'Pod'];

export function validateLimitRange({ spec }: DeepReadonly<LimitRange>): field.ErrorList {
  const types = new Set<string>();
  return (spec?.limits ?? []).flatMap((item, i) => {
    const here = field.path('spec', 'limits').index(i);
    const errors = validateType(item.type ?? '', here.child('type'));
    if (types.has(item.type)) errors.push(field.duplicate(here.child('type'), item.type));
    types.add(item.type);
    return [...errors, ...validateItem(item, here)];
  });
}

function validateType(type: string, at: field.Path): field.ErrorList {
  const errors = qualifiedName(type).map((text) => field.invalid(at, type, text));
  if (errors.length === 0 && !type.includes('/') && !TYPES.includes(type)) {
    errors.push(field.invalid(at, type, 'must be a standard limit type or fully qualified'));
  }
  return errors;
}

function validateItem(item: Item, at: field.Path): field.ErrorList {
  const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
  const errors: field.ErrorList = [];
  for (const list of lists) {
    if (item.type === 'Pod' && (list === 'default' || list === 'defaultRequest')) {
      if (item[list]) errors.push(field.forbidden(at.child(list), "may not be specified when `type` is 'Pod'"));
      continue;
    }
    for (const name of Object.keys(item[list] ?? {})) {
      errors.push(...validateResourceName(name, at.child(list).key(name)));
    }
  }
  const storage = item.min?.['storage'] ?? item.max?.['storage'];
  if (item.type === 'PersistentVolumeClaim' && storage === undefined) {
    const detail = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(field.required(at.child('limits'), detail));
  }
  const names = new Set(lists.flatMap((list) => Object.keys(item[list] ?? {})));
  for (const name of [...names].sort()) errors.push(...validateOrder(item, name, at));
  return errors;
}

/** Minimum, default request, default and maximum of one resource, in that order. */
function validateOrder(item: Item, name: string, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const of = (list: Readonly<Record<string, string>> | undefined) =>
    list && Object.hasOwn(list, name) ? list[name] : undefined;
  const [min, max] = [of(item.min), of(item.max)];
  const [limit, request, ratio] = [of(item.default), of(item.defaultRequest), of(item.maxLimitRequestRatio)];
  const over = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && compareQuantity(mustParseQuantity(a), mustParseQuantity(b)) > 0;
  const wrong = (list: string, shown: string | undefined, detail: string) => {
    errors.push(field.invalid(at.child(list).key(name), shown, detail));
  };
  if (over(min, max)) wrong('min', min, `min value ${min} is greater than max value ${max}`);
  if (over(min, request)) {
    wrong('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
  }
  if (over(request, max)) {
    wrong('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
  }
  if (over(request, limit)) {
    wrong('defaultRequest', request, `default request value ${request} is greater than default limit value ${limit}`);
  }
  if (over(min, limit)) wrong('default', min, `min value ${min} is greater than default value ${limit}`);
  if (over(limit, max)) wrong('default', max, `default value ${limit} is greater than max value ${max}`);
  if (ratio === undefined) return errors;
  const milli = toMilli(mustParseQuantity(ratio));
  if (milli < 1000) wrong('maxLimitRequestRatio', ratio, `ratio ${ratio} is less than 1`);
  if (min !== undefined && max !== undefined) {
    const most = toMilli(mustParseQuantity(max)) / toMilli(mustParseQuantity(min));
    if (milli > most * 1000) {
      wrong('maxLimitRequestRatio', ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`);
    }
  }
  return errors;
}
