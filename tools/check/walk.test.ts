import assert from 'node:assert/strict';
import { test } from 'node:test';
import { walkSource } from './walk.ts';

/** What the walk reports in a snippet, as `rule` or `rule name` strings; imports as `import specifier`. */
function found(source: string): string[] {
  const { imports, findings } = walkSource('snippet.ts', source);
  return [
    ...imports.map((one) => `import ${one.specifier ?? 'computed'}${one.typeOnly ? ' (type)' : ''}`),
    ...findings.map((one) => `${one.rule} ${/`([^`]+)`/.exec(one.message)?.[1]}`),
  ];
}

/** Every way we know to reach the outside; each must be seen. */
const ESCAPES: readonly [name: string, source: string, ...expected: string[]][] = [
  // Time
  ['a timer', 'setTimeout(() => {}, 1);', 'global setTimeout'],
  ['a timer off the global object', 'globalThis.setTimeout(() => {}, 1);', 'global globalThis'],
  ['a timer by computed name', "globalThis['set' + 'Timeout'](() => {}, 1);", 'global globalThis'],
  ['a timer off the old global object', 'global.setTimeout(() => {}, 1);', 'global global'],
  ['a timer destructured', 'const { setTimeout: later } = globalThis; later(() => {}, 1);', 'global globalThis'],
  ['a timer under an alias', 'const later = setTimeout;', 'global setTimeout'],
  ['a timer handed on', 'run(setInterval);', 'global setInterval'],
  ['a timer as a default', 'function run(later = setTimeout) { later(); }', 'global setTimeout'],
  ['a timer as a field', 'class A { later = setImmediate; }', 'global setImmediate'],
  ['a timer in shorthand', 'run({ setTimeout });', 'global setTimeout'],
  ['a timer behind an ambient declaration', 'declare const setTimeout: any; setTimeout();', 'global setTimeout'],
  ['a timer behind an ambient function', 'declare function setTimeout(): void; setTimeout();', 'global setTimeout'],
  [
    'a timer named by a type only',
    "import type { setTimeout } from './a.ts'; setTimeout();",
    'import ./a.ts (type)',
    'global setTimeout',
  ],
  ['a timer shadowed elsewhere', '{ const setTimeout = 1; run(setTimeout); } setTimeout();', 'global setTimeout'],
  ['promise timers', "import { setTimeout as sleep } from 'node:timers/promises';", 'import node:timers/promises'],
  ['promise timers on demand', "const t = await import('node:timers/promises');", 'import node:timers/promises'],
  ['a module by computed name', "await import('node:' + name);", 'import computed'],
  ['a module by template', 'await import(`node:fs`);', 'import node:fs'],
  ['the clock', 'Date.now();', 'global Date.now'],
  ['the clock, optionally', 'Date?.now();', 'global Date.now'],
  ['the clock by computed name', "Date['now']();", 'global Date'],
  ['the clock under an alias', 'const D = Date; D.now();', 'global Date'],
  ['the clock destructured', 'const { now } = Date; now();', 'global Date'],
  ['the clock behind a cast', '(Date as any).now();', 'global Date'],
  ['the clock as a value', 'const now = Date.now;', 'global Date.now'],
  ['the clock inherited', 'class Later extends Date {}', 'global Date'],
  ['a date without arguments', 'new Date();', 'global new Date()'],
  ['a date without parentheses', 'new Date;', 'global new Date()'],
  ['a date of spread arguments', 'new Date(...none);', 'global new Date()'],
  ['a date called', 'String(Date());', 'global Date'],
  ['a date constructed by reflection', 'Reflect.construct(Date, []);', 'global Date'],
  ['a formatter that reads the clock', 'new Intl.DateTimeFormat().format();', 'global Intl.DateTimeFormat'],
  ['performance', 'performance.now();', 'global performance'],
  ['a signal with a timer', 'AbortSignal.timeout(1);', 'global AbortSignal.timeout'],
  ['a task without a timer', 'new MessageChannel();', 'global MessageChannel'],
  ['a blocking wait', 'Atomics.wait(a, 0, 0, 10);', 'global Atomics.wait'],
  ['the new calendar', 'Temporal.Now.instant();', 'global Temporal'],
  // Chance and keys
  ['chance', 'Math.random();', 'global Math.random'],
  ['chance by computed name', "Math['random']();", 'global Math'],
  ['chance destructured', 'const { random } = Math;', 'global Math'],
  ['chance handed on', 'run(Math);', 'global Math'],
  ['a uuid', 'crypto.randomUUID();', 'global crypto'],
  ['a uuid imported', "import { randomUUID } from 'node:crypto';", 'import node:crypto'],
  ['a uuid from an unprefixed module', "import { randomUUID } from 'crypto';", 'import crypto'],
  ['a digest', 'await globalThis.crypto.subtle.digest(a, b);', 'global globalThis'],
  // The machine
  ['the environment', 'process.env.HOME;', 'global process'],
  ['the environment, if any', "typeof process === 'undefined';", 'global process'],
  ['a module through the process', "process.getBuiltinModule('fs');", 'global process'],
  ['files', "import { readFileSync } from 'node:fs';", 'import node:fs'],
  ['files re-exported', "export { readFileSync } from 'node:fs';", 'import node:fs'],
  ['files re-exported whole', "export * from 'node:fs';", 'import node:fs'],
  ['files as a type', "let read: typeof import('node:fs').readFileSync;", 'import node:fs (type)', 'module-state read'],
  ['files inside an argument type', "function f(a: import('node:fs').Stats) { return a; }", 'import node:fs (type)'],
  ['files by require', "require('node:fs');", 'global require'],
  ['files by import and require', "import fs = require('node:fs');", 'import node:fs'],
  ['the network', "fetch('http://localhost');", 'global fetch'],
  ['the console', "console.log('a');", 'global console'],
  ['a label', 'process: for (;;) { process.exit(); }', 'global process'],
  // Code from text
  ['eval', "eval('1');", 'global eval'],
  ['indirect eval', "(0, eval)('1');", 'global eval'],
  ['the function constructor', "new Function('return 1')();", 'global Function'],
  ['the function constructor, unnamed', "(() => {}).constructor('return 1')();", 'global .constructor(…)'],
  ['the function constructor, computed', "[]['constructor']('return 1')();", 'global .constructor(…)'],
  // State of the module
  ['a variable', 'let count = 0;', 'module-state count'],
  ['an exported variable', 'export let count = 0;', 'module-state count'],
  ['an empty map', 'const cache = new Map<string, number>();', 'module-state cache'],
  ['an empty list', 'export const all: string[] = [];', 'module-state all'],
  ['an empty record', 'const all: Record<string, number> = {};', 'module-state all'],
  ['a table written to', 'const t = { n: 1 }; function f() { t.n += 1; }', 'module-state t'],
  ['a table written to, by key', 'const t = [1]; const f = () => { t[0]++; };', 'module-state t'],
  ['a table deleted from', 'const t = { n: { m: 1 } }; function f() { delete t.n.m; }', 'module-state t'],
  ['a table added to', 'const t = new Map([[1, 2]]); function f() { t.set(3, 4); }', 'module-state t'],
  ['a static written to', 'class A { static n = 0; m() { A.n = 1; } }', 'module-state A'],
];

for (const [name, source, ...expected] of ESCAPES) {
  test(`the walk sees ${name}`, () => assert.deepEqual(found(source), expected));
}

/** What looks like one of those and is not. */
const ALLOWED: readonly [name: string, source: string][] = [
  ['a method of the same name', 'clock.setTimeout(() => {}, 1); host.process.env; this.performance.now();'],
  ['a property of the same name', 'const o = { process: 1, fetch() {}, get crypto() { return 1; } }; o.process;'],
  [
    'a parameter of the same name',
    'function run(process: Child, { crypto, a: self = 1 }: Keys) { return [process.id, crypto, self]; }',
  ],
  ['a local variable of the same name', 'function run() { const process = spawn(); return process.id; }'],
  ['an import of the same name', "import { module } from './a.ts'; module.load();"],
  ['a type of the same name', 'type T = { at: Date; f: typeof fetch }; function f(d: Date): Date { return d; }'],
  [
    'a date with a time',
    'new Date(0); new Date(at).toISOString(); Date.parse(a); Date.UTC(2000, 1); x instanceof Date;',
  ],
  ['arithmetic', 'Math.max(1, 2); Math.floor(x);'],
  ['a signal', 'AbortSignal.any([a, b]); new AbortController();'],
  ['a label', 'self: for (;;) { break self; }'],
  ['a constant', "const A = 1; export const B = ['x'] as const; const C = new Map([[1, 2]]); const D = /x/y;"],
  [
    'an empty constant that says so',
    'const NONE: readonly string[] = []; const M: ReadonlyMap<string, string> = new Map();',
  ],
  ['an object of defaults only', 'export const strategy: Strategy<Pod> = {};'],
  ['a table filled where it is declared', 'const t = new Map([[1, 2]]); for (const x of [3]) t.set(x, x);'],
  ['a memo that goes with its keys', 'const memo = new WeakMap<Type, Plan>(); function f(t: Type) { memo.set(t, 1); }'],
  ['a local collection', 'function f() { const t = new Map(); t.set(1, 2); return t; }'],
  ['a shadowed constant', 'const t = [1]; function f(t: number[]) { t.push(1); t[0] = 2; }'],
  [
    'a module with a function called add',
    "import * as quantity from './quantity.ts'; function f() { quantity.add(1, 2); }",
  ],
  ['the position of a sticky expression', 'const RE = /a/y; function f() { RE.lastIndex = 3; return RE.exec(s); }'],
];

for (const [name, source] of ALLOWED) {
  test(`the walk allows ${name}`, () =>
    assert.deepEqual(
      found(source).filter((one) => !one.startsWith('import ./')),
      [],
    ));
}

test('a file that does not parse is named', () => {
  assert.throws(() => walkSource('broken.ts', 'const = 1;'), /^Error: broken\.ts: /);
});
