// The globals that reach outside the program: time, chance, the machine, code from text. Only a layer with `host`
// (tools/layers.ts) may use them; everything else takes what it needs as an argument.

/** What to use instead, by global name. A name that the file declares itself is not the global. */
export const FORBIDDEN_GLOBALS: ReadonlyMap<string, string> = new Map([
  ...names('take a Clock (libs/base)', [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
    'performance',
    'Temporal',
    'MessageChannel',
    'BroadcastChannel',
  ]),
  ...names('take Keys or Random (libs/base)', ['crypto', 'Crypto', 'SubtleCrypto', 'CryptoKey']),
  ...names('take a Host (libs/base)', [
    'process',
    'require',
    'module',
    'exports',
    '__filename',
    '__dirname',
    'fetch',
    'WebSocket',
    'EventSource',
    'XMLHttpRequest',
    'Worker',
    'navigator',
    'localStorage',
    'sessionStorage',
  ]),
  ...names('take a Log (libs/base)', ['console']),
  ...names('name the global itself', ['globalThis', 'global', 'self', 'window']),
  ...names('no code is made from text', ['eval', 'Function']),
  // A WeakRef is not among them: what is made again from the same bytes is the same, whenever it was dropped.
  ...names('the garbage collector is not an input', ['FinalizationRegistry', 'gc']),
]);

/**
 * Globals of which some members are allowed. Anything but a direct, uncomputed use of a member that is not forbidden
 * (an alias, `Math['random']`, destructuring, passing it on) is a finding, or the rule would be easy to get round.
 */
export const PARTLY_FORBIDDEN: ReadonlyMap<
  string,
  { readonly forbidden: readonly string[]; readonly instead: string }
> = new Map([
  ['Math', { forbidden: ['random'], instead: 'take a Random (libs/base)' }],
  ['Date', { forbidden: ['now'], instead: 'take a Clock (libs/base)' }],
  ['AbortSignal', { forbidden: ['timeout'], instead: 'take a Clock (libs/base)' }],
  ['Atomics', { forbidden: ['wait', 'waitAsync'], instead: 'take a Clock (libs/base)' }],
  [
    'Intl',
    { forbidden: ['DateTimeFormat'], instead: 'it reads the clock and the time zone: take a Clock (libs/base)' },
  ],
]);

/** Methods that change the collection they are called on. */
export const MUTATING_METHODS: ReadonlySet<string> = new Set([
  ...['set', 'add', 'delete', 'clear', 'push', 'pop', 'shift', 'unshift'],
  ...['splice', 'sort', 'reverse', 'fill', 'copyWithin', 'append'],
]);

function names(instead: string, list: readonly string[]): [string, string][] {
  return list.map((name) => [name, instead]);
}
