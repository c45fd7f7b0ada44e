import { TestEnvCommandError } from '../errors.ts';

/** A command as it comes in: its name, an `id` that the answer repeats, and what it takes. */
export interface TestEnvCommand {
  readonly command: string;
  readonly id?: unknown;
  readonly [argument: string]: unknown;
}

interface Shape {
  /** Words of the text form, in their order; `?` at the end: may be left out. */
  readonly words: readonly string[];
  /** More that only the JSON form takes. */
  readonly more?: readonly string[];
  readonly does: string;
}

/** What `tutti test-env` understands, as text (`advance 5m`) and as JSON (`{"command":"advance","by":"5m"}`). */
export const COMMANDS: Readonly<Record<string, Shape>> = {
  advance: { words: ['by'], does: 'lets so much of the cluster’s time pass' },
  idle: { words: ['quiet?', 'within?'], does: 'lets time pass until nothing but heartbeats was written for a while' },
  until: {
    words: ['object', 'field?', 'namespace?', 'within?'],
    does: 'lets time pass until deployment/web is there, has status.replicas=3, condition=Available, or is gone',
  },
  freeze: { words: [], does: 'time stands still but for advance, until and idle' },
  flow: { words: [], does: 'time goes along with the machine’s' },
  apply: { words: ['source', 'namespace?'], does: 'applies a file or folder, or YAML text' },
  image: { words: ['reference', 'policy'], does: 'says what an image does: {"serve":{"8080":"hello"},"pullMs":20000}' },
  crash: { words: ['node'], does: 'takes a node’s power away' },
  restart: { words: ['node'], does: 'gives a node its power back' },
  pause: { words: ['target'], does: 'lets a node or component stand still' },
  resume: { words: ['target'], does: 'lets it go on' },
  partition: { words: ['node'], does: 'cuts a node off from everything' },
  heal: { words: ['node'], does: 'ends that' },
  skew: { words: ['target', 'by'], does: 'sets the clock of a node or component ahead by so much' },
  link: { words: ['node', 'link'], does: 'makes a node’s link slow or lossy: {"delayMs":50,"loss":0.01}' },
  kill: { words: ['node', 'container', 'exitCode?', 'reason?'], does: 'ends containers, by their id or image' },
  'oom-kill': { words: ['pod', 'container?', 'namespace?'], does: 'kills a container for its memory' },
  pressure: { words: ['node', 'resource', 'left?'], does: 'leaves a node so much memory, disk or pids: 50Mi, 5%' },
  relieve: { words: ['node', 'resource?'], does: 'ends that' },
  fault: {
    words: ['fault'],
    does: 'lets something befall requests: {"fault":"refuse","verbs":["update"],"share":0.5}',
  },
  'clear-faults': { words: [], does: 'takes all faults away' },
  'break-watches': { words: [], more: ['resources', 'users'], does: 'breaks watches that are open now' },
  compact: { words: [], does: 'forgets the store’s history (410)' },
  'restart-apiserver': { words: ['downMs?'], does: 'ends the API server and begins a new one' },
  'disk-full': { words: ['full'], does: 'the store’s disk is full (true), or has room again (false)' },
  snapshot: { words: ['name?'], does: 'keeps the cluster as it is now, under a name' },
  reset: { words: ['name?'], does: 'goes back to a snapshot; without a name to the start' },
  at: { words: ['when'], does: 'opens the cluster as it was, to be read, and gives a kubeconfig' },
  diff: { words: ['from', 'to?'], does: 'tells what changed between two moments' },
  history: { words: ['file'], does: 'saves every write to a file' },
  status: { words: [], does: 'tells the time, nodes and faults' },
  help: { words: [], does: 'lists the commands' },
  stop: { words: [], does: 'ends the cluster and this program' },
};

/**
 * One line: JSON when it begins with `{`, words otherwise (quotes keep words together; what begins with `{` or `[` is
 * JSON). Undefined for a line with nothing on it. Throws `TestEnvCommandError`.
 */
export function parseCommand(line: string): TestEnvCommand | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  return text.startsWith('{') ? checkCommand(parseJson(text)) : fromWords(text);
}

/** Throws `TestEnvCommandError` for what is no command, or misses or has an argument too many. */
export function checkCommand(value: unknown): TestEnvCommand {
  const command = value as TestEnvCommand;
  const name = typeof command === 'object' && command !== null ? command.command : undefined;
  if (typeof name !== 'string') throw new TestEnvCommandError('a command looks like {"command":"advance","by":"5m"}');
  const shape = shapeOf(name);
  const known = [...shape.words.map((word) => word.replace('?', '')), ...(shape.more ?? [])];
  for (const argument of Object.keys(command))
    if (argument !== 'command' && argument !== 'id' && !known.includes(argument))
      throw new TestEnvCommandError(`"${name}" takes no "${argument}"; ${usageOf(name)}`);
  for (const word of shape.words)
    if (!word.endsWith('?') && command[word] === undefined)
      throw new TestEnvCommandError(`"${name}" wants "${word}"; ${usageOf(name)}`);
  return command;
}

function fromWords(text: string): TestEnvCommand {
  const [name = '', ...rest] = wordsOf(text);
  const { words } = shapeOf(name);
  if (rest.length > words.length)
    throw new TestEnvCommandError(`"${name}" takes no "${rest[words.length]}"; ${usageOf(name)}`);
  const given = rest.map((word, at) => [(words[at] as string).replace('?', ''), valueOf(word)] as const);
  return checkCommand({ command: name, ...Object.fromEntries(given) });
}

function shapeOf(name: string): Shape {
  const shape = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (shape) return shape;
  throw new TestEnvCommandError(`there is no command "${name}"; there are ${Object.keys(COMMANDS).join(', ')}`);
}

/** `advance BY: lets …` */
export function usageOf(name: string): string {
  const { words, does } = shapeOf(name);
  const shown = words.map((word) =>
    word.endsWith('?') ? ` [${word.slice(0, -1).toUpperCase()}]` : ` ${word.toUpperCase()}`,
  );
  return `${name}${shown.join('')}: ${does}`;
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (let rest = text.trim(); rest !== ''; rest = rest.trim()) {
    if (rest.startsWith('{') || rest.startsWith('[')) {
      words.push(rest);
      break;
    }
    const [all, double, single, plain] = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+))/.exec(rest) ?? [
      rest,
      undefined,
      undefined,
      rest,
    ];
    words.push(double === undefined ? (single ?? plain ?? '') : double.replace(/\\(.)/g, '$1'));
    rest = rest.slice(all.length);
  }
  return words;
}

const valueOf = (word: string): unknown => (/^[{[]/.test(word) ? parseJson(word) : word);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TestEnvCommandError(`this is no JSON: ${(error as Error).message}`);
  }
}
