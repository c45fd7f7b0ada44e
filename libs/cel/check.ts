/** The type checker: what an expression's parts are, and which overloads its calls may reach. */
import type { Expr, Fold, Literal } from './ast.ts';
import type { Overload } from './declare.ts';
import type { Environment } from './environment.ts';
import { CompileError, type Issue } from './issues.ts';
import { typeNameOf } from './parser.ts';
import { assignable, fresh, join, Substitution, substitute } from './substitution.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DYN,
  ERROR,
  formatType,
  INT,
  isDyn,
  listOf,
  mapOf,
  NULL,
  optionalIn,
  optionalOf,
  plain,
  STRING,
  type Type,
  UINT,
} from './types.ts';

/** What checking found out; `Expr`s are the keys. */
export interface Checked {
  readonly expr: Expr;
  readonly type: Type;
  typeOf(expr: Expr): Type;
  /** The overloads that a call may reach. */
  overloadsOf(expr: Expr): readonly Overload[];
  /** The name of a variable, type or function that a chain of names stands for; undefined where it is a chain of fields. */
  nameOf(expr: Expr): string | undefined;
}

/** Checks an expression against what is declared. @throws CompileError */
export function check(source: string, expr: Expr, environment: Environment): Checked {
  const checker = new Checker(environment);
  const type = checker.check(expr);
  if (checker.issues.length > 0) throw new CompileError(source, checker.issues);
  return checker.result(expr, type);
}

class Checker {
  readonly issues: Issue[] = [];
  /** Literals whose parts may be of several types: what is formatted. */
  readonly #mixed = new Set<Expr>();
  readonly #environment: Environment;
  readonly #types = new Map<Expr, Type>();
  readonly #overloads = new Map<Expr, readonly Overload[]>();
  readonly #names = new Map<Expr, string>();
  readonly #substitution = new Substitution();
  /** Variables of the macros around, innermost last. */
  readonly #scopes: Map<string, Type>[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  result(expr: Expr, type: Type): Checked {
    const settle = (of: Type) => substitute(of, this.#substitution, true);
    const types = new Map([...this.#types].map(([one, of]) => [one, settle(of)]));
    return {
      expr,
      type: settle(type),
      typeOf: (one) => types.get(one) ?? DYN,
      overloadsOf: (one) => this.#overloads.get(one) ?? [],
      nameOf: (one) => this.#names.get(one),
    };
  }

  check(expr: Expr): Type {
    const type = this.#infer(expr);
    this.#types.set(expr, type);
    return type;
  }

  #issue(at: number, message: string): Type {
    this.issues.push({ at, message });
    return ERROR;
  }

  #resolve(type: Type): Type {
    return substitute(type, this.#substitution, false);
  }

  #infer(expr: Expr): Type {
    switch (expr.k) {
      case 'literal':
        return typeOfLiteral(expr.value);
      case 'ident':
        return this.#ident(expr);
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'fold':
        return this.#fold(expr);
    }
  }

  #lookup(name: string): Type | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const found = this.#scopes[i]?.get(name);
      if (found) return found;
    }
    return this.#environment.variable(name) ?? this.#environment.typeNamed(name);
  }

  #ident(expr: Extract<Expr, { k: 'ident' }>): Type {
    const name = expr.name.replace(/^\./, '');
    const found = this.#lookup(name);
    if (!found) return this.#issue(expr.at, `undeclared reference to '${name}' (in container '')`);
    this.#names.set(expr, name);
    return found;
  }

  #select(expr: Extract<Expr, { k: 'select' }>): Type {
    const qualified = expr.test ? undefined : typeNameOf(expr);
    const named = qualified === undefined ? undefined : this.#lookup(qualified);
    if (named && qualified !== undefined) {
      this.#names.set(expr, qualified);
      return named;
    }
    const operand = this.#resolve(this.check(expr.operand));
    const wrapped = optionalIn(operand);
    const field = this.#fieldOf(expr, wrapped ?? operand, expr.field);
    if (expr.test) return BOOL;
    return wrapped ? optionalOf(field) : field;
  }

  #fieldOf(expr: Expr, target: Type, name: string): Type {
    const type = plain(target);
    switch (type.k) {
      case 'dyn':
      case 'error':
        return type;
      case 'map':
        return type.of;
      case 'object':
        return type.fields.get(name)?.type ?? this.#issue(expr.at, `undefined field '${name}'`);
      case 'param':
        this.#substitution.set(type.name, DYN);
        return DYN;
      default:
        return this.#issue(expr.at, `type '${formatType(type)}' does not support field selection`);
    }
  }

  #call(expr: Extract<Expr, { k: 'call' }>): Type {
    const { target } = expr;
    const qualified = target && typeNameOf(target);
    const full = qualified === undefined ? undefined : `${qualified}.${expr.fn}`;
    // `ip.isCanonical(…)` is a function with a dot in its name, unless there is a variable `ip`.
    if (full !== undefined && this.#environment.functions(full).length > 0 && !this.#isVariable(qualified as string)) {
      this.#names.set(expr, full);
      return this.#overload(expr, full, false, expr.args);
    }
    if (expr.fn === '_?._') return this.#optionalSelect(expr);
    if (expr.fn === 'format') for (const arg of expr.args) this.#mixed.add(arg);
    return this.#overload(expr, expr.fn, target !== undefined, target ? [target, ...expr.args] : expr.args);
  }

  #isVariable(name: string): boolean {
    return this.#scopes.some((scope) => scope.has(name)) || this.#environment.variable(name) !== undefined;
  }

  #optionalSelect(expr: Extract<Expr, { k: 'call' }>): Type {
    const [operand, field] = expr.args as [Expr, Extract<Expr, { k: 'literal' }>];
    const type = this.#resolve(this.check(operand));
    this.check(field);
    return optionalOf(this.#fieldOf(expr, optionalIn(type) ?? type, String(field.value)));
  }

  #overload(expr: Expr, fn: string, member: boolean, args: readonly Expr[]): Type {
    const types = args.map((arg) => this.#resolve(this.check(arg)));
    const all = this.#environment.functions(fn);
    if (all.length === 0) return this.#issue(expr.at, `undeclared reference to '${fn}' (in container '')`);
    if (types.some((type) => type.k === 'error')) return ERROR;
    const reached: Overload[] = [];
    let result: Type | undefined;
    for (const overload of all) {
      if (overload.member !== member || overload.args.length !== args.length) continue;
      const names = new Map<string, Type>();
      const trial = this.#substitution.fork();
      if (
        !overload.args.every((wanted, i) =>
          assignable(types[i] as Type, fresh(wanted, names, this.#substitution), trial),
        )
      ) {
        continue;
      }
      reached.push(overload);
      // The first that fits decides what is still open; where several fit, nothing is sure.
      if (reached.length === 1) this.#substitution.adopt(trial);
      const one = substitute(fresh(overload.result, names, this.#substitution), trial, false);
      result = result === undefined || formatType(result) === formatType(one) ? one : DYN;
    }
    if (result === undefined) {
      const shown = types.map((type) => formatType(this.#resolve(type)));
      const applied = member ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`;
      return this.#issue(expr.at, `found no matching overload for '${fn}' applied to '${applied}'`);
    }
    this.#overloads.set(expr, reached);
    return result;
  }

  /** The type that all parts of a literal have in common; unlike ones are refused at the first that differs. */
  #common(known: Type | undefined, next: Type, at: number): Type {
    if (!known) return next;
    const joined = join(known, next, this.#substitution);
    if (joined) return joined;
    this.#issue(at, `expected type '${formatType(this.#resolve(known))}' but found '${formatType(next)}'`);
    return known;
  }

  #unwrap(type: Type, optional: boolean, at: number): Type {
    if (!optional) return type;
    const inner = optionalIn(type);
    if (inner) return inner;
    return isDyn(type)
      ? type
      : this.#issue(at, `expected type 'optional_type(${formatType(type)})' but found '${formatType(type)}'`);
  }

  #list(expr: Extract<Expr, { k: 'list' }>): Type {
    let item: Type | undefined;
    if (this.#mixed.has(expr)) {
      for (const one of expr.items) {
        this.#mixed.add(one);
        this.check(one);
      }
      return listOf(DYN);
    }
    expr.items.forEach((one, i) => {
      const type = this.#unwrap(this.#resolve(this.check(one)), expr.optional.has(i), one.at);
      item = this.#common(item, type, one.at);
    });
    return listOf(item ?? this.#substitution.open());
  }

  #map(expr: Extract<Expr, { k: 'map' }>): Type {
    let key: Type | undefined;
    let value: Type | undefined;
    if (this.#mixed.has(expr)) {
      for (const entry of expr.entries) {
        for (const one of [entry.key, entry.value]) {
          this.#mixed.add(one);
          this.check(one);
        }
      }
      return mapOf(DYN, DYN);
    }
    for (const entry of expr.entries) {
      key = this.#common(key, this.#resolve(this.check(entry.key)), entry.key.at);
      const type = this.#unwrap(this.#resolve(this.check(entry.value)), entry.optional, entry.value.at);
      value = this.#common(value, type, entry.value.at);
    }
    return mapOf(key ?? this.#substitution.open(), value ?? this.#substitution.open());
  }

  #struct(expr: Extract<Expr, { k: 'struct' }>): Type {
    const named = this.#environment.objectNamed(expr.name);
    if (!named) {
      for (const { value } of expr.fields) this.check(value);
      return this.#issue(expr.at, `undeclared reference to '${expr.name}' (in container '')`);
    }
    for (const { name, value, optional, at } of expr.fields) {
      const type = this.#unwrap(this.#resolve(this.check(value)), optional, value.at);
      const field = named.fields.get(name);
      if (!field) this.#issue(at, `undefined field '${name}'`);
      else if (!assignable(type, field.type, this.#substitution)) {
        const [wanted, found] = [formatType(field.type), formatType(type)];
        this.#issue(at, `expected type of field '${name}' is '${wanted}' but provided type is '${found}'`);
      }
    }
    return named;
  }

  #fold(expr: Fold): Type {
    const range = this.#resolve(this.check(expr.range));
    const init = this.check(expr.init);
    const [first, second] = this.#walked(expr, plain(range));
    this.#scopes.push(new Map([[expr.accuVar, init]]));
    const vars = new Map<string, Type>([[expr.iterVar, expr.iterVar2 === undefined ? second : first]]);
    if (plain(range).k === 'map' && expr.iterVar2 === undefined) vars.set(expr.iterVar, first);
    if (expr.iterVar2 !== undefined) vars.set(expr.iterVar2, second);
    this.#scopes.push(vars);
    const condition = this.check(expr.condition);
    if (!assignable(condition, BOOL, this.#substitution)) {
      this.#issue(expr.condition.at, `expected type 'bool' but found '${formatType(condition)}'`);
    }
    const step = this.#resolve(this.check(expr.step));
    if (!assignable(step, init, this.#substitution)) {
      const [wanted, found] = [formatType(this.#resolve(init)), formatType(step)];
      this.#issue(expr.step.at, `expected type '${wanted}' but found '${found}'`);
    }
    this.#scopes.pop();
    const result = this.check(expr.result);
    this.#scopes.pop();
    return this.#resolve(result);
  }

  /** What a walk goes over: index or key, and item or value. */
  #walked(expr: Fold, range: Type): readonly [Type, Type] {
    switch (range.k) {
      case 'list':
        return [INT, range.of];
      case 'map':
        return [range.key, range.of];
      case 'dyn':
      case 'error':
        return [DYN, DYN];
      case 'param':
        this.#substitution.set(range.name, DYN);
        return [DYN, DYN];
      default: {
        const text = `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`;
        this.#issue(expr.range.at, text);
        return [ERROR, ERROR];
      }
    }
  }
}

export function typeOfLiteral(value: Literal): Type {
  if (value === null) return NULL;
  switch (typeof value) {
    case 'boolean':
      return BOOL;
    case 'string':
      return STRING;
    case 'bigint':
      return INT;
    case 'number':
      return DOUBLE;
    default:
      return value instanceof Uint8Array ? BYTES : UINT;
  }
}
