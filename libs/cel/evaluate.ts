/** From a checked expression to a program: closures that compute, and count what it costs. */
import type { Expr, Fold, Literal } from './ast.ts';
import type { Checked } from './check.ts';
import { callCost, exactly, sizeOfValue } from './cost-model.ts';
import type { Overload } from './declare.ts';
import { nameOfType, plain, type Type } from './types.ts';
import {
  CostError,
  display,
  EvaluationError,
  ListValue,
  MapValue,
  NONE,
  nameOf,
  ObjectValue,
  Optional,
  TypeValue,
  Uint,
  type Value,
} from './values.ts';

/** An expression that can be run, any number of times. */
export interface Program {
  readonly type: Type;
  /**
   * Computes the value. Throws `EvaluationError` where the expression fails upon these values, `CostError` where it costs
   * more than `costLimit`. Variables that are undefined count as unknown names: errors.
   */
  run(
    variables: Readonly<Record<string, Value | undefined>>,
    costLimit?: number,
  ): { readonly value: Value; readonly cost: number };
}

interface Run {
  readonly variables: Readonly<Record<string, Value | undefined>>;
  /** Values of the variables of macros; what failed is kept until somebody asks for it. */
  readonly slots: (Value | EvaluationError)[];
  readonly limit: number;
  cost: number;
}

type Evaluate = (run: Run) => Value;

export function compileProgram(checked: Checked): Program {
  const compiler = new Compiler(checked);
  const evaluate = compiler.compile(checked.expr);
  return {
    type: checked.type,
    run(variables, costLimit = Number.POSITIVE_INFINITY) {
      const run: Run = { variables, slots: new Array(compiler.slots) as Run['slots'], limit: costLimit, cost: 0 };
      try {
        const value = evaluate(run);
        return { value, cost: run.cost };
      } catch (error) {
        if (error instanceof RangeError) throw new EvaluationError('expression is nested too deeply');
        throw error;
      }
    },
  };
}

function spend(run: Run, cost: number): void {
  run.cost += cost;
  if (run.cost > run.limit) throw new CostError('operation cancelled: actual cost limit exceeded');
}

class Compiler {
  slots = 0;
  readonly #checked: Checked;
  readonly #scopes: Map<string, number>[] = [];

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  compile(expr: Expr): Evaluate {
    switch (expr.k) {
      case 'literal': {
        const value = valueOfLiteral(expr.value);
        return () => value;
      }
      case 'ident':
        return this.#ident(expr, this.#checked.nameOf(expr) ?? expr.name);
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

  #slotOf(name: string): number | undefined {
    for (let i = this.#scopes.length - 1; i >= 0; i--) {
      const slot = this.#scopes[i]?.get(name);
      if (slot !== undefined) return slot;
    }
    return undefined;
  }

  #ident(expr: Expr, name: string): Evaluate {
    const slot = this.#slotOf(name);
    if (slot !== undefined) {
      return (run) => {
        spend(run, 1);
        const value = run.slots[slot] as Value | EvaluationError;
        if (value instanceof EvaluationError) throw value;
        return value;
      };
    }
    const type = plain(this.#checked.typeOf(expr));
    const typeValue = type.k === 'type' ? new TypeValue(nameOfType(type.of)) : undefined;
    return (run) => {
      spend(run, 1);
      const value = Object.hasOwn(run.variables, name) ? run.variables[name] : undefined;
      if (value !== undefined) return value;
      if (typeValue) return typeValue;
      throw new EvaluationError(`no such attribute: ${name}`);
    };
  }

  #select(expr: Extract<Expr, { k: 'select' }>): Evaluate {
    const name = this.#checked.nameOf(expr);
    if (name !== undefined) return this.#ident(expr, name);
    const operand = this.compile(expr.operand);
    const { field } = expr;
    if (expr.test) return (run) => hasField(operand(run), field);
    return (run) => {
      const value = operand(run);
      spend(run, 1);
      if (value instanceof Optional) return optionalField(value, field);
      const found = fieldOf(value, field);
      if (found === undefined) throw new EvaluationError(`no such key: ${field}`);
      return found;
    };
  }

  #call(expr: Extract<Expr, { k: 'call' }>): Evaluate {
    const named = this.#checked.nameOf(expr) !== undefined;
    const args = expr.target && !named ? [expr.target, ...expr.args] : expr.args;
    switch (expr.fn) {
      case '_&&_':
        return this.#logical(args, false);
      case '_||_':
        return this.#logical(args, true);
      case '_?_:_':
        return this.#ternary(args);
      case '@not_strictly_false': {
        const inner = this.compile(args[0] as Expr);
        return (run) => {
          try {
            return inner(run) !== false;
          } catch (error) {
            if (error instanceof EvaluationError) return true;
            throw error;
          }
        };
      }
      case '_[_]':
        return this.#index(args);
      case '_[?_]':
      case '_?._':
        return this.#optionalIndex(args);
      default:
        return this.#dispatch(expr, args);
    }
  }

  /** `&&` and `||`: the side that decides is enough, even where the other one fails. */
  #logical(args: readonly Expr[], decides: boolean): Evaluate {
    const [left, right] = args.map((arg) => this.compile(arg)) as [Evaluate, Evaluate];
    const side = (evaluate: Evaluate, run: Run): boolean | EvaluationError => {
      try {
        const value = evaluate(run);
        return typeof value === 'boolean' ? value : new EvaluationError('no such overload');
      } catch (error) {
        if (error instanceof EvaluationError) return error;
        throw error;
      }
    };
    return (run) => {
      const first = side(left, run);
      if (first === decides) return decides;
      const second = side(right, run);
      if (second === decides) return decides;
      if (first instanceof EvaluationError) throw first;
      if (second instanceof EvaluationError) throw second;
      return !decides;
    };
  }

  #ternary(args: readonly Expr[]): Evaluate {
    const [test, yes, no] = args.map((arg) => this.compile(arg)) as [Evaluate, Evaluate, Evaluate];
    return (run) => {
      const value = test(run);
      if (typeof value !== 'boolean') throw new EvaluationError('no such overload');
      return value ? yes(run) : no(run);
    };
  }

  #index(args: readonly Expr[]): Evaluate {
    const [operand, index] = args.map((arg) => this.compile(arg)) as [Evaluate, Evaluate];
    return (run) => {
      const value = operand(run);
      const key = index(run);
      spend(run, 1);
      if (value instanceof Optional) return optionalAt(value, key);
      const found = elementOf(value, key);
      if (found !== undefined) return found;
      const what = value instanceof ListValue ? 'index out of bounds' : 'no such key';
      throw new EvaluationError(`${what}: ${display(key)}`);
    };
  }

  #optionalIndex(args: readonly Expr[]): Evaluate {
    const [operand, index] = args.map((arg) => this.compile(arg)) as [Evaluate, Evaluate];
    return (run) => {
      const value = operand(run);
      const key = index(run);
      spend(run, 1);
      if (value instanceof Optional) return optionalAt(value, key);
      const found = elementOf(value, key);
      return found === undefined ? NONE : new Optional(found);
    };
  }

  #dispatch(expr: Expr, args: readonly Expr[]): Evaluate {
    const overloads = this.#checked.overloadsOf(expr);
    const compiled = args.map((arg) => this.compile(arg));
    return (run) => {
      const values = compiled.map((evaluate) => evaluate(run));
      const overload = overloads.find(({ accepts }) => accepts.every((accept, i) => accept(values[i] as Value)));
      if (!overload) throw new EvaluationError('no such overload');
      spend(run, costOf(overload, values));
      return (overload.run as (...values: Value[]) => Value)(...values);
    };
  }

  #list(expr: Extract<Expr, { k: 'list' }>): Evaluate {
    const items = expr.items.map((item, i) => ({ evaluate: this.compile(item), optional: expr.optional.has(i) }));
    return (run) => {
      spend(run, 10);
      const values: Value[] = [];
      for (const { evaluate, optional } of items) {
        const value = evaluate(run);
        if (!optional) values.push(value);
        else if (value instanceof Optional) {
          if (value.value !== undefined) values.push(value.value);
        } else
          throw new EvaluationError(
            `cannot initialize optional list element from non-optional value ${display(value)}`,
          );
      }
      return new ListValue(values);
    };
  }

  #map(expr: Extract<Expr, { k: 'map' }>): Evaluate {
    const entries = expr.entries.map(({ key, value, optional }) => ({
      key: this.compile(key),
      value: this.compile(value),
      optional,
    }));
    return (run) => {
      spend(run, 30);
      const made: (readonly [Value, Value])[] = [];
      for (const { key, value, optional } of entries) {
        const one = value(run);
        if (!optional) made.push([key(run), one]);
        else if (one instanceof Optional) {
          if (one.value !== undefined) made.push([key(run), one.value]);
        } else throw new EvaluationError(`cannot initialize optional entry from non-optional value ${display(one)}`);
      }
      return new MapValue(made);
    };
  }

  #struct(expr: Extract<Expr, { k: 'struct' }>): Evaluate {
    const type = plain(this.#checked.typeOf(expr));
    const fields = expr.fields.map(({ name, value, optional }) => ({ name, value: this.compile(value), optional }));
    return (run) => {
      spend(run, 40);
      const raw: Record<string, Value> = {};
      for (const { name, value, optional } of fields) {
        const one = value(run);
        if (!optional) raw[name] = one;
        else if (one instanceof Optional && one.value !== undefined) raw[name] = one.value;
      }
      if (type.k !== 'object') throw new EvaluationError(`unknown type: ${expr.name}`);
      return new ObjectValue(type, raw, (value) => value as Value);
    };
  }

  #fold(expr: Fold): Evaluate {
    const range = this.compile(expr.range);
    const init = this.compile(expr.init);
    const [accu, first, second] = [this.slots++, this.slots++, this.slots++];
    this.#scopes.push(new Map([[expr.accuVar, accu]]));
    const vars = new Map([[expr.iterVar, first]]);
    if (expr.iterVar2 !== undefined) vars.set(expr.iterVar2, second);
    this.#scopes.push(vars);
    const endless = expr.condition.k === 'literal' && expr.condition.value === true;
    const condition = this.compile(expr.condition);
    const step = this.#appending(expr) ?? this.compile(expr.step);
    this.#scopes.pop();
    const result = this.compile(expr.result);
    this.#scopes.pop();
    const two = expr.iterVar2 !== undefined;
    return (run) => {
      const over = range(run);
      run.slots[accu] = init(run);
      for (const [key, value] of walk(over, two)) {
        if (!endless && condition(run) !== true) break;
        spend(run, 0);
        run.slots[first] = key;
        run.slots[second] = value;
        try {
          run.slots[accu] = step(run);
        } catch (error) {
          if (!(error instanceof EvaluationError) || endless) throw error;
          run.slots[accu] = error;
        }
      }
      return result(run);
    };
  }

  /** Steps that add one item to the list that is being made add it in place: nobody else has seen that list yet. */
  #appending(expr: Fold): Evaluate | undefined {
    if (expr.init.k !== 'list' || expr.init.items.length > 0) return undefined;
    const append = (step: Expr): Evaluate | undefined => {
      if (step.k !== 'call' || step.fn !== '_+_') return undefined;
      const [left, right] = step.args;
      if (left?.k !== 'ident' || left.name !== expr.accuVar || right?.k !== 'list') return undefined;
      const slot = this.#slotOf(expr.accuVar) as number;
      const item = this.compile(right.items[0] as Expr);
      return (run) => {
        const list = run.slots[slot] as ListValue;
        // What the addition itself would cost: the variable, the literal, the sum.
        spend(run, 12);
        (list.items as Value[]).push(item(run));
        return list;
      };
    };
    const { step } = expr;
    if (step.k !== 'call' || step.fn !== '_?_:_') return append(step);
    const [test, added] = step.args as [Expr, Expr];
    const appended = append(added);
    if (!appended) return undefined;
    const holds = this.compile(test);
    const slot = this.#slotOf(expr.accuVar) as number;
    return (run) => {
      const value = holds(run);
      if (typeof value !== 'boolean') throw new EvaluationError('no such overload');
      return value ? appended(run) : (run.slots[slot] as ListValue);
    };
  }
}

function* walk(over: Value, two: boolean): Iterable<readonly [Value, Value]> {
  if (over instanceof ListValue) {
    for (let i = 0; i < over.items.length; i++) {
      const item = over.items[i] as Value;
      yield two ? [BigInt(i), item] : [item, item];
    }
  } else if (over instanceof MapValue) yield* over.entries();
  else throw new EvaluationError(`got '${nameOf(over)}', expected iterable type`);
}

function valueOfLiteral(value: Literal): Value {
  return typeof value === 'object' && value !== null && 'uint' in value ? new Uint(value.uint) : (value as Value);
}

function costOf(overload: Overload, values: readonly Value[]): number {
  const first = values[0];
  const items = first instanceof ListValue ? first.items : undefined;
  const textual = items?.[0] instanceof Uint8Array || typeof items?.[0] === 'string';
  return callCost({
    fn: overload.fn,
    id: overload.id,
    sizes: values.map((value) => exactly(sizeOfValue(value))),
    ...(textual && items ? { elementSize: exactly(Math.max(...items.map(sizeOfValue), 0)) } : {}),
  }).cost.max;
}

function fieldOf(value: Value, field: string): Value | undefined {
  if (value instanceof ObjectValue || value instanceof MapValue) return value.get(field);
  throw new EvaluationError(`no such key: ${field}`);
}

function hasField(value: Value, field: string): boolean {
  if (value instanceof ObjectValue || value instanceof MapValue) return value.has(field);
  if (value instanceof Optional) return value.value !== undefined && hasField(value.value, field);
  throw new EvaluationError(`no such key: ${field}`);
}

function elementOf(value: Value, key: Value): Value | undefined {
  if (value instanceof ListValue) {
    const index = key instanceof Uint ? key.value : key;
    if (typeof index !== 'bigint' && !(typeof index === 'number' && Number.isInteger(index))) {
      throw new EvaluationError(`unsupported index type '${nameOf(key)}' in list`);
    }
    return value.items[Number(index)];
  }
  if (value instanceof MapValue) return value.get(key);
  if (value instanceof ObjectValue && typeof key === 'string') return value.get(key);
  throw new EvaluationError('no such overload');
}

function optionalField(value: Optional, field: string): Optional {
  if (value.value === undefined) return NONE;
  const found = fieldOf(value.value, field);
  return found === undefined ? NONE : new Optional(found);
}

function optionalAt(value: Optional, key: Value): Optional {
  if (value.value === undefined) return NONE;
  const found = elementOf(value.value, key);
  return found === undefined ? NONE : new Optional(found);
}
