/** The syntax tree of an expression, macros expanded. `at` is the offset in characters that errors point at. */

interface Base {
  readonly at: number;
}

export type Expr =
  | (Base & { readonly k: 'literal'; readonly value: Literal })
  | (Base & { readonly k: 'ident'; readonly name: string })
  /** `test`: whether the field is there (`has()`). */
  | (Base & { readonly k: 'select'; readonly operand: Expr; readonly field: string; readonly test: boolean })
  | (Base & { readonly k: 'call'; readonly fn: string; readonly target?: Expr; readonly args: readonly Expr[] })
  | (Base & { readonly k: 'list'; readonly items: readonly Expr[]; readonly optional: ReadonlySet<number> })
  | (Base & { readonly k: 'map'; readonly entries: readonly MapEntry[] })
  | Struct
  | Fold;

export interface MapEntry {
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}

/** `Object{spec: Object.spec{…}}`: what mutating policies write. */
export interface Struct extends Base {
  readonly k: 'struct';
  readonly name: string;
  readonly fields: readonly {
    readonly name: string;
    readonly value: Expr;
    readonly optional: boolean;
    readonly at: number;
  }[];
}

/** What every macro that walks a list or a map becomes. */
export interface Fold extends Base {
  readonly k: 'fold';
  readonly range: Expr;
  /** The item of a list, the key of a map; with `iterVar2` the index of a list. */
  readonly iterVar: string;
  readonly iterVar2?: string;
  readonly accuVar: string;
  readonly init: Expr;
  /** The walk ends where this is false. */
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** null, bool, string, bytes, double (number), int (bigint), uint. */
export type Literal = null | boolean | string | Uint8Array | number | bigint | { readonly uint: bigint };

/** Variables that only macros use; no expression can name them. */
export const ACCU = '@result';
/** The variable of a walk over nothing: of a fold that only gives a name to a value. */
export const UNUSED = '#unused';
