import { SortedMap } from '../../control-plane/store/drivers/memory/sorted-map.ts';
import type { Entry } from '../../control-plane/store/store.ts';
import { createNodeFiles } from '../../libs/base/node/files.ts';
import { HistoryFileError } from '../errors.ts';
import type { HistoryEntry, RecordedHistory } from '../history.ts';
import type { PastWrite } from './past.ts';

/**
 * A history in a file, one JSON value a line:
 *
 *     {"tuttiHistory":1,"clusterId":"…","seed":"42","unrepeatable":[],"revision":7,"timeMs":1767225600000,"untilMs":…}
 *     {"type":"was","key":"/registry/…","createRevision":3,"revision":5,"value":"{…}"}      what was there before
 *     {"type":"request",…}  {"type":"put",…}  {"type":"delete",…}                            what happened, in order
 */
const FORMAT = 1;

interface Head {
  readonly tuttiHistory: number;
  readonly clusterId: string;
  readonly seed: string;
  readonly unrepeatable: readonly string[];
  readonly revision: number;
  readonly timeMs: number;
  readonly untilMs: number;
}

interface Was {
  readonly type: 'was';
  readonly key: string;
  readonly createRevision: number;
  readonly revision: number;
  readonly value: string;
}

/** Throws the system's errors. */
export async function saveHistory(path: string, { seed, unrepeatable, entries, past }: RecordedHistory): Promise<void> {
  const { clusterId, baseRevision: revision, baseMs: timeMs, untilMs } = past;
  const head: Head = { tuttiHistory: FORMAT, clusterId, seed, unrepeatable, revision, timeMs, untilMs };
  await createNodeFiles().write(path, `${JSON.stringify(head)}\n${wasLines(past.base)}${entries.map(line).join('')}`);
}

/** What was there, as lines of a file. */
export function wasLines(base: SortedMap<Entry>): string {
  const decoder = new TextDecoder();
  const lines: string[] = [];
  base.walk('', ({ createRevision, revision, value }, key) => {
    lines.push(line({ type: 'was', key, createRevision, revision, value: decoder.decode(value) } satisfies Was));
    return true;
  });
  return lines.join('');
}

const line = (value: unknown) => `${JSON.stringify(value)}\n`;

/** Throws `HistoryFileError` with file and line for what is no history, or one of another version. */
export async function loadHistory(path: string): Promise<RecordedHistory> {
  const files = createNodeFiles();
  const text = await files.readText(path).catch((error: unknown) => {
    throw new HistoryFileError(`${path}: ${(error as Error).message}`, { cause: error });
  });
  return parseHistory(text, path);
}

/** `path` is what errors call it. */
export function parseHistory(text: string, path: string): RecordedHistory {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const head = parsed(lines[0] ?? '', path, 1) as Head;
  if (head?.tuttiHistory === undefined) throw new HistoryFileError(`${path}, line 1: this is no history of a cluster`);
  if (head.tuttiHistory !== FORMAT)
    throw new HistoryFileError(
      `${path}, line 1: a history of format ${head.tuttiHistory}; this version reads ${FORMAT}`,
    );
  const encoder = new TextEncoder();
  const base = SortedMap.empty<Entry>();
  const entries: HistoryEntry[] = [];
  const writes: PastWrite[] = [];
  const now = new Map<string, Entry>();
  for (const [at, one] of lines.slice(1).entries()) {
    const value = parsed(one, path, at + 2) as Was | HistoryEntry;
    if (value.type === 'was') {
      const { key, createRevision, revision } = value;
      const entry: Entry = { key, createRevision, revision, value: encoder.encode(value.value) };
      base.set(key, entry);
      now.set(key, entry);
    } else if (value.type === 'request') entries.push(value);
    else if (value.type === 'put' || value.type === 'delete') {
      entries.push(value);
      writes.push(writeOf(value, now, encoder));
    } else
      throw new HistoryFileError(`${path}, line ${at + 2}: nothing is known of "${(value as { type: string }).type}"`);
  }
  const { clusterId, seed, unrepeatable, revision, timeMs } = head;
  const untilMs = Math.max(head.untilMs ?? timeMs, entries.at(-1)?.timeMs ?? timeMs);
  const past = { clusterId, base, baseRevision: revision, baseMs: timeMs, writes, untilMs };
  return { seed, unrepeatable, entries, past };
}

function writeOf(
  { type, key, revision, value, timeMs }: Exclude<HistoryEntry, { type: 'request' }>,
  now: Map<string, Entry>,
  encoder: TextEncoder,
): PastWrite {
  const previous = now.get(key);
  const entry =
    value === undefined
      ? undefined
      : { key, revision, createRevision: previous?.createRevision ?? revision, value: encoder.encode(value) };
  if (entry) now.set(key, entry);
  else now.delete(key);
  return { timeMs, event: { type, key, revision, entry, previous } };
}

function parsed(text: string, path: string, at: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HistoryFileError(`${path}, line ${at}: ${(error as Error).message}`, { cause: error });
  }
}
