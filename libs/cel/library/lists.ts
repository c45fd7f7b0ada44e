/** Lists, those of Kubernetes and those of the extension library; sets. */
import { declare, type Library } from '../declare.ts';
import { compare, Duration, EvaluationError, equal, ListValue, Uint, type Value } from '../values.ts';
import { durationOf } from './standard.ts';

const SUMMABLE = ['int', 'uint', 'double', 'duration'] as const;
const COMPARABLE = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'] as const;

function ordered(a: Value, b: Value): number {
  const order = compare(a, b);
  if (order === undefined) throw new EvaluationError('no such overload');
  return order;
}

function isSorted({ items }: ListValue): boolean {
  return items.every((item, i) => i === 0 || ordered(items[i - 1] as Value, item) <= 0);
}

function extreme(name: string, wins: (order: number) => boolean): (list: ListValue) => Value {
  return ({ items }) => {
    if (items.length === 0) throw new EvaluationError(`${name} called on empty list`);
    return items.reduce((best, item) => (wins(ordered(item, best)) ? item : best));
  };
}

const SUMS: Readonly<Record<(typeof SUMMABLE)[number], (list: ListValue) => Value>> = {
  int: ({ items }) => items.reduce<bigint>((sum, item) => BigInt.asIntN(64, sum + (item as bigint)), 0n),
  uint: ({ items }) => new Uint(items.reduce<bigint>((sum, item) => sum + (item as Uint).value, 0n)),
  double: ({ items }) => items.reduce<number>((sum, item) => sum + (item as number), 0),
  duration: ({ items }) => durationOf(items.reduce<bigint>((sum, item) => sum + (item as Duration).nanos, 0n)),
};

/** Which of the sums: by the first item, as an empty list sums up to whatever it is a list of. */
const accepts = (type: (typeof SUMMABLE)[number]) => (list: Value) => {
  const first = (list as ListValue).items[0];
  if (first === undefined) return type === 'int';
  if (type === 'int') return typeof first === 'bigint';
  if (type === 'double') return typeof first === 'number';
  return type === 'uint' ? first instanceof Uint : first instanceof Duration;
};

const sums: Library = declare(
  'sum',
  ...SUMMABLE.map((type) => [`list(${type}).() ${type}`, `list_${type}_sum`, SUMS[type]] as const),
).map((overload, i) => ({ ...overload, accepts: [accepts(SUMMABLE[i] as (typeof SUMMABLE)[number])] }));

const forEachType = (fn: string, result: (type: string) => string, run: (list: ListValue) => Value): Library =>
  declare(fn, ...COMPARABLE.map((type) => [`list(${type}).() ${result(type)}`, `list_${type}_${fn}`, run] as const));

function slice({ items }: ListValue, from: bigint, to: bigint): ListValue {
  if (from < 0n || to < 0n) {
    throw new EvaluationError(`cannot slice(${from}, ${to}), negative indexes not supported`);
  }
  if (from > to)
    throw new EvaluationError(`cannot slice(${from}, ${to}), start index must be less than or equal to end index`);
  if (to > BigInt(items.length))
    throw new EvaluationError(`cannot slice(${from}, ${to}), list is length ${items.length}`);
  return new ListValue(items.slice(Number(from), Number(to)));
}

function flatten({ items }: ListValue, depth = 1n): ListValue {
  if (depth < 0n) throw new EvaluationError('level must be non-negative');
  return new ListValue(
    items.flatMap((item) =>
      item instanceof ListValue
        ? depth > 1n
          ? flatten(item, depth - 1n).items
          : depth === 0n
            ? [item]
            : item.items
        : [item],
    ),
  );
}

function distinct({ items }: ListValue): ListValue {
  const kept: Value[] = [];
  for (const item of items) if (!kept.some((one) => equal(one, item))) kept.push(item);
  return new ListValue(kept);
}

function range(to: bigint): ListValue {
  if (to > 1_000_000n) throw new EvaluationError(`lists.range(${to}) is too long`);
  return new ListValue(Array.from({ length: Math.max(0, Number(to)) }, (_one, i) => BigInt(i)));
}

function sortByKeys({ items }: ListValue, keys: ListValue): ListValue {
  const order = items.map((_item, i) => i);
  order.sort((a, b) => ordered(keys.items[a] as Value, keys.items[b] as Value));
  return new ListValue(order.map((i) => items[i] as Value));
}

export const listsLibrary: Library = [
  ...forEachType('isSorted', () => 'bool', isSorted),
  ...sums,
  ...forEachType(
    'max',
    (type) => type,
    extreme('max', (order) => order > 0),
  ),
  ...forEachType(
    'min',
    (type) => type,
    extreme('min', (order) => order < 0),
  ),
  ...declare('indexOf', [
    'list(A).(A) int',
    'list_a_index_of_int',
    ({ items }: ListValue, item: Value) => BigInt(items.findIndex((one) => equal(one, item))),
  ]),
  ...declare('lastIndexOf', [
    'list(A).(A) int',
    'list_a_last_index_of_int',
    ({ items }: ListValue, item: Value) => BigInt(items.findLastIndex((one) => equal(one, item))),
  ]),
  ...declare('slice', ['list(A).(int, int) list(A)', 'list_slice', slice]),
  ...declare(
    'flatten',
    ['list(list(A)).() list(A)', 'list_flatten', flatten],
    ['list(dyn).(int) list(dyn)', 'list_flatten_int', flatten],
  ),
  ...declare('distinct', ['list(A).() list(A)', 'list_distinct', distinct]),
  ...declare('lists.range', ['(int) list(int)', 'lists_range', range]),
  ...declare('reverse', [
    'list(A).() list(A)',
    'list_reverse',
    ({ items }: ListValue) => new ListValue([...items].reverse()),
  ]),
  ...declare(
    'sort',
    ...COMPARABLE.map(
      (type) =>
        [
          `list(${type}).() list(${type})`,
          `list_${type}_sort`,
          ({ items }: ListValue) => new ListValue([...items].sort(ordered)),
        ] as const,
    ),
  ),
  ...declare(
    '@sortByAssociatedKeys',
    ...COMPARABLE.map(
      (type) => [`list(A).(list(${type})) list(A)`, `list_${type}_sortByAssociatedKeys`, sortByKeys] as const,
    ),
  ),
];

const has = (list: ListValue, item: Value): boolean => list.items.some((one) => equal(one, item));

export const setsLibrary: Library = [
  ...declare('sets.contains', [
    '(list(A), list(A)) bool',
    'list_sets_contains_list',
    (list: ListValue, part: ListValue) => part.items.every((item) => has(list, item)),
  ]),
  ...declare('sets.equivalent', [
    '(list(A), list(A)) bool',
    'list_sets_equivalent_list',
    (a: ListValue, b: ListValue) => a.items.every((item) => has(b, item)) && b.items.every((item) => has(a, item)),
  ]),
  ...declare('sets.intersects', [
    '(list(A), list(A)) bool',
    'list_sets_intersects_list',
    (a: ListValue, b: ListValue) => a.items.some((item) => has(b, item)),
  ]),
];
