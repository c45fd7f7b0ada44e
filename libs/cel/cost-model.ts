/**
 * What calls cost, from the sizes of their arguments: the one model for estimates (sizes are ranges that schemas bound)
 * and for running (sizes are exact). A unit is about the price of reading a field.
 */
import { ListValue, MapValue, type Value } from './values.ts';

/** From, to; both included. `Infinity`: unbounded. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export const exactly = (value: number): Range => ({ min: value, max: value });
export const UNBOUNDED: Range = Object.freeze({ min: 0, max: Number.POSITIVE_INFINITY });

const ONE = exactly(1);
/** Reading through a text, by its characters. */
const TRAVERSAL = 0.1;
/** A pattern's length as a guess at its states. */
const PATTERN = 0.25;
/** Asking whether somebody may do something. */
const AUTHORIZATION = 350_000;
/** The longest pattern of the named formats. */
const FORMAT_PATTERN = 128;

export const add = (...ranges: readonly Range[]): Range => ({
  min: ranges.reduce((sum, { min }) => sum + min, 0),
  max: ranges.reduce((sum, { max }) => sum + max, 0),
});
/** Nothing times anything is nothing, be it unbounded. */
const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);
export const multiply = (a: Range, b: Range): Range => ({ min: product(a.min, b.min), max: product(a.max, b.max) });
export const scale = ({ min, max }: Range, factor: number): Range => ({
  min: Math.ceil(product(min, factor)),
  max: Math.ceil(product(max, factor)),
});
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

export interface CallToCost {
  readonly fn: string;
  readonly id: string;
  /** Of all arguments, with the one that the function is called on. */
  readonly sizes: readonly Range[];
  /** Of the elements of the first argument, where it is a list of texts. */
  readonly elementSize?: Range;
  /** The last argument, where it is a whole number that is written out. */
  readonly literal?: number;
}

export interface CallCost {
  readonly cost: Range;
  /** Of the result, where it can be told. */
  readonly size?: Range;
}

/** The cost of a call alone, without that of making its arguments. */
export function callCost(call: CallToCost): CallCost {
  return MODELS.get(call.fn)?.(call, call.sizes[0] ?? ONE, call.sizes[1] ?? ONE) ?? { cost: ONE };
}

type Model = (call: CallToCost, first: Range, second: Range) => CallCost | undefined;

const traverse: Model = (_call, first) => ({ cost: scale(first, TRAVERSAL) });
const traverseAndKeep: Model = (_call, first) => ({ cost: scale(first, TRAVERSAL), size: first });
const traverseSecond: Model = (_call, _first, second) => ({ cost: scale(second, TRAVERSAL) });

function compareAll(_call: CallToCost, a: Range, b: Range): CallCost {
  const max = Math.min(a.max, b.max);
  return { cost: scale({ min: max > 0 ? 1 : 0, max }, TRAVERSAL) };
}

const compareTexts: Model = (call, a, b) => (/string|bytes/.test(call.id) ? compareAll(call, a, b) : undefined);

const match: Model = (_call, text, pattern) => ({
  cost: multiply(scale(add(text, ONE), TRAVERSAL), scale(pattern, PATTERN)),
});

/** Functions that look at each element of a list, or search a text. */
const eachElement: Model = ({ elementSize, id }, list) => {
  if (id.includes('string') && !id.includes('list')) return { cost: scale(list, TRAVERSAL) };
  const each = elementSize ? add(ONE, scale(elementSize, TRAVERSAL)) : ONE;
  return { cost: multiply(list, each) };
};

const ADDITIONS: Model = ({ id }, a, b) => {
  if (id === 'add_list') return { cost: ONE, size: add(a, b) };
  if (id !== 'add_string' && id !== 'add_bytes') return undefined;
  return { cost: scale(add(a, b), TRAVERSAL), size: add(a, b) };
};

const replace: Model = ({ sizes }, text, from) => {
  const to = sizes[2] ?? ONE;
  let [count, kept] = [
    { min: 0, max: 0 },
    { min: 0, max: 0 },
  ];
  if (from.min === 0)
    [count, kept] = [
      { ...count, max: text.max + 1 },
      { ...kept, max: text.max },
    ];
  else if (to.max <= from.min) kept = { ...kept, max: text.max };
  else count = { ...count, max: Math.ceil(text.max / from.min) };
  if (from.max === 0)
    [count, kept] = [
      { ...count, min: text.min + 1 },
      { ...kept, min: text.min },
    ];
  else if (from.max <= to.min) kept = { ...kept, min: text.min };
  else count = { ...count, min: Math.ceil(text.min / from.max) };
  return { cost: scale(text, 2 * TRAVERSAL), size: add(multiply(count, to), kept) };
};

const split: Model = ({ literal }, text) => ({
  cost: scale(text, 2 * TRAVERSAL),
  size: { min: 0, max: literal !== undefined && literal >= 0 ? literal : text.max },
});

const join: Model = ({ elementSize, sizes }, list) => {
  const separators = { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) };
  const size = add(multiply(list, elementSize ?? UNBOUNDED), sizes[1] ? multiply(separators, sizes[1]) : exactly(0));
  return { cost: scale(size, TRAVERSAL), size };
};

const find: Model = (_call, text, pattern) => ({
  cost: multiply(scale(add(text, ONE), TRAVERSAL), scale(pattern, PATTERN)),
  size: { min: 0, max: text.max },
});

const setOperation: Model = (_call, a, b) => ({ cost: add(ONE, multiply(a, b)) });
const keepList: Model = (_call, list) => ({ cost: add(ONE, list), size: list });

const MODELS: ReadonlyMap<string, Model> = new Map<string, Model>([
  ['_+_', ADDITIONS],
  ['check', () => ({ cost: exactly(AUTHORIZATION) })],
  ['_==_', compareAll],
  ['_!=_', compareAll],
  ['_<_', compareTexts],
  ['_<=_', compareTexts],
  ['_>_', compareTexts],
  ['_>=_', compareTexts],
  ['@in', ({ id }, _item, list) => (id === 'in_list' ? { cost: list } : undefined)],
  ['startsWith', traverseSecond],
  ['endsWith', traverseSecond],
  ['contains', (_call, text, part) => ({ cost: multiply(scale(text, TRAVERSAL), scale(part, TRAVERSAL)) })],
  ['matches', match],
  [
    'bytes',
    ({ id }, text) =>
      id === 'string_to_bytes'
        ? { cost: scale(text, TRAVERSAL), size: { min: text.min, max: text.max * 4 } }
        : undefined,
  ],
  [
    'string',
    ({ id }, bytes) =>
      id === 'bytes_to_string'
        ? { cost: scale(bytes, TRAVERSAL), size: { min: Math.floor(bytes.min / 4), max: bytes.max } }
        : undefined,
  ],
  ['isSorted', eachElement],
  ['sum', eachElement],
  ['max', eachElement],
  ['min', eachElement],
  ['indexOf', eachElement],
  ['lastIndexOf', eachElement],
  ['url', traverseAndKeep],
  ['isURL', traverse],
  ['lowerAscii', traverseAndKeep],
  ['upperAscii', traverseAndKeep],
  ['substring', traverseAndKeep],
  ['trim', traverseAndKeep],
  ['replace', replace],
  ['split', split],
  ['join', join],
  ['find', find],
  ['findAll', find],
  ['ip', traverse],
  ['isIP', traverse],
  ['ip.isCanonical', traverse],
  ['cidr', traverse],
  ['isCIDR', traverse],
  [
    'containsIP',
    ({ id }, _cidr, text) => (id.includes('string') ? { cost: add(ONE, scale(text, TRAVERSAL)) } : undefined),
  ],
  [
    'containsCIDR',
    ({ id }, _cidr, text) => (id.includes('string') ? { cost: add(ONE, scale(text, TRAVERSAL)) } : undefined),
  ],
  ['quantity', traverse],
  ['isQuantity', traverse],
  ['semver', traverse],
  ['isSemver', traverse],
  ['validate', (_call, _format, text) => ({ cost: scale(text, TRAVERSAL * FORMAT_PATTERN * PATTERN) })],
  ['sets.contains', setOperation],
  ['sets.intersects', setOperation],
  ['sets.equivalent', setOperation],
  ['slice', keepList],
  ['distinct', (_call, list) => ({ cost: add(ONE, multiply(list, list)), size: list })],
  ['sort', (_call, list) => ({ cost: add(ONE, multiply(list, list)), size: list })],
  ['@sortByAssociatedKeys', (_call, list) => ({ cost: add(ONE, multiply(list, list)), size: list })],
  ['reverse', keepList],
  ['flatten', keepList],
]);

/** Characters, bytes, elements; 1 for everything else. */
export function sizeOfValue(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return value.length;
  if (value instanceof ListValue) return value.items.length;
  return value instanceof MapValue ? value.size : 1;
}
