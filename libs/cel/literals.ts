/** Patterns, durations and timestamps that are written out are looked at before an expression ever runs. */
import { RE2JS } from 're2js';
import type { Expr } from './ast.ts';
import { CompileError, type Issue } from './issues.ts';
import { parseDurationText, parseTimestampText } from './library/time-text.ts';

/** @throws CompileError */
export function checkLiterals(source: string, expr: Expr): void {
  const issues: Issue[] = [];
  visit(expr, issues);
  if (issues.length > 0) throw new CompileError(source, issues);
}

const isPattern = (text: string): boolean => {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
};

/** Which argument, and whether its text is fine. */
const CHECKS: Readonly<Record<string, readonly [index: number, fits: (text: string) => boolean]>> = Object.freeze({
  matches: [0, isPattern],
  duration: [0, (text: string) => parseDurationText(text) !== undefined],
  timestamp: [0, (text: string) => parseTimestampText(text) !== undefined],
});

function visit(expr: Expr, issues: Issue[]): void {
  if (expr.k === 'call' && Object.hasOwn(CHECKS, expr.fn)) {
    const [index, fits] = CHECKS[expr.fn] as (typeof CHECKS)[string];
    const arg = expr.args[expr.fn === 'matches' && !expr.target ? 1 : index];
    if (arg?.k === 'literal' && typeof arg.value === 'string' && !fits(arg.value)) {
      issues.push({ at: arg.at, message: `invalid ${expr.fn} argument` });
    }
  }
  for (const below of partsOf(expr)) visit(below, issues);
}

/** The expressions that an expression is made of. */
export function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.k) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [expr.operand];
    case 'call':
      return expr.target ? [expr.target, ...expr.args] : expr.args;
    case 'list':
      return expr.items;
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return expr.fields.map(({ value }) => value);
    case 'fold':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
  }
}
