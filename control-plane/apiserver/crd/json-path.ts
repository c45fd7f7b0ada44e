/**
 * The part of JSONPath that printer columns use: fields (`.a`, `['a\.b']`), `*`, `..`, indices and slices (`[0]`, `[-1]`,
 * `[1:3]`), and filters with one comparison (`[?(@.type=="Ready")]`).
 */
import { sortedJson } from '../../../libs/machinery/quote.ts';

/** Answers what is found, in order; undefined or nothing where the way leads nowhere. */
export type JsonPath = (object: unknown) => readonly unknown[];

type Step = (values: readonly unknown[]) => unknown[];

/** Compiles a path such as `.spec.a`. undefined for one that cannot be read. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const steps = new Parser(text).steps();
  return steps && ((object) => steps.reduce<readonly unknown[]>((found, step) => step(found), [object]));
}

/** A value as a cell of text. */
export function printed(value: unknown): string {
  if (value === null) return '<nil>';
  return typeof value === 'object' ? sortedJson(value) : String(value);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const membersOf = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];

const field =
  (name: string): Step =>
  (values) =>
    values.flatMap((value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []));

const everything: Step = (values) => values.flatMap(membersOf);

const descendants: Step = (values) =>
  values.flatMap((value) => [value, ...descendants(membersOf(value).filter((member) => typeof member === 'object'))]);

function slice(from: number | undefined, to: number | undefined, step: number): Step {
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const at = (index: number) => (index < 0 ? index + value.length : index);
      const end = Math.min(to === undefined ? value.length : at(to), value.length);
      const found: unknown[] = [];
      for (let i = Math.max(0, at(from ?? 0)); i < end; i += step) found.push(value[i]);
      return found;
    });
}

function index(wanted: number): Step {
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const at = wanted < 0 ? wanted + value.length : wanted;
      return at >= 0 && at < value.length ? [value[at]] : [];
    });
}

type Operand = (item: unknown) => unknown;

function filter(left: Operand, operator: string | undefined, right: Operand | undefined): Step {
  const holds = (item: unknown): boolean => {
    const a = left(item);
    if (a === undefined) return false;
    if (operator === undefined || right === undefined) return true;
    const b = right(item);
    if (operator === '==') return a === b;
    if (operator === '!=') return a !== b;
    if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string')) return false;
    const [x, y] = [a, b as typeof a];
    return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y;
  };
  return (values) => values.flatMap((value) => membersOf(value).filter(holds));
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** undefined where the text is no path. */
  steps(): Step[] | undefined {
    const steps: Step[] = [];
    while (this.#at < this.#text.length) {
      const step = this.#step();
      if (!step) return undefined;
      steps.push(...step);
    }
    return steps;
  }

  #step(): Step[] | undefined {
    if (this.#take('..')) {
      const next = this.#text[this.#at] === '[' ? this.#bracket() : this.#name();
      return next && [descendants, next];
    }
    if (this.#text[this.#at] === '[') {
      const step = this.#bracket();
      return step && [step];
    }
    if (!this.#take('.') && this.#at > 0) return undefined;
    if (this.#at === this.#text.length) return [];
    if (this.#text[this.#at] === '[') return [];
    const name = this.#name();
    return name && [name];
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #name(): Step | undefined {
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (char === '\\') name += this.#text[++this.#at] ?? '';
      else if (/[.[\]\s(){}]/.test(char)) break;
      else name += char;
    }
    if (name === '') return undefined;
    return name === '*' ? everything : field(name);
  }

  #bracket(): Step | undefined {
    const end = this.#endOfBracket();
    if (end === undefined) return undefined;
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    if (inner === '*') return everything;
    const quoted = /^(['"])(.*)\1$/s.exec(inner);
    if (quoted) return field((quoted[2] as string).replace(/\\(.)/g, '$1'));
    const condition = /^\?\((.*)\)$/s.exec(inner);
    if (condition) return filterOf(condition[1] as string);
    if (/^-?\d+$/.test(inner)) return index(Number(inner));
    const range = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(inner);
    if (!range) return undefined;
    const number = (part: string | undefined) => (part === undefined ? undefined : Number(part));
    return slice(number(range[1]), number(range[2]), number(range[3]) || 1);
  }

  /** The closing bracket, past those in quotes. */
  #endOfBracket(): number | undefined {
    let quote = '';
    let depth = 0;
    for (let i = this.#at; i < this.#text.length; i++) {
      const char = this.#text[i] as string;
      if (char === '\\') i++;
      else if (quote !== '') quote = char === quote ? '' : quote;
      else if (char === '"' || char === "'") quote = char;
      else if (char === '[') depth++;
      else if (char === ']' && --depth === 0) return i;
    }
    return undefined;
  }
}

function filterOf(text: string): Step | undefined {
  const parts = /^(.*?)(==|!=|<=|>=|<|>)(.*)$/s.exec(text);
  const left = operandOf((parts ? (parts[1] as string) : text).trim());
  if (!left) return undefined;
  if (!parts) return filter(left, undefined, undefined);
  const right = operandOf((parts[3] as string).trim());
  return right && filter(left, parts[2], right);
}

/** `@.path`, a text in quotes, a number or a truth value. */
function operandOf(text: string): Operand | undefined {
  if (text.startsWith('@')) {
    const path = parseJsonPath(text.slice(1));
    return path && ((item) => path(item)[0]);
  }
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted) return () => quoted[2];
  if (/^-?\d+(\.\d+)?$/.test(text)) return () => Number(text);
  return text === 'true' || text === 'false' ? () => text === 'true' : undefined;
}
