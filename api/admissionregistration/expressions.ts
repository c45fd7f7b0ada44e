/**
 * What expressions of admission policies and match conditions may speak of, and what they must come to. One place for
 * validation, which refuses what does not compile, and for the server, which runs it.
 */
import { type Compiled, CompileError, compile, Environment, KUBERNETES_LIBRARIES } from '../../libs/cel/cel.ts';
import { AUTHORIZER_TYPE, authorizerLibrary, RESOURCE_CHECK_TYPE } from '../../libs/cel/library/authorizer.ts';
import { jsonPatchLibrary } from '../../libs/cel/library/json-patch.ts';
import {
  BOOL,
  DYN,
  formatType,
  INT,
  listOf,
  mapOf,
  type ObjectType,
  opaque,
  STRING,
  TIMESTAMP,
  type Type,
} from '../../libs/cel/types.ts';

function objectType(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  return {
    k: 'object',
    name,
    fields: new Map(Object.entries(fields).map(([field, type]) => [field, { name: field, type }])),
  };
}

const GROUP_VERSION_KIND = objectType('kubernetes.GroupVersionKind', { group: STRING, version: STRING, kind: STRING });
const GROUP_VERSION_RESOURCE = objectType('kubernetes.GroupVersionResource', {
  group: STRING,
  version: STRING,
  resource: STRING,
});

/** `request`: who asks for what. */
export const REQUEST_TYPE = objectType('kubernetes.AdmissionRequest', {
  kind: GROUP_VERSION_KIND,
  resource: GROUP_VERSION_RESOURCE,
  subResource: STRING,
  requestKind: GROUP_VERSION_KIND,
  requestResource: GROUP_VERSION_RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: objectType('kubernetes.UserInfo', {
    username: STRING,
    uid: STRING,
    groups: listOf(STRING),
    extra: mapOf(STRING, listOf(STRING)),
  }),
  dryRun: BOOL,
  options: DYN,
});

/** `namespaceObject`: of a namespace, what seldom changes. */
export const NAMESPACE_TYPE = objectType('kubernetes.Namespace', {
  metadata: objectType('kubernetes.NamespaceMetadata', {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: mapOf(STRING, STRING),
    annotations: mapOf(STRING, STRING),
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: listOf(STRING),
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: listOf(STRING) }),
  status: objectType('kubernetes.NamespaceStatus', { phase: STRING }),
});

/** A type with whatever field is asked for: objects that expressions make are checked when they are merged. */
function openType(name: string): ObjectType {
  const fields = new Map<string, { name: string; type: Type }>();
  fields.get = (field) => ({ name: field, type: DYN });
  fields.has = () => true;
  return { k: 'object', name, fields };
}

const JSON_PATCH = objectType('JSONPatch', { op: STRING, path: STRING, from: STRING, value: DYN });

const VALIDATION = new Environment({ libraries: [...KUBERNETES_LIBRARIES, authorizerLibrary] });
const MUTATION = new Environment({
  libraries: [...KUBERNETES_LIBRARIES, authorizerLibrary, jsonPatchLibrary],
  objects: [JSON_PATCH],
  objectFor: (name) => (name === 'Object' || name.startsWith('Object.') ? openType(name) : undefined),
});

export interface Scope {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** The variables of the policy so far, in their order; undefined where there can be none (match conditions). */
  readonly variables?: ReadonlyMap<string, Type>;
  /** Whether objects and patches may be made. */
  readonly mutation?: boolean;
  /** What objects and parameters are known to be; when they are not said, anything. */
  readonly known?: { readonly object: Type; readonly params?: Type };
}

function environmentOf({ params, authorizer, variables, mutation, known }: Scope): Environment {
  return (mutation ? MUTATION : VALIDATION).with({
    object: known?.object ?? DYN,
    oldObject: known?.object ?? DYN,
    request: REQUEST_TYPE,
    namespaceObject: NAMESPACE_TYPE,
    ...(params ? { params: known?.params ?? DYN } : {}),
    ...(authorizer
      ? { authorizer: opaque(AUTHORIZER_TYPE), 'authorizer.requestResource': opaque(RESOURCE_CHECK_TYPE) }
      : {}),
    ...(variables ? { variables: variablesType(variables) } : {}),
  });
}

export function variablesType(variables: ReadonlyMap<string, Type>): ObjectType {
  return objectType('kubernetes.variables', Object.fromEntries(variables));
}

/** An expression ready to run, or what is wrong with it. `type` is there where it could be told all the same. */
export type Expression =
  | { readonly compiled: Compiled; readonly error?: undefined }
  | { readonly compiled?: undefined; readonly error: string };

/** Types that an expression may come to, as messages name them. */
export type Wanted = readonly string[];

export const CONDITION: Wanted = ['bool'];
export const MESSAGE: Wanted = ['string'];
export const ANNOTATION: Wanted = ['string', 'null_type'];
export const APPLY_CONFIGURATION: Wanted = ['Object'];
export const JSON_PATCHES: Wanted = ['list(JSONPatch)'];

/** Compiles an expression; whatever it comes to is fine where nothing is `wanted`. */
export function compileExpression(source: string, scope: Scope, wanted?: Wanted): Expression {
  let compiled: Compiled;
  try {
    compiled = compile(environmentOf(scope), source);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { error: `compilation failed: ${error.message}` };
  }
  const found = formatType(compiled.type).replace(/^null$/, 'null_type');
  if (!wanted || wanted.includes(found)) return { compiled };
  const names = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(' ')}]`;
  return { error: `must evaluate to ${names} but got ${found}` };
}

/** What is wrong with an expression upon objects of a type that is known; undefined where nothing is. */
export function typeProblem(source: string, scope: Scope): string | undefined {
  try {
    compile(environmentOf(scope), source);
    return undefined;
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
}

/** A policy's variables, each of which sees those before it. */
export function compileVariables(
  variables: readonly { readonly name?: string; readonly expression?: string }[],
  scope: Omit<Scope, 'variables'>,
): { readonly types: ReadonlyMap<string, Type>; readonly expressions: ReadonlyMap<string, Expression> } {
  const types = new Map<string, Type>();
  const expressions = new Map<string, Expression>();
  for (const { name = '', expression = '' } of variables) {
    const one = compileExpression(expression, { ...scope, variables: new Map(types) });
    expressions.set(name, one);
    types.set(name, one.compiled?.type ?? DYN);
  }
  return { types, expressions };
}
