// The few things that the checks know about a syntax tree: parsing, children, names that a scope declares.

import { parseSync } from 'oxc-parser';

/** An ESTree node (with TypeScript's), as the parser gives it; offsets are UTF-16 positions in the source. */
export type Node = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
};

/** Parses TypeScript or JavaScript. Throws an Error naming the file where it is not valid. */
export function parse(path: string, source: string): Node {
  const result = parseSync(path, source, { sourceType: 'module', astType: 'ts', preserveParens: false });
  const [error] = result.errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  return result.program as unknown as Node;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

/** Calls `visit` with each direct child and the name of the field that holds it, in source order of the fields. */
export function eachChild(node: Node, visit: (child: Node, field: string) => void): void {
  for (const field of Object.keys(node)) {
    const value = node[field];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item, field);
    } else if (isNode(value)) {
      visit(value, field);
    }
  }
}

export function child(node: Node, field: string): Node | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

export function children(node: Node, field: string): Node[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

export function nameOf(node: Node | undefined): string | undefined {
  return node?.type === 'Identifier' ? (node['name'] as string) : undefined;
}

export function stringOf(node: Node | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  if (node?.type === 'TemplateLiteral' && children(node, 'expressions').length === 0) {
    return (children(node, 'quasis')[0]?.['value'] as { cooked?: string } | undefined)?.cooked;
  }
  return undefined;
}

/** Adds the names that a binding pattern declares: `{ a, b: [c = 1], ...d }` gives a, c and d. */
export function addBoundNames(pattern: Node | undefined, names: Set<string>): void {
  switch (pattern?.type) {
    case 'Identifier':
      names.add(pattern['name'] as string);
      break;
    case 'ObjectPattern':
      for (const property of children(pattern, 'properties')) {
        addBoundNames(child(property, 'value') ?? child(property, 'argument'), names);
      }
      break;
    case 'ArrayPattern':
      for (const element of children(pattern, 'elements')) addBoundNames(element, names);
      break;
    case 'RestElement':
      addBoundNames(child(pattern, 'argument'), names);
      break;
    case 'AssignmentPattern':
      addBoundNames(child(pattern, 'left'), names);
      break;
    case 'TSParameterProperty':
      addBoundNames(child(pattern, 'parameter'), names);
      break;
  }
}

/**
 * Adds the names that these statements declare in their own block. An ambient declaration (`declare const process`)
 * declares a type, not a thing: the name still means the global, so it is not added.
 */
export function addDeclaredNames(statements: readonly Node[], names: Set<string>): void {
  for (const statement of statements) {
    const declaration =
      statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration'
        ? child(statement, 'declaration')
        : statement;
    if (declaration === undefined || declaration['declare'] === true) continue;
    switch (declaration.type) {
      case 'VariableDeclaration':
        for (const declarator of children(declaration, 'declarations')) addBoundNames(child(declarator, 'id'), names);
        break;
      case 'FunctionDeclaration':
      case 'ClassDeclaration':
      case 'TSEnumDeclaration':
        addBoundNames(child(declaration, 'id'), names);
        break;
      case 'ImportDeclaration':
        if (declaration['importKind'] === 'type') break;
        for (const specifier of children(declaration, 'specifiers')) {
          if (specifier['importKind'] !== 'type') addBoundNames(child(specifier, 'local'), names);
        }
        break;
    }
  }
}

/** Turns an offset into a line and a column, both from 1. */
export function positionOf(source: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = source.indexOf('\n'); at !== -1 && at < offset; at = source.indexOf('\n', at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return { line, column: offset - lineStart + 1 };
}
