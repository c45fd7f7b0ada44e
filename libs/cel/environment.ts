/** What expressions may speak of: variables, types, functions. Immutable; made once and shared. */
import type { Library, Overload } from './declare.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  type ObjectType,
  opaque,
  plain,
  STRING,
  TIMESTAMP,
  type Type,
  typeOf,
  UINT,
} from './types.ts';

const TYPES: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['bool', BOOL],
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['string', STRING],
  ['bytes', BYTES],
  ['list', listOf(DYN)],
  ['map', mapOf(DYN, DYN)],
  ['null_type', NULL],
  ['type', typeOf(DYN)],
  ['google.protobuf.Timestamp', TIMESTAMP],
  ['google.protobuf.Duration', DURATION],
  ['optional_type', opaque('optional_type', DYN)],
]);

export interface EnvironmentOptions {
  readonly libraries: readonly Library[];
  readonly variables?: Readonly<Record<string, Type>>;
  /** Object types that expressions may build by name. */
  readonly objects?: readonly ObjectType[];
  /** Object types that are made when they are named (`Object.spec`); undefined for names that mean none. */
  readonly objectFor?: (name: string) => ObjectType | undefined;
}

export class Environment {
  readonly #functions: ReadonlyMap<string, readonly Overload[]>;
  readonly #variables: ReadonlyMap<string, Type>;
  readonly #objects: ReadonlyMap<string, ObjectType>;
  readonly #objectFor: (name: string) => ObjectType | undefined;

  constructor(options: EnvironmentOptions | Environment, variables: Readonly<Record<string, Type>> = {}) {
    if (options instanceof Environment) {
      this.#functions = options.#functions;
      this.#objects = options.#objects;
      this.#objectFor = options.#objectFor;
      this.#variables = new Map([...options.#variables, ...Object.entries(variables)]);
      return;
    }
    const functions = new Map<string, Overload[]>();
    for (const overload of options.libraries.flat()) {
      functions.set(overload.fn, [...(functions.get(overload.fn) ?? []), overload]);
    }
    this.#functions = functions;
    this.#variables = new Map(Object.entries(options.variables ?? {}));
    this.#objects = new Map((options.objects ?? []).map((type) => [type.name, type]));
    this.#objectFor = options.objectFor ?? (() => undefined);
  }

  /** The same functions, with more variables (of the same name: instead). */
  with(variables: Readonly<Record<string, Type>>): Environment {
    return new Environment(this, variables);
  }

  variable(name: string): Type | undefined {
    return this.#variables.get(name);
  }

  functions(name: string): readonly Overload[] {
    return this.#functions.get(name) ?? [];
  }

  /** The type of a type's name. */
  typeNamed(name: string): Type | undefined {
    const known = TYPES.get(name);
    if (known) return typeOf(known);
    for (const overloads of this.#functions.values()) {
      for (const { result } of overloads) {
        const type = plain(result);
        if (type.k === 'opaque' && type.name === name) return typeOf(type);
      }
    }
    return undefined;
  }

  objectNamed(name: string): ObjectType | undefined {
    return this.#objects.get(name) ?? this.#objectFor(name);
  }
}
