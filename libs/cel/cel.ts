/**
 * The Common Expression Language as Kubernetes speaks it: typed, with its libraries, with costs told beforehand and counted
 * while running. Neutral of who asks: rules of custom resources, admission policies, match conditions and device selectors
 * each bring their variables and types.
 *
 *     const environment = kubernetesEnvironment().with({ self: typeOfSchema });
 *     const { program, cost } = compile(environment, 'self.replicas <= 5');       // throws CompileError
 *     program.run({ self: valueOfObject }, 1_000_000).value;                      // true; throws EvaluationError, CostError
 */
import type { Expr } from './ast.ts';
import { check } from './check.ts';
import type { Range } from './cost-model.ts';
import type { Library } from './declare.ts';
import { Environment } from './environment.ts';
import { estimateCost } from './estimate.ts';
import { compileProgram, type Program } from './evaluate.ts';
import { addressesLibrary } from './library/addresses.ts';
import { formatLibrary } from './library/format.ts';
import { listsLibrary, setsLibrary } from './library/lists.ts';
import { optionalLibrary } from './library/optional.ts';
import { quantityLibrary } from './library/quantity.ts';
import { semverLibrary } from './library/semver.ts';
import { standardLibrary } from './library/standard.ts';
import { stringFormatLibrary } from './library/string-format.ts';
import { regexLibrary, stringsLibrary } from './library/strings.ts';
import { timeLibrary } from './library/time.ts';
import { urlLibrary } from './library/url.ts';
import { checkLiterals, partsOf } from './literals.ts';
import { parse } from './parser.ts';
import type { Type } from './types.ts';

export type { Library } from './declare.ts';
export { Environment } from './environment.ts';
export type { Program } from './evaluate.ts';
export { CompileError } from './issues.ts';
export { CostError, EvaluationError, type Value } from './values.ts';

/** The libraries of Kubernetes v1.36. */
export const KUBERNETES_LIBRARIES: readonly Library[] = Object.freeze([
  standardLibrary,
  stringsLibrary,
  stringFormatLibrary,
  regexLibrary,
  listsLibrary,
  setsLibrary,
  timeLibrary,
  optionalLibrary,
  urlLibrary,
  addressesLibrary,
  quantityLibrary,
  formatLibrary,
  semverLibrary,
]);

const KUBERNETES = new Environment({ libraries: KUBERNETES_LIBRARIES });

/** The environment that all expressions start from: every library, no variables. */
export function kubernetesEnvironment(): Environment {
  return KUBERNETES;
}

export interface Compiled {
  readonly program: Program;
  readonly type: Type;
  /** What one run costs, at least and at most (`Infinity`: nothing bounds it). */
  readonly cost: Range;
  /** Whether the expression speaks of a variable. */
  uses(variable: string): boolean;
}

/** Reads, checks and compiles an expression. @throws CompileError */
export function compile(environment: Environment, source: string): Compiled {
  const expr = parse(source);
  const checked = check(source, expr, environment);
  checkLiterals(source, expr);
  return {
    program: compileProgram(checked),
    type: checked.type,
    cost: estimateCost(checked),
    uses: (variable) => mentions(expr, variable),
  };
}

function mentions(expr: Expr, name: string): boolean {
  return (expr.k === 'ident' && expr.name === name) || partsOf(expr).some((part) => mentions(part, name));
}
