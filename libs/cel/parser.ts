import type { Expr, MapEntry } from './ast.ts';
import { CompileError, type Issue } from './issues.ts';
import { type Token, tokenize } from './lexer.ts';
import { expandMacro, MacroError } from './macros.ts';
import { isReserved } from './types.ts';

/** Nesting deeper than this is refused. */
const DEPTH_MAX = 250;

const OPERAND =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Reads an expression and expands its macros. @throws CompileError */
export function parse(source: string): Expr {
  const issues: Issue[] = [];
  const tokens = tokenize(source, issues);
  const parser = new Parser(tokens, issues);
  let expr: Expr | undefined;
  try {
    expr = parser.whole();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  if (issues.length > 0 || !expr) throw new CompileError(source, issues);
  return expr;
}

/** Reading cannot go on; the issue has been noted. */
class Stop extends Error {}

/** By rising precedence; all from left to right. */
const BINARY: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['<', '<=', '>=', '>', '==', '!=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
];

class Parser {
  readonly #tokens: readonly Token[];
  readonly #issues: Issue[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], issues: Issue[]) {
    this.#tokens = tokens;
    this.#issues = issues;
  }

  whole(): Expr {
    const expr = this.#expr();
    const token = this.#peek();
    if (token.k !== 'end') {
      this.#fail(token, `extraneous input '${token.text}' expecting <EOF>`);
    }
    return expr;
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)] as Token;
  }

  #is(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.k === 'op' && token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next++;
    return true;
  }

  #expect(text: string): Token {
    const token = this.#peek();
    if (!this.#take(text)) this.#fail(token, `mismatched input '${token.text}' expecting '${text}'`);
    return token;
  }

  #fail(token: Token, message: string): never {
    this.#issues.push({ at: token.at, message: `Syntax error: ${message}` });
    throw new Stop();
  }

  #expr(): Expr {
    if (++this.#depth > DEPTH_MAX) {
      this.#issues.push({ at: -1, message: `expression recursion limit exceeded: ${DEPTH_MAX}` });
      throw new Stop();
    }
    const condition = this.#binary(0);
    const question = this.#peek();
    let expr = condition;
    if (this.#take('?')) {
      const yes = this.#binary(0);
      this.#expect(':');
      expr = { k: 'call', at: question.at, fn: '_?_:_', args: [condition, yes, this.#expr()] };
    }
    this.#depth--;
    return expr;
  }

  #binary(level: number): Expr {
    const operators = BINARY[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const token = this.#peek();
      if (token.k !== 'op' || !operators.includes(token.text)) return left;
      this.#next++;
      const right = this.#binary(level + 1);
      const fn = token.text === 'in' ? '@in' : `_${token.text}_`;
      left = { k: 'call', at: token.at, fn, args: [left, right] };
    }
  }

  #unary(): Expr {
    const token = this.#peek();
    for (const operator of ['!', '-']) {
      if (!this.#is(operator)) continue;
      let count = 0;
      while (this.#take(operator)) count++;
      const number = this.#peek();
      // A negative number is one number.
      if (operator === '-' && number.k === 'literal' && count % 2 === 1) {
        if (typeof number.value === 'bigint' || typeof number.value === 'number') {
          this.#next++;
          return this.#postfix({ k: 'literal', at: token.at, value: this.#inRange(-number.value, number) });
        }
      }
      const operand = this.#postfix(this.#primary());
      return count % 2 === 0 ? operand : { k: 'call', at: token.at, fn: `${operator}_`, args: [operand] };
    }
    return this.#postfix(this.#primary());
  }

  #inRange<T extends bigint | number>(value: T, token: Token): T {
    if (typeof value === 'bigint' && (value < -(2n ** 63n) || value >= 2n ** 63n)) {
      this.#issues.push({ at: token.at, message: 'Syntax error: invalid int literal' });
    }
    return value;
  }

  #primary(): Expr {
    const token = this.#peek();
    if (token.k === 'literal') {
      this.#next++;
      if (typeof token.value === 'bigint') this.#inRange(token.value, token);
      return { k: 'literal', at: token.at, value: token.value ?? null };
    }
    if (this.#take('(')) {
      const expr = this.#expr();
      this.#expect(')');
      return expr;
    }
    if (this.#is('[')) return this.#list();
    if (this.#is('{')) return this.#map();
    const dotted = this.#take('.');
    const name = this.#peek();
    if (name.k !== 'ident' || name.quoted) {
      const seen = this.#peek();
      return this.#fail(seen, `mismatched input '${seen.text}' expecting ${dotted ? 'IDENTIFIER' : OPERAND}`);
    }
    this.#next++;
    if (isReserved(name.text)) {
      this.#issues.push({ at: name.at, message: `reserved identifier: ${name.text}` });
    }
    if (this.#is('(')) return this.#call(name, undefined);
    return { k: 'ident', at: name.at, name: dotted ? `.${name.text}` : name.text };
  }

  #call(name: Token, target: Expr | undefined): Expr {
    const open = this.#expect('(');
    const args = this.#sequence(')');
    const call = { at: open.at, fn: name.text, args, ...(target ? { target } : {}) };
    try {
      return expandMacro(call) ?? { k: 'call', ...call };
    } catch (error) {
      if (!(error instanceof MacroError)) throw error;
      this.#issues.push({ at: error.at, message: error.message });
      return { k: 'literal', at: open.at, value: null };
    }
  }

  #sequence(end: string): Expr[] {
    const items: Expr[] = [];
    while (!this.#is(end)) {
      items.push(this.#expr());
      if (!this.#take(',')) break;
    }
    this.#expect(end);
    return items;
  }

  #list(): Expr {
    const open = this.#expect('[');
    const items: Expr[] = [];
    const optional = new Set<number>();
    while (!this.#is(']')) {
      if (this.#take('?')) optional.add(items.length);
      items.push(this.#expr());
      if (!this.#take(',')) break;
    }
    this.#expect(']');
    return { k: 'list', at: open.at, items, optional };
  }

  #map(): Expr {
    const open = this.#expect('{');
    const entries: MapEntry[] = [];
    while (!this.#is('}')) {
      const optional = this.#take('?');
      const key = this.#expr();
      this.#expect(':');
      entries.push({ key, value: this.#expr(), optional });
      if (!this.#take(',')) break;
    }
    this.#expect('}');
    return { k: 'map', at: open.at, entries };
  }

  #postfix(start: Expr): Expr {
    let expr = start;
    for (;;) {
      const token = this.#peek();
      if (this.#take('.')) {
        const optional = this.#take('?');
        const name = this.#peek();
        if (name.k !== 'ident') {
          const seen = name.text === '<EOF>' ? '.' : `.${name.text}`;
          const told = optional ? `mismatched input '${name.text}' expecting IDENTIFIER` : noWayOn(seen);
          this.#fail(name, told);
        }
        this.#next++;
        if (this.#is('(') && !optional && !name.quoted) expr = this.#call(name, expr);
        else if (optional) {
          const field: Expr = { k: 'literal', at: name.at, value: name.text };
          expr = { k: 'call', at: token.at, fn: '_?._', args: [expr, field] };
        } else expr = { k: 'select', at: token.at, operand: expr, field: name.text, test: false };
      } else if (this.#take('[')) {
        const optional = this.#take('?');
        const index = this.#expr();
        this.#expect(']');
        expr = { k: 'call', at: token.at, fn: optional ? '_[?_]' : '_[_]', args: [expr, index] };
      } else if (this.#is('{') && typeNameOf(expr) !== undefined) expr = this.#struct(expr);
      else return expr;
    }
  }

  #struct(type: Expr): Expr {
    const open = this.#expect('{');
    const fields = [];
    while (!this.#is('}')) {
      const optional = this.#take('?');
      const name = this.#peek();
      if (name.k !== 'ident') this.#fail(name, `mismatched input '${name.text}' expecting IDENTIFIER`);
      this.#next++;
      const colon = this.#expect(':');
      fields.push({ name: name.text, value: this.#expr(), optional, at: colon.at });
      if (!this.#take(',')) break;
    }
    this.#expect('}');
    return { k: 'struct', at: open.at, name: typeNameOf(type) as string, fields };
  }
}

/** `Object.spec` of a chain of names. */
export function typeNameOf(expr: Expr): string | undefined {
  if (expr.k === 'ident') return expr.name;
  if (expr.k !== 'select' || expr.test) return undefined;
  const operand = typeNameOf(expr.operand);
  return operand === undefined ? undefined : `${operand}.${expr.field}`;
}

const noWayOn = (seen: string): string => `no viable alternative at input '${seen}'`;
