/** Macros: calls that are rewritten before anything looks at them. What walks lists and maps becomes a `fold`. */
import { ACCU, type Expr, type Fold, UNUSED } from './ast.ts';

export class MacroError extends Error {
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

interface Call {
  readonly at: number;
  readonly fn: string;
  readonly target?: Expr;
  readonly args: readonly Expr[];
}

/** The expansion, or undefined where the call is no macro. @throws MacroError */
export function expandMacro(call: Call): Expr | undefined {
  const { fn, target, args } = call;
  if (!target) return fn === 'has' && args.length === 1 ? expandHas(args[0] as Expr) : undefined;
  const macro = MACROS.get(`${fn}:${args.length}`);
  return macro?.(call.at, target, args);
}

function expandHas(arg: Expr): Expr {
  if (arg.k !== 'select') throw new MacroError(arg.at, 'invalid argument to has() macro');
  return { ...arg, test: true };
}

type Expand = (at: number, target: Expr, args: readonly Expr[]) => Expr;

function variable(arg: Expr | undefined, what = 'argument must be a simple name'): string {
  if (arg?.k !== 'ident' || arg.name.startsWith('.')) throw new MacroError(arg?.at ?? 0, what);
  if (arg.name === ACCU || arg.name === '__result__') {
    throw new MacroError(arg.at, 'iteration variable overwrites accumulator variable');
  }
  return arg.name;
}

const build = (at: number) => ({
  accu: { k: 'ident', at, name: ACCU } as Expr,
  literal: (value: boolean | bigint): Expr => ({ k: 'literal', at, value }),
  call: (fn: string, ...args: Expr[]): Expr => ({ k: 'call', at, fn, args }),
  list: (...items: Expr[]): Expr => ({ k: 'list', at, items, optional: new Set() }),
});

/** Quantifiers stop as soon as their answer stands, but for errors, which a later item may make irrelevant. */
function all(at: number, range: Expr, vars: Vars, test: Expr): Fold {
  const { accu, literal, call } = build(at);
  return {
    ...vars,
    k: 'fold',
    at,
    range,
    accuVar: ACCU,
    init: literal(true),
    condition: call('@not_strictly_false', accu),
    step: call('_&&_', accu, test),
    result: accu,
  };
}

function exists(at: number, range: Expr, vars: Vars, test: Expr): Fold {
  const { accu, literal, call } = build(at);
  return {
    ...vars,
    k: 'fold',
    at,
    range,
    accuVar: ACCU,
    init: literal(false),
    condition: call('@not_strictly_false', call('!_', accu)),
    step: call('_||_', accu, test),
    result: accu,
  };
}

function existsOne(at: number, range: Expr, vars: Vars, test: Expr): Fold {
  const { accu, literal, call } = build(at);
  return {
    ...vars,
    k: 'fold',
    at,
    range,
    accuVar: ACCU,
    init: literal(0n),
    condition: literal(true),
    step: call('_?_:_', test, call('_+_', accu, literal(1n)), accu),
    result: call('_==_', accu, literal(1n)),
  };
}

function collect(
  at: number,
  range: Expr,
  vars: Vars,
  test: Expr | undefined,
  value: Expr,
  init: Expr,
  fn: string,
): Fold {
  const { accu, literal, call, list } = build(at);
  const added = fn === '_+_' ? call(fn, accu, list(value)) : call(fn, accu, value);
  const step = test ? call('_?_:_', test, added, accu) : added;
  return { ...vars, k: 'fold', at, range, accuVar: ACCU, init, condition: literal(true), step, result: accu };
}

interface Vars {
  readonly iterVar: string;
  readonly iterVar2?: string;
}

const one = (args: readonly Expr[]): Vars => ({ iterVar: variable(args[0]) });

function two(args: readonly Expr[]): Vars {
  const vars = { iterVar: variable(args[0]), iterVar2: variable(args[1]) };
  if (vars.iterVar === vars.iterVar2) {
    throw new MacroError((args[1] as Expr).at, `duplicate variable name: ${vars.iterVar}`);
  }
  return vars;
}

const arg = (args: readonly Expr[], i: number): Expr => args[i] as Expr;

const MACROS: ReadonlyMap<string, Expand> = new Map<string, Expand>([
  ['all:2', (at, target, args) => all(at, target, one(args), arg(args, 1))],
  ['exists:2', (at, target, args) => exists(at, target, one(args), arg(args, 1))],
  ['exists_one:2', (at, target, args) => existsOne(at, target, one(args), arg(args, 1))],
  ['existsOne:2', (at, target, args) => existsOne(at, target, one(args), arg(args, 1))],
  ['map:2', (at, target, args) => collect(at, target, one(args), undefined, arg(args, 1), build(at).list(), '_+_')],
  ['map:3', (at, target, args) => collect(at, target, one(args), arg(args, 1), arg(args, 2), build(at).list(), '_+_')],
  [
    'filter:2',
    (at, target, args) => collect(at, target, one(args), arg(args, 1), arg(args, 0), build(at).list(), '_+_'),
  ],
  ['all:3', (at, target, args) => all(at, target, two(args), arg(args, 2))],
  ['exists:3', (at, target, args) => exists(at, target, two(args), arg(args, 2))],
  ['existsOne:3', (at, target, args) => existsOne(at, target, two(args), arg(args, 2))],
  ['exists_one:3', (at, target, args) => existsOne(at, target, two(args), arg(args, 2))],
  [
    'transformList:3',
    (at, target, args) => collect(at, target, two(args), undefined, arg(args, 2), build(at).list(), '_+_'),
  ],
  [
    'transformList:4',
    (at, target, args) => collect(at, target, two(args), arg(args, 2), arg(args, 3), build(at).list(), '_+_'),
  ],
  ['transformMap:3', (at, target, args) => transformMap(at, target, args, undefined, arg(args, 2))],
  ['transformMap:4', (at, target, args) => transformMap(at, target, args, arg(args, 2), arg(args, 3))],
  ['transformMapEntry:3', (at, target, args) => transformEntry(at, target, args, undefined, arg(args, 2))],
  ['transformMapEntry:4', (at, target, args) => transformEntry(at, target, args, arg(args, 2), arg(args, 3))],
  ['sortBy:2', sortBy],
  ['optMap:2', (at, target, args) => optional(at, target, args, true)],
  ['optFlatMap:2', (at, target, args) => optional(at, target, args, false)],
]);

function transformMap(at: number, target: Expr, args: readonly Expr[], test: Expr | undefined, value: Expr): Expr {
  const vars = two(args);
  const key: Expr = { k: 'ident', at, name: vars.iterVar };
  const { accu, literal, call } = build(at);
  const added = call('@map_insert', accu, key, value);
  const step = test ? call('_?_:_', test, added, accu) : added;
  const init: Expr = { k: 'map', at, entries: [] };
  return { ...vars, k: 'fold', at, range: target, accuVar: ACCU, init, condition: literal(true), step, result: accu };
}

function transformEntry(at: number, target: Expr, args: readonly Expr[], test: Expr | undefined, entry: Expr): Expr {
  return collect(at, target, two(args), test, entry, { k: 'map', at, entries: [] }, '@map_insert');
}

/** Binds a name to a value, by a walk over nothing. */
export function bind(at: number, name: string, value: Expr, body: Expr): Fold {
  const { literal, list } = build(at);
  return {
    k: 'fold',
    at,
    range: list(),
    iterVar: UNUSED,
    accuVar: name,
    init: value,
    condition: literal(false),
    step: { k: 'ident', at, name },
    result: body,
  };
}

/** `list.sortBy(x, key)`: keys are made first, then the list is sorted by them. */
function sortBy(at: number, target: Expr, args: readonly Expr[]): Expr {
  const name = variable(args[0], 'sortBy can only be applied to a variable, e.g. list.sortBy(e, e.key)');
  const { list } = build(at);
  const input: Expr = { k: 'ident', at, name: '@__sortBy_input__' };
  const keys = collect(at, input, { iterVar: name }, undefined, arg(args, 1), list(), '_+_');
  const sorted: Expr = { k: 'call', at, fn: '@sortByAssociatedKeys', target: input, args: [keys] };
  return bind(at, '@__sortBy_input__', target, sorted);
}

function optional(at: number, target: Expr, args: readonly Expr[], wrap: boolean): Expr {
  const name = variable(args[0], `opt${wrap ? 'Map' : 'FlatMap'}() variable name must be a simple identifier`);
  const member = (on: Expr, fn: string): Expr => ({ k: 'call', at, fn, target: on, args: [] });
  const of = (fn: string, ...values: Expr[]): Expr => ({ k: 'call', at, fn, args: values });
  const body = wrap ? of('optional.of', arg(args, 1)) : arg(args, 1);
  const bound = bind(at, name, member(target, 'value'), body);
  return of('_?_:_', member(target, 'hasValue'), bound, of('optional.none'));
}
