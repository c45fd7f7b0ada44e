/**
 * What running an expression costs at most, told before it runs: from the bounds that schemas put on what it reads. What
 * nobody bounds counts as unbounded, so that such expressions are refused when they are written and not when they run.
 */
import { type Expr, type Fold, UNUSED } from './ast.ts';
import type { Checked } from './check.ts';
import { add, callCost, exactly, multiply, type Range, UNBOUNDED, union } from './cost-model.ts';
import { plain, type Type } from './types.ts';

const NOTHING = exactly(0);
const ONE = exactly(1);

/** The cost of running an expression once. `max` may be `Infinity`. */
export function estimateCost(checked: Checked): Range {
  return new Estimator(checked).cost(checked.expr);
}

class Estimator {
  readonly #checked: Checked;
  /** Sizes that follow from how a value is made. */
  readonly #sizes = new Map<Expr, Range>();
  /** Variables of macros that stand for made values. */
  readonly #made: Map<string, Range>[] = [];

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  cost(expr: Expr): Range {
    switch (expr.k) {
      case 'literal':
        return NOTHING;
      case 'ident':
        return ONE;
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return add(exactly(10), ...expr.items.map((item) => this.cost(item)));
      case 'map':
        return add(exactly(30), ...expr.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]));
      case 'struct':
        return add(exactly(40), ...expr.fields.map(({ value }) => this.cost(value)));
      case 'fold':
        return this.#fold(expr);
    }
  }

  #select(expr: Extract<Expr, { k: 'select' }>): Range {
    if (this.#checked.nameOf(expr) !== undefined) return ONE;
    const operand = this.cost(expr.operand);
    return expr.test ? operand : add(operand, ONE);
  }

  #call(expr: Extract<Expr, { k: 'call' }>): Range {
    const named = this.#checked.nameOf(expr) !== undefined;
    const args = expr.target && !named ? [expr.target, ...expr.args] : expr.args;
    const costs = args.map((arg) => this.cost(arg));
    switch (expr.fn) {
      case '_&&_':
      case '_||_':
        return { min: costs[0]?.min ?? 0, max: add(...costs).max };
      case '_?_:_': {
        const [test, yes, no] = costs as [Range, Range, Range];
        this.#sizes.set(expr, union(this.size(args[1] as Expr), this.size(args[2] as Expr)));
        return add(test, union(yes, no));
      }
      default:
        return add(...costs, this.#callAlone(expr, args));
    }
  }

  #callAlone(expr: Expr, args: readonly Expr[]): Range {
    const overloads = this.#checked.overloadsOf(expr);
    if (overloads.length === 0) return ONE;
    const sizes = args.map((arg) => this.size(arg));
    const elementSize = args[0] && this.#elementSize(args[0]);
    const last = args.at(-1);
    const literal = last?.k === 'literal' && typeof last.value === 'bigint' ? Number(last.value) : undefined;
    let cost: Range | undefined;
    let size: Range | undefined;
    for (const { fn, id } of overloads) {
      const one = callCost({
        fn,
        id,
        sizes,
        ...(elementSize ? { elementSize } : {}),
        ...(literal === undefined ? {} : { literal }),
      });
      cost = cost ? union(cost, one.cost) : one.cost;
      if (one.size) size = size ? union(size, one.size) : one.size;
    }
    if (size) this.#sizes.set(expr, size);
    return cost ?? ONE;
  }

  #fold(expr: Fold): Range {
    const range = this.cost(expr.range);
    const init = this.cost(expr.init);
    const count = this.size(expr.range);
    this.#made.push(new Map([[expr.accuVar, this.size(expr.init)]]));
    const loop = add(this.cost(expr.condition), this.cost(expr.step));
    const result = this.cost(expr.result);
    if (expr.iterVar === UNUSED) this.#sizes.set(expr, this.size(expr.result));
    this.#made.pop();
    if (expr.iterVar === UNUSED) return add(range, init, result);
    if (expr.init.k === 'list' || expr.init.k === 'map') this.#sizes.set(expr, { min: 0, max: count.max });
    else if (expr.init.k === 'literal') this.#sizes.set(expr, ONE);
    return add(range, init, result, multiply(count, loop));
  }

  /** How large a value may be: characters, bytes, elements. */
  size(expr: Expr): Range {
    const known = this.#sizes.get(expr);
    if (known) return known;
    switch (expr.k) {
      case 'literal':
        return sizeOfLiteral(expr.value);
      case 'list':
        return exactly(expr.items.length);
      case 'map':
        return exactly(expr.entries.length);
      case 'ident': {
        const made = this.#made.findLast((names) => names.has(expr.name))?.get(expr.name);
        const type = this.#checked.typeOf(expr);
        // The name of a type is as large as any other word.
        return made ?? (plain(type).k === 'type' ? ONE : sizeOfType(type, true));
      }
      case 'select': {
        const type = this.#checked.typeOf(expr);
        return plain(type).k === 'type' ? ONE : sizeOfType(type, true);
      }
      case 'call':
        return sizeOfType(
          this.#checked.typeOf(expr),
          expr.fn === '_[_]' || expr.fn.startsWith('_[?') || expr.fn === '_?._',
        );
      default:
        return sizeOfType(this.#checked.typeOf(expr), false);
    }
  }

  /** Of the elements of a list of texts; undefined for all else. */
  #elementSize(expr: Expr): Range | undefined {
    const type = plain(this.#checked.typeOf(expr));
    if (type.k !== 'list') return undefined;
    const item = plain(type.of);
    if (item.k !== 'string' && item.k !== 'bytes') return undefined;
    return sizeOfType(type.of, true);
  }
}

function sizeOfLiteral(value: Extract<Expr, { k: 'literal' }>['value']): Range {
  if (typeof value === 'string') return exactly([...value].length);
  return value instanceof Uint8Array ? exactly(value.length) : ONE;
}

const SCALARS: ReadonlySet<string> = new Set(['bool', 'int', 'uint', 'double', 'duration', 'timestamp', 'null']);

/** `stated`: the value is read out of a schema's object, so the schema's bounds hold of it. */
function sizeOfType(type: Type, stated: boolean): Range {
  if (stated && type.k === 'bounded') return { min: 0, max: type.bounds.max };
  if (stated && (type.k === 'list' || type.k === 'map') && type.bounds) return { min: 0, max: type.bounds.max };
  const { k } = plain(type);
  // Values of types that libraries bring count as one, whatever is in them.
  return SCALARS.has(k) || k === 'opaque' ? ONE : UNBOUNDED;
}
