// One walk over a file's syntax tree: what it imports, which forbidden globals it reaches, which state its module keeps.

import { FORBIDDEN_GLOBALS, MUTATING_METHODS, PARTLY_FORBIDDEN } from './globals.ts';
import type { Node } from './syntax.ts';
import * as syntax from './syntax.ts';

/** A module that the file names: by `import`, `export … from`, `import()`, `import('…').T` or `import x = require()`. */
export type Import = {
  /** As written; undefined where it is computed when the program runs. */
  readonly specifier: string | undefined;
  readonly typeOnly: boolean;
  readonly offset: number;
};

/** Something that the file does and an engine may not. */
export type Finding = { readonly rule: 'global' | 'module-state'; readonly offset: number; readonly message: string };

export type WalkResult = { readonly imports: readonly Import[]; readonly findings: readonly Finding[] };

/** Walks one file. Throws an Error where it cannot be parsed. */
export function walkSource(path: string, source: string): WalkResult {
  const walk = new Walk();
  walk.program(syntax.parse(path, source));
  return { imports: walk.imports, findings: walk.findings };
}

/** TypeScript nodes that stand around an expression; every other `TS…` node holds types only. */
const TYPED_EXPRESSIONS = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
]);
/** A WeakMap is not among them: it is a memo of facts about its keys, and goes with them. */
const COLLECTIONS = new Set(['Map', 'Set', 'WeakSet', 'Array']);

class Walk {
  readonly imports: Import[] = [];
  readonly findings: Finding[] = [];
  /** Names declared around the current node, innermost last; the first is the module's own. */
  readonly #scopes: Set<string>[] = [];
  readonly #imported = new Set<string>();
  /** Names of the module that hold a thing with methods that change it: made with `new`, an array, a class's statics. */
  readonly #holders = new Set<string>();
  #functionDepth = 0;

  program(program: Node): void {
    const statements = syntax.children(program, 'body');
    syntax.addDeclaredNames(
      statements.filter((statement) => statement.type === 'ImportDeclaration'),
      this.#imported,
    );
    this.#inScope(statements, () => {
      for (const statement of statements) this.#moduleState(statement);
      for (const statement of statements) {
        this.#visit(statement);
      }
    });
  }

  #inScope(statements: readonly Node[], body: () => void, patterns: readonly (Node | undefined)[] = []): void {
    const names = new Set<string>();
    for (const pattern of patterns) syntax.addBoundNames(pattern, names);
    syntax.addDeclaredNames(statements, names);
    this.#scopes.push(names);
    body();
    this.#scopes.pop();
  }

  #isDeclared(name: string): boolean {
    return this.#scopes.some((scope) => scope.has(name));
  }

  #isModuleName(name: string): boolean {
    return this.#scopes.findLastIndex((scope) => scope.has(name)) === 0;
  }

  #report(rule: Finding['rule'], node: Node, message: string): void {
    this.findings.push({ rule, offset: node.start, message });
  }

  #import(node: Node, source: Node | undefined, typeOnly: boolean): void {
    this.imports.push({ specifier: syntax.stringOf(source), typeOnly, offset: node.start });
  }

  #visitAll(node: Node): void {
    syntax.eachChild(node, (child) => this.#visit(child));
  }

  #visit(node: Node): void {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return this.#import(node, syntax.child(node, 'source'), (node['importKind'] ?? node['exportKind']) === 'type');
      case 'ExportNamedDeclaration': {
        const source = syntax.child(node, 'source');
        if (source !== undefined) return this.#import(node, source, node['exportKind'] === 'type');
        const declaration = syntax.child(node, 'declaration');
        if (declaration !== undefined) this.#visit(declaration);
        return;
      }
      case 'ImportExpression':
        this.#import(node, syntax.child(node, 'source'), false);
        return this.#visitAll(node);
      case 'BlockStatement':
      case 'StaticBlock':
        return this.#inScope(syntax.children(node, 'body'), () => this.#visitAll(node));
      case 'SwitchStatement': {
        const statements = syntax.children(node, 'cases').flatMap((one) => syntax.children(one, 'consequent'));
        return this.#inScope(statements, () => this.#visitAll(node));
      }
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement': {
        const declaration = syntax.child(node, node.type === 'ForStatement' ? 'init' : 'left');
        return this.#inScope(declaration ? [declaration] : [], () => this.#visitAll(node));
      }
      case 'CatchClause':
        return this.#inScope([], () => this.#visitAll(node), [syntax.child(node, 'param')]);
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#function(node);
      case 'ClassExpression':
        return this.#inScope([], () => this.#visitAll(node), [syntax.child(node, 'id')]);
      case 'Identifier':
        return this.#reference(node);
      case 'MemberExpression':
        return this.#member(node);
      case 'CallExpression':
        return this.#call(node);
      case 'NewExpression':
        return this.#new(node);
      case 'BinaryExpression':
        return this.#binary(node);
      case 'AssignmentExpression':
        this.#change(syntax.child(node, 'left'));
        return this.#visitAll(node);
      case 'UpdateExpression':
        this.#change(syntax.child(node, 'argument'));
        return this.#visitAll(node);
      case 'UnaryExpression':
        if (node['operator'] === 'delete') this.#change(syntax.child(node, 'argument'));
        return this.#visitAll(node);
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
      case 'AccessorProperty':
        return this.#keyed(node);
      case 'LabeledStatement':
        return syntax.eachChild(node, (child, field) => field !== 'label' && this.#visit(child));
      case 'BreakStatement':
      case 'ContinueStatement':
      case 'MetaProperty':
        return;
      case 'VariableDeclarator':
        this.#pattern(syntax.child(node, 'id'));
        this.#field(node, 'init');
        return;
      default:
        if (TYPED_EXPRESSIONS.has(node.type)) {
          return syntax.eachChild(node, (child, field) =>
            field === 'expression' ? this.#visit(child) : this.#type(child),
          );
        }
        if (node.type.startsWith('TS')) return this.#type(node);
        return this.#visitAll(node);
    }
  }

  #field(node: Node, field: string): void {
    const child = syntax.child(node, field);
    if (child !== undefined) this.#visit(child);
  }

  #function(node: Node): void {
    if (node['declare'] === true) return;
    const parameters = syntax.children(node, 'params');
    const body = syntax.child(node, 'body');
    const ownName = node.type === 'FunctionExpression' ? [syntax.child(node, 'id')] : [];
    this.#functionDepth += 1;
    this.#inScope([], () => {
      for (const parameter of parameters) this.#pattern(parameter);
      if (body !== undefined) this.#visit(body);
      syntax.eachChild(node, (child, field) => {
        if (field === 'returnType' || field === 'typeParameters') this.#type(child);
      });
    }, [...parameters, ...ownName]);
    this.#functionDepth -= 1;
  }

  /** A binding pattern declares names; only its defaults, computed keys and types are looked at. */
  #pattern(pattern: Node | undefined): void {
    switch (pattern?.type) {
      case 'ObjectPattern':
        for (const property of syntax.children(pattern, 'properties')) {
          if (property['computed'] === true) this.#field(property, 'key');
          this.#pattern(syntax.child(property, 'value') ?? syntax.child(property, 'argument'));
        }
        break;
      case 'ArrayPattern':
        for (const element of syntax.children(pattern, 'elements')) this.#pattern(element);
        break;
      case 'RestElement':
        this.#pattern(syntax.child(pattern, 'argument'));
        break;
      case 'AssignmentPattern':
        this.#pattern(syntax.child(pattern, 'left'));
        this.#field(pattern, 'right');
        break;
      case 'TSParameterProperty':
        this.#pattern(syntax.child(pattern, 'parameter'));
        break;
    }
    const annotation = pattern && syntax.child(pattern, 'typeAnnotation');
    if (annotation !== undefined) this.#type(annotation);
  }

  /** Types can name a module, and nothing else that matters here. Namespaces and enums are not in the language we use. */
  #type(node: Node): void {
    if (node.type === 'TSImportType') {
      this.#import(node, syntax.child(node, 'source') ?? syntax.child(node, 'argument'), true);
    }
    if (node.type === 'TSExternalModuleReference') this.#import(node, syntax.child(node, 'expression'), false);
    syntax.eachChild(node, (child) => this.#type(child));
  }

  #keyed(node: Node): void {
    syntax.eachChild(node, (child, field) => {
      if (field === 'typeAnnotation' || field === 'returnType') this.#type(child);
      else if (field !== 'key' || node['computed'] === true) this.#visit(child);
    });
  }

  #reference(node: Node): void {
    const name = node['name'] as string;
    const annotation = syntax.child(node, 'typeAnnotation');
    if (annotation !== undefined) this.#type(annotation);
    const instead = FORBIDDEN_GLOBALS.get(name);
    const partly = PARTLY_FORBIDDEN.get(name);
    if ((instead === undefined && partly === undefined) || this.#isDeclared(name)) return;
    if (instead !== undefined) this.#report('global', node, `\`${name}\`: ${instead}`);
    else
      this.#report('global', node, `\`${name}\` under another name: use its members directly, or ${partly?.instead}`);
  }

  #member(node: Node): void {
    const object = syntax.child(node, 'object');
    const property = syntax.child(node, 'property');
    const computed = node['computed'] === true;
    if (computed && property !== undefined) this.#visit(property);
    const name = syntax.nameOf(object);
    const partly = name === undefined || this.#isDeclared(name) ? undefined : PARTLY_FORBIDDEN.get(name);
    const member = computed ? undefined : (property?.['name'] as string | undefined);
    if (partly !== undefined && member !== undefined) {
      if (partly.forbidden.includes(member)) this.#report('global', node, `\`${name}.${member}\`: ${partly.instead}`);
    } else if (object !== undefined) {
      this.#visit(object);
    }
  }

  #call(node: Node): void {
    const callee = syntax.child(node, 'callee');
    const property = callee?.type === 'MemberExpression' ? syntax.child(callee, 'property') : undefined;
    const method =
      callee?.['computed'] === true ? syntax.stringOf(property) : (property?.['name'] as string | undefined);
    if (method === 'constructor' && syntax.child(callee as Node, 'object')?.type !== 'Super') {
      this.#report('global', node, '`.constructor(…)`: no code is made from text');
    }
    if (method !== undefined && MUTATING_METHODS.has(method)) {
      const object = syntax.nameOf(syntax.child(callee as Node, 'object'));
      if (object === undefined || this.#holders.has(object)) this.#change(callee);
    }
    this.#visitAll(node);
  }

  #new(node: Node): void {
    const callee = syntax.child(node, 'callee');
    const isDate = syntax.nameOf(callee) === 'Date' && !this.#isDeclared('Date');
    if (!isDate) return this.#visitAll(node);
    const given = syntax.children(node, 'arguments');
    if (given.length === 0 || given[0]?.type === 'SpreadElement') {
      this.#report('global', node, '`new Date()` without a time: take a Clock (libs/base)');
    }
    for (const argument of given) this.#visit(argument);
  }

  #binary(node: Node): void {
    const right = syntax.child(node, 'right');
    const name = node['operator'] === 'instanceof' ? syntax.nameOf(right) : undefined;
    // `x instanceof Date` asks what x is; it makes nothing.
    if (name !== undefined && (PARTLY_FORBIDDEN.has(name) || name === 'Function')) return this.#field(node, 'left');
    this.#visitAll(node);
  }

  /** A statement of the module's own level that declares something which can change. */
  #moduleState(statement: Node): void {
    const declaration =
      statement.type === 'ExportNamedDeclaration' ? syntax.child(statement, 'declaration') : statement;
    if (declaration === undefined || declaration['declare'] === true) return;
    if (declaration.type === 'ClassDeclaration') syntax.addBoundNames(syntax.child(declaration, 'id'), this.#holders);
    if (declaration.type !== 'VariableDeclaration') return;
    for (const declarator of syntax.children(declaration, 'declarations')) {
      const id = syntax.child(declarator, 'id');
      const init = bareExpression(syntax.child(declarator, 'init'));
      const name = syntax.nameOf(id) ?? 'a variable';
      if ((init?.type === 'NewExpression' && !isWeakMap(init)) || init?.type === 'ArrayExpression')
        this.#holders.add(name);
      if (declaration['kind'] === 'let' || declaration['kind'] === 'var') {
        this.#report('module-state', declarator, `\`${name}\` can be assigned: modules keep no state, objects do`);
      } else if (isEmptyCollection(init) && !isReadonly(id, init?.type === 'ObjectExpression')) {
        this.#report('module-state', declarator, `\`${name}\` starts empty, so it is state: keep it in an object`);
      }
    }
  }

  /** Reports a change, inside a function, of something that a constant of the module holds. */
  #change(target: Node | undefined): void {
    if (this.#functionDepth === 0 || target?.type !== 'MemberExpression') return;
    // A scanner sets a sticky expression's position before each use: nothing lives on in it.
    if (syntax.nameOf(syntax.child(target, 'property')) === 'lastIndex') return;
    let holder: Node | undefined = target;
    while (holder?.type === 'MemberExpression') holder = syntax.child(holder, 'object');
    const name = syntax.nameOf(holder);
    if (name !== undefined && this.#isModuleName(name) && !this.#imported.has(name)) {
      this.#report('module-state', target, `\`${name}\` is changed by a function: modules keep no state, objects do`);
    }
  }
}

/** The expression inside `as`, `satisfies` and `!`. */
function bareExpression(expression: Node | undefined): Node | undefined {
  let value = expression;
  while (value !== undefined && TYPED_EXPRESSIONS.has(value.type)) value = syntax.child(value, 'expression');
  return value;
}

function isWeakMap(value: Node): boolean {
  return syntax.nameOf(syntax.child(value, 'callee')) === 'WeakMap';
}

function isEmptyCollection(value: Node | undefined): boolean {
  if (value?.type === 'NewExpression') {
    const name = syntax.nameOf(syntax.child(value, 'callee'));
    return name !== undefined && COLLECTIONS.has(name) && syntax.children(value, 'arguments').length === 0;
  }
  if (value?.type === 'ArrayExpression') return syntax.children(value, 'elements').length === 0;
  return value?.type === 'ObjectExpression' && syntax.children(value, 'properties').length === 0;
}

/**
 * Whether a declared name's type promises that nothing is added to it: `readonly T[]`, `ReadonlyMap`, `Readonly<…>`, and
 * for `{}` every named type that is no `Record` (a strategy that keeps all defaults is an empty object).
 */
function isReadonly(id: Node | undefined, isObject: boolean): boolean {
  const annotation = id && syntax.child(id, 'typeAnnotation');
  const type = annotation && syntax.child(annotation, 'typeAnnotation');
  if (type?.type === 'TSTypeOperator') return type['operator'] === 'readonly';
  const name = type?.type === 'TSTypeReference' ? syntax.nameOf(syntax.child(type, 'typeName')) : undefined;
  if (name === undefined) return false;
  return /^(Deep)?Readonly/.test(name) || (isObject && name !== 'Record');
}
