import type { HistoryEntry } from '../history.ts';
import { nameOfKey } from './observer.ts';
import type { Prepared, RunResult } from './run.ts';
import { describePerturbation, describeSchedule, type Schedule } from './schedule.ts';

export interface StoryFacts {
  readonly seed: string;
  readonly schedule: Schedule;
  readonly result: RunResult;
  /** How many perturbations the run had in which it was found, and how many runs it took to make them fewer. */
  readonly foundWith?: number;
  readonly tries?: number;
  /** The file that replays it. */
  readonly file?: string;
}

/** The last so many lines are told: what comes long before a failure seldom has to do with it. */
const LINES_MAX = 80;
const VALUE_MAX = 100;
const DIFFS_MAX = 8;
const SILENT = /^\/registry\/(?:core\/events|events\.k8s\.io\/events|coordination\.k8s\.io\/leases)\//;
/** Changes with every write, and says nothing. */
const NOISE =
  /^metadata\.(?:managedFields|resourceVersion|generation)\b|\.(?:lastTransitionTime|lastHeartbeatTime|lastUpdateTime|lastProbeTime)$/;

/** What happened in a run that failed, for people: what went wrong when, who wrote what, and why. */
export function tellStory({ scenario, base }: Prepared, facts: StoryFacts): string {
  const { seed, schedule, result, foundWith, tries, file } = facts;
  const { failure } = result;
  const what = failure
    ? `${failure.kind === 'invariant' ? `${failure.name}: ` : ''}${failure.message}`
    : 'nothing is wrong';
  const shortest =
    foundWith === undefined
      ? ''
      : ` (${schedule.perturbations.length} of ${foundWith} faults are left, after ${tries} runs)`;
  const lines = [`${scenario.name}, seed ${seed}: ${what}`, '', `What went wrong${shortest}:`];
  const told = describeSchedule(schedule);
  lines.push(
    ...(told.length > 0 ? told : ['nothing: it fails undisturbed']).map((line) => `  ${line}`),
    '',
    'What happened:',
  );
  const events = storyLines(result, (key) => {
    const { resource, namespace, name } = nameOfKey(key);
    return base.objects.get(resource)?.get(`${namespace}/${name}`)?.object;
  });
  const skipped = events.length - LINES_MAX;
  if (skipped > 0) lines.push(`  … ${skipped} lines before …`);
  lines.push(...events.slice(-LINES_MAX).map((line) => `  ${line}`));
  if (file) lines.push('', `Replay it with replay(${JSON.stringify(file)}, scenario).`);
  return lines.join('\n');
}

function storyLines({ history, disturbances, beganMs }: RunResult, before: (key: string) => unknown): string[] {
  const known = new Map<string, unknown>();
  const told: { atMs: number; text: string }[] = [];
  let writes: { atMs: number; text: string }[] = [];
  const at = (ms: number) => `${(ms / 1000).toFixed(3).padStart(8)} s`;
  for (const entry of history.entries) {
    const atMs = entry.timeMs - beganMs;
    if (entry.type === 'request') {
      // A request is told after what it wrote.
      const isSilent =
        /\/events(?:\/|$)|\/leases(?:\/|$)|\/token$/.test(entry.path) ||
        (entry.verb === 'create' && /review/.test(entry.path));
      if (!isSilent) told.push({ atMs, text: requestLine(entry) });
      told.push(...(isSilent ? [] : writes));
      writes = [];
      continue;
    }
    if (SILENT.test(entry.key)) continue;
    const previous = known.has(entry.key) ? known.get(entry.key) : before(entry.key);
    const now: unknown = entry.value === undefined ? undefined : JSON.parse(entry.value);
    known.set(entry.key, now);
    const diff = entry.type === 'delete' ? ['gone'] : previous === undefined ? summary(now) : diffLines(previous, now);
    if (diff.length === 0) continue;
    const { resource, namespace, name } = nameOfKey(entry.key);
    writes.push({
      atMs,
      text: `    ${entry.revision} ${resource} ${namespace ? `${namespace}/` : ''}${name}: ${diff.join('; ')}`,
    });
  }
  told.push(...writes);
  const all = [
    ...told.map((one) => ({ ...one, rank: 1 })),
    ...disturbances.map(({ atMs, perturbation, over }) => ({
      atMs,
      text: over ? `--- over: ${describePerturbation(perturbation)}` : `!!! ${describePerturbation(perturbation)}`,
      rank: 0,
    })),
  ];
  return all
    .map((one, index) => ({ ...one, index }))
    .sort((a, b) => a.atMs - b.atMs || a.rank - b.rank || a.index - b.index)
    .map(({ atMs, text }) => `${at(atMs)}  ${text}`);
}

function requestLine({ user, verb, path, cause, code }: Extract<HistoryEntry, { type: 'request' }>): string {
  const who = user.replace(/^system:serviceaccount:[^:]+:/, '');
  const what = path.replace(/^\/apis?\/(?:[^/]+\/)?v[^/]+\//, '').replace(/^namespaces\/([^/]+)\/(?=.)/, '$1 ');
  return `${who} ${verb} ${what}${cause ? ` (${cause})` : ''}${code < 400 ? '' : ` → ${code}`}`;
}

function summary(object: unknown): string[] {
  const { spec, metadata } = object as {
    spec?: { replicas?: number; nodeName?: string };
    metadata?: { ownerReferences?: { kind: string; name: string }[] };
  };
  const owner = metadata?.ownerReferences?.[0];
  return [
    'new',
    ...(spec?.replicas === undefined ? [] : [`replicas ${spec.replicas}`]),
    ...(owner ? [`of ${owner.kind} ${owner.name}`] : []),
  ];
}

/** What is different, as `spec.replicas 3 → 4`. */
export function diffLines(before: unknown, now: unknown): string[] {
  const all: string[] = [];
  compare('', before, now, all);
  const rest = all.length - DIFFS_MAX;
  return rest > 0 ? [...all.slice(0, DIFFS_MAX), `and ${rest} more`] : all;
}

function compare(path: string, before: unknown, now: unknown, out: string[]): void {
  if (before === now || NOISE.test(path)) return;
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (!isObject(before) || !isObject(now) || Array.isArray(before) !== Array.isArray(now)) {
    out.push(`${path} ${short(before)} → ${short(now)}`);
    return;
  }
  if (Array.isArray(before) && Array.isArray(now)) {
    const byName = nameOfItems(before, now);
    if (byName) {
      const [a, b] = [before, now].map(
        (items) => new Map(items.map((one: Record<string, unknown>) => [String(one[byName]), one])),
      );
      for (const key of new Set([...(a as Map<string, unknown>).keys(), ...(b as Map<string, unknown>).keys()]))
        compare(`${path}[${key}]`, a?.get(key), b?.get(key), out);
      return;
    }
    for (let index = 0; index < Math.max(before.length, now.length); index++)
      compare(`${path}[${index}]`, before[index], now[index], out);
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)]))
    compare(path === '' ? key : `${path}.${key}`, before[key], now[key], out);
}

/** Lists of things with names or types are compared by them. */
function nameOfItems(before: readonly unknown[], now: readonly unknown[]): string | undefined {
  const all = [...before, ...now];
  return ['name', 'type', 'uid', 'key'].find((field) =>
    all.every((one) => typeof one === 'object' && one !== null && Object.hasOwn(one, field)),
  );
}

function short(value: unknown): string {
  if (value === undefined) return 'none';
  const text = JSON.stringify(value);
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text;
}
