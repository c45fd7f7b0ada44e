/**
 * Types as the checker sees them. Kubernetes' expressions are typed by schemas: an object's type knows its fields, and how
 * large its values may become (`Bounds`), which is what costs are estimated from.
 */

export type Type =
  | { readonly k: Scalar }
  | { readonly k: 'list'; readonly of: Type; readonly bounds?: Bounds; readonly semantics?: ListSemantics }
  | { readonly k: 'map'; readonly key: Type; readonly of: Type; readonly bounds?: Bounds }
  | ObjectType
  /** Types that libraries bring (`kubernetes.Quantity`), and `optional_type(T)`. */
  | { readonly k: 'opaque'; readonly name: string; readonly of: readonly Type[] }
  /** The type of a type: of `int` as a value. */
  | { readonly k: 'type'; readonly of: Type }
  /** A type that is not known yet, or that an overload leaves open. */
  | { readonly k: 'param'; readonly name: string }
  /** A scalar of a schema with bounds of its own (`maxLength`). */
  | { readonly k: 'bounded'; readonly of: Type; readonly bounds: Bounds };

export type Scalar =
  | 'dyn'
  | 'error'
  | 'null'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'timestamp'
  | 'duration';

/** How many characters, bytes or elements there may be at most. */
export interface Bounds {
  readonly max: number;
}

/** How lists of a schema compare and add up: in order, as sets, or item by item by their keys. */
export type ListSemantics = { readonly k: 'set' } | { readonly k: 'map'; readonly keys: readonly string[] };

export interface ObjectType {
  readonly k: 'object';
  readonly name: string;
  /** By the name that expressions use (`escapeName`). */
  readonly fields: ReadonlyMap<string, ObjectField>;
}

export interface ObjectField {
  /** The name in the object. */
  readonly name: string;
  readonly type: Type;
}

const scalar = (k: Scalar): { readonly k: Scalar } => Object.freeze({ k });

export const DYN = scalar('dyn');
export const ERROR = scalar('error');
export const NULL = scalar('null');
export const BOOL = scalar('bool');
export const INT = scalar('int');
export const UINT = scalar('uint');
export const DOUBLE = scalar('double');
export const STRING = scalar('string');
export const BYTES = scalar('bytes');
export const TIMESTAMP = scalar('timestamp');
export const DURATION = scalar('duration');

export const listOf = (of: Type): Type => ({ k: 'list', of });
export const mapOf = (key: Type, of: Type): Type => ({ k: 'map', key, of });
export const opaque = (name: string, ...of: Type[]): Type => ({ k: 'opaque', name, of });
export const optionalOf = (of: Type): Type => opaque('optional_type', of);
export const typeOf = (of: Type): Type => ({ k: 'type', of });
export const param = (name: string): Type => ({ k: 'param', name });

/** Without the bounds that a schema puts on a scalar. */
export function plain(type: Type): Exclude<Type, { readonly k: 'bounded' }> {
  return type.k === 'bounded' ? plain(type.of) : type;
}

export const isDyn = (type: Type): boolean => type.k === 'dyn' || type.k === 'error';

export function optionalIn(type: Type): Type | undefined {
  const own = plain(type);
  return own.k === 'opaque' && own.name === 'optional_type' ? (own.of[0] ?? DYN) : undefined;
}

const NAMES: Partial<Record<string, string>> = Object.freeze({
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  error: '!error!',
});

/** The type as errors name it: `map(string, int)`, `google.protobuf.Timestamp`. */
export function formatType(type: Type): string {
  const own = plain(type);
  switch (own.k) {
    case 'list':
      return `list(${formatType(own.of)})`;
    case 'map':
      return `map(${formatType(own.key)}, ${formatType(own.of)})`;
    case 'object':
      return own.name;
    case 'opaque':
      return own.of.length === 0 ? own.name : `${own.name}(${own.of.map(formatType).join(', ')})`;
    case 'type':
      return `type(${formatType(own.of)})`;
    case 'param':
      return own.name.startsWith('_') ? 'dyn' : own.name;
    default:
      return NAMES[own.k] ?? own.k;
  }
}

/** The name of a type as a value: what `type(x)` prints. */
export function nameOfType(type: Type): string {
  const own = plain(type);
  if (own.k === 'list' || own.k === 'map') return own.k;
  if (own.k === 'null') return 'null_type';
  return own.k === 'opaque' ? own.name : formatType(own);
}

/** Words that are no names in expressions: fields called so are written `__word__`. */
const RESERVED: ReadonlySet<string> = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
]);

export const isReserved = (name: string): boolean => RESERVED.has(name);

/** A field's name as expressions write it: `my-dash` as `my__dash__dash`. undefined where it cannot be written. */
export function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(escaped) ? escaped : undefined;
}
