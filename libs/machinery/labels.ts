/**
 * Label selectors, in both forms: text (`app=web,tier in (a,b),!old,n>1`) and `meta.v1.LabelSelector`.
 *
 * Parsed once, matched often: `selector.matches(labels)` allocates nothing.
 */
import { invalid, type Path, type Place, path as pathOf, textOf } from './field-errors.ts';
import { labelValue, qualifiedName } from './names.ts';
import { compareBytes, quote } from './quote.ts';

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Sorted, without repetition. */
  readonly values: readonly string[];
}

/** `meta.v1.LabelSelector`. */
export interface LabelSelectorSpec {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key?: string;
    readonly operator?: string;
    readonly values?: readonly string[];
  }[];
}

export type Labels = Readonly<Record<string, string>>;

/** Thrown for text or objects that are no label selector; the message is the one clients see. */
export class LabelSelectorError extends Error {
  override readonly name = 'LabelSelectorError';
}

const noLabels: Labels = Object.freeze({});
const integer = /^[+-]?[0-9]+$/;

function asInteger(text: string): bigint | undefined {
  if (!integer.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function requirementMatches({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const has = Object.hasOwn(labels, key);
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return has && values.includes(labels[key] as string);
    case '!=':
    case 'notin':
      return !has || !values.includes(labels[key] as string);
    case 'exists':
      return has;
    case '!':
      return !has;
    default: {
      if (!has) return false;
      const actual = asInteger(labels[key] as string);
      const bound = asInteger(values[0] as string);
      if (actual === undefined || bound === undefined) return false;
      return operator === 'gt' ? actual > bound : actual < bound;
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${values.join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    default:
      return `${key}${operator}${values[0]}`;
  }
}

/** All requirements must hold. Without any it matches everything; `nothing` matches no labels at all. */
export class LabelSelector {
  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements =
      requirements.length > 1 ? requirements.toSorted((a, b) => compareBytes(a.key, b.key)) : requirements.slice();
    this.#nothing = nothing;
  }

  /** Whether it matches everything. */
  get empty(): boolean {
    return this.requirements.length === 0 && !this.#nothing;
  }

  get matchesNothing(): boolean {
    return this.#nothing;
  }

  matches(labels: Labels | undefined): boolean {
    if (this.#nothing) return false;
    const { requirements } = this;
    for (let at = 0; at < requirements.length; at++) {
      if (!requirementMatches(requirements[at] as LabelRequirement, labels ?? noLabels)) return false;
    }
    return true;
  }

  /** The value that the label must have; undefined where others are allowed too. */
  exactMatch(key: string): string | undefined {
    for (const { key: at, operator, values } of this.requirements) {
      if (at === key && values.length === 1 && (operator === '=' || operator === '==' || operator === 'in')) {
        return values[0];
      }
    }
    return undefined;
  }

  /** This and more: both must match. */
  and(requirements: readonly LabelRequirement[]): LabelSelector {
    return new LabelSelector([...this.requirements, ...requirements], this.#nothing);
  }

  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

export const everything: LabelSelector = new LabelSelector([]);
export const nothing: LabelSelector = new LabelSelector([], true);

// ── checking ───────────────────────────────────────────────────────────────────────────────────────────────────────

function fail(at: Place, value: unknown, detail: string): never {
  throw new LabelSelectorError(textOf(invalid(at, value, detail)));
}

function checkKey(key: string, at: Path | undefined): void {
  const errors = qualifiedName(key);
  if (errors.length > 0) fail(at, key, errors.join('; '));
}

/** Makes a requirement. @throws LabelSelectorError where key, operator and values do not fit together */
export function requirement(
  key: string,
  operator: LabelOperator,
  values: readonly string[],
  at?: Path,
): LabelRequirement {
  checkKey(key, at);
  const sorted = [...new Set(values)].sort(compareBytes);
  const valuesAt = at === undefined ? pathOf('values') : at.child('values');
  if (operator === 'in' || operator === 'notin') {
    if (sorted.length === 0) fail(valuesAt, values, "for 'in', 'notin' operators, values set can't be empty");
  } else if (operator === 'exists' || operator === '!') {
    if (sorted.length > 0) fail(valuesAt, values, 'values set must be empty for exists and does not exist');
  } else if (operator === 'gt' || operator === 'lt') {
    if (sorted.length !== 1) fail(valuesAt, values, "for 'Gt', 'Lt' operators, exactly one value is required");
    if (asInteger(sorted[0] as string) === undefined) {
      fail(valuesAt.index(0), sorted[0], "for 'Gt', 'Lt' operators, the value must be an integer");
    }
  } else if (sorted.length !== 1) {
    fail(valuesAt, values, 'exact-match compatibility requires one single value');
  }
  for (const [index, value] of sorted.entries()) {
    const errors = labelValue(value);
    if (errors.length > 0) fail(valuesAt.index(index).key(key), value, errors.join('; '));
  }
  return { key, operator, values: sorted };
}

// ── text ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type Token = { readonly kind: 'word' | 'symbol'; readonly text: string } | { readonly kind: 'end'; readonly text: '' };

const tokenForm = /[ \t\r\n]*(?:([^ \t\r\n=!(),<>]+)|(==|!=|[=!(),<>]))/y;
const end: Token = { kind: 'end', text: '' };

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  tokenForm.lastIndex = 0;
  const form = new RegExp(tokenForm);
  for (let match = form.exec(text); match !== null; match = form.exec(text)) {
    tokens.push(
      match[1] === undefined ? { kind: 'symbol', text: match[2] as string } : { kind: 'word', text: match[1] },
    );
  }
  return tokens;
}

class SelectorReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? end;
  }

  #next(): Token {
    return this.#tokens[this.#at++] ?? end;
  }

  #refuse(token: Token, expected: string): never {
    throw new LabelSelectorError(`found '${token.text}', expected: ${expected}`);
  }

  all(): LabelRequirement[] {
    const found: LabelRequirement[] = [];
    const first = this.#peek();
    if (first.kind === 'end') return found;
    if (first.kind !== 'word' && first.text !== '!') this.#refuse(first, "!, identifier, or 'end of string'");
    for (;;) {
      found.push(this.#prefixed(() => this.#requirement()));
      const after = this.#next();
      if (after.kind === 'end') return found;
      if (after.text !== ',' || after.kind !== 'symbol') this.#refuse(after, "',' or 'end of string'");
      const following = this.#peek();
      if (following.kind !== 'word' && following.text !== '!') this.#refuse(following, "identifier after ','");
    }
  }

  #prefixed<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof LabelSelectorError)) throw error;
      throw new LabelSelectorError(`unable to parse requirement: ${error.message}`);
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#next();
    const negated = token.kind === 'symbol' && token.text === '!';
    if (negated) token = this.#next();
    if (token.kind !== 'word') this.#refuse(token, 'identifier');
    const key = token.text;
    checkKey(key, undefined);
    if (negated) return requirement(key, '!', []);
    const following = this.#peek();
    if (following.kind === 'end' || following.text === ',') return requirement(key, 'exists', []);
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#value()];
    return requirement(key, operator, values);
  }

  #operator(): LabelOperator {
    const token = this.#next();
    switch (token.text) {
      case '=':
      case '==':
      case '!=':
      case 'in':
      case 'notin':
        return token.text;
      case '>':
        return 'gt';
      case '<':
        return 'lt';
      default:
        return this.#refuse(token, 'in, notin, =, ==, !=, gt, lt');
    }
  }

  #value(): string {
    const token = this.#peek();
    if (token.kind === 'end' || token.text === ',') return '';
    this.#at++;
    return token.kind === 'word' ? token.text : this.#refuse(token, 'identifier');
  }

  /** `(a,b)`; between, before and after commas an empty value may stand. */
  #values(): string[] {
    const open = this.#next();
    if (open.text !== '(') throw new LabelSelectorError(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    let wanting = true;
    for (;;) {
      const token = this.#next();
      if (token.kind === 'word') {
        if (!wanting) this.#refuse(token, "',' or ')'");
        values.push(token.text);
        wanting = false;
      } else if (token.text === ',') {
        if (wanting) values.push('');
        wanting = true;
      } else if (token.text === ')') {
        if (wanting) values.push('');
        return values;
      } else {
        this.#refuse(
          token,
          !wanting ? "',' or ')'" : values.length === 0 ? "',', ')' or identifier" : "',', or identifier",
        );
      }
    }
  }
}

/**
 * Reads a selector's text; the empty one matches everything.
 *
 * @throws LabelSelectorError
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = new SelectorReader(text).all();
  return requirements.length === 0 ? everything : new LabelSelector(requirements);
}

// ── objects ────────────────────────────────────────────────────────────────────────────────────────────────────────

const expressionOperators: Readonly<Record<string, LabelOperator>> = Object.freeze({
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
});

/** What was made of objects that never change: controllers look with the same selector at each turn. */
const ofSpecs = new WeakMap<LabelSelectorSpec, LabelSelector>();
const ofLabels = new WeakMap<Labels, LabelSelector>();

function compiledOnce<T extends object>(
  of: T,
  compiled: WeakMap<T, LabelSelector>,
  compile: (of: T) => LabelSelector,
): LabelSelector {
  if (!Object.isFrozen(of)) return compile(of);
  let selector = compiled.get(of);
  if (!selector) compiled.set(of, (selector = compile(of)));
  return selector;
}

/**
 * Compiles a `LabelSelector` object: absent matches nothing, an empty one everything.
 *
 * @throws LabelSelectorError
 */
export function labelSelectorOf(spec: LabelSelectorSpec | null | undefined): LabelSelector {
  return spec === null || spec === undefined ? nothing : compiledOnce(spec, ofSpecs, compileSpec);
}

function compileSpec(spec: LabelSelectorSpec): LabelSelector {
  const requirements = Object.entries(spec.matchLabels ?? {}).map(([key, value]) => requirement(key, '=', [value]));
  for (const { key = '', operator = '', values = [] } of spec.matchExpressions ?? []) {
    const known = Object.hasOwn(expressionOperators, operator) ? expressionOperators[operator] : undefined;
    if (known === undefined) {
      throw new LabelSelectorError(`${quote(operator)} is not a valid label selector operator`);
    }
    requirements.push(requirement(key, known, values));
  }
  return requirements.length === 0 ? everything : new LabelSelector(requirements);
}

/** All of the labels given must be there; without any it matches everything (`Service.spec.selector` and the like). */
export function selectorOfLabels(labels: Labels | undefined): LabelSelector {
  return labels ? compiledOnce(labels, ofLabels, compileLabels) : everything;
}

function compileLabels(labels: Labels): LabelSelector {
  const requirements = Object.entries(labels).map(
    ([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] }),
  );
  return requirements.length === 0 ? everything : new LabelSelector(requirements);
}

/** A `LabelSelector` object in a table's cell: its text, `<none>` or `<error>`. */
export function formatLabelSelector(spec: LabelSelectorSpec | null | undefined): string {
  try {
    return labelSelectorOf(spec).toString() || '<none>';
  } catch {
    return '<error>';
  }
}

/** Labels as `a=1,b=2`, sorted; `<none>` without any. */
export function formatLabels(labels: Labels | undefined): string {
  const keys = Object.keys(labels ?? {}).sort(compareBytes);
  return keys.length === 0 ? '<none>' : keys.map((key) => `${key}=${labels?.[key]}`).join(',');
}
