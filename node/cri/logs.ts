import { concat as joinBytes } from '../../libs/streaming/channel.ts';

/**
 * Container logs as the CRI writes them, one line per piece of output:
 *
 *     2016-10-06T00:17:09.669794202Z stdout F a whole line
 *     2016-10-06T00:17:09.669794202Z stderr P the first part of a long one, without
 *     2016-10-06T00:17:09.669794203Z stderr F  its line end
 *
 * Everything here is pure; `log-reader.ts` reads files with it. Content is bytes: containers may write anything.
 */
export interface LogLine {
  /** RFC 3339 with nine decimals, as written. */
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** The runtime cut a line that was too long: the next piece of the same stream continues it. */
  readonly partial: boolean;
  /** Without its line end. */
  readonly content: Uint8Array;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();
const SPACE = 0x20;
export const LINE_END = 0x0a;

/** One line of a log file, without its line end; undefined for one that is not in this form. */
export function parseLogLine(line: Uint8Array): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first <= 0 || second < 0) return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const end = third < 0 ? line.length : third;
  const timestamp = decoder.decode(line.subarray(0, first));
  const stream = decoder.decode(line.subarray(first + 1, second));
  // Tags may be more than one, joined by `:`; the first says whether the line is whole.
  const tag = decoder.decode(line.subarray(second + 1, end)).split(':')[0];
  if ((stream !== 'stdout' && stream !== 'stderr') || (tag !== 'F' && tag !== 'P')) return undefined;
  if (parseTimestamp(timestamp) === undefined) return undefined;
  return { timestamp, stream, partial: tag === 'P', content: third < 0 ? new Uint8Array(0) : line.subarray(third + 1) };
}

export function formatLogLine(line: LogLine): Uint8Array {
  const head = encoder.encode(`${line.timestamp} ${line.stream} ${line.partial ? 'P' : 'F'} `);
  return joinBytes([head, line.content, Uint8Array.of(LINE_END)]);
}

/** Output as log lines, cut at line ends and where a line is longer than `lineBytesMax` (containerd: 16 KiB). */
export class LogWriter {
  readonly #stream: LogLine['stream'];
  readonly #lineBytesMax: number;
  #rest: Uint8Array = NOTHING;

  constructor(stream: LogLine['stream'], lineBytesMax = 16 * 1024) {
    this.#stream = stream;
    this.#lineBytesMax = lineBytesMax;
  }

  /** What to append to the file for `chunk`; the start of a line waits for its end. */
  write(chunk: Uint8Array, timeNanos: bigint): Uint8Array {
    const lines: Uint8Array[] = [];
    let bytes = this.#rest.length > 0 ? joinBytes([this.#rest, chunk]) : chunk;
    for (;;) {
      const end = bytes.indexOf(LINE_END);
      if ((end < 0 ? bytes.length : end) > this.#lineBytesMax) {
        lines.push(this.#line(bytes.subarray(0, this.#lineBytesMax), timeNanos, true));
        bytes = bytes.subarray(this.#lineBytesMax);
      } else if (end >= 0) {
        lines.push(this.#line(bytes.subarray(0, end), timeNanos, false));
        bytes = bytes.subarray(end + 1);
      } else break;
    }
    this.#rest = bytes.length === 0 ? NOTHING : bytes.slice();
    return joinBytes(lines);
  }

  /** The last line, when it had no end: runtimes write it as a part. */
  end(timeNanos: bigint): Uint8Array {
    const rest = this.#rest;
    this.#rest = NOTHING;
    return rest.length === 0 ? rest : this.#line(rest, timeNanos, true);
  }

  #line(content: Uint8Array, timeNanos: bigint, partial: boolean): Uint8Array {
    return formatLogLine({ timestamp: formatTimestamp(timeNanos), stream: this.#stream, partial, content });
  }
}

/** Nanoseconds since 1970 as RFC 3339 in UTC with nine decimals. */
export function formatTimestamp(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`;
}

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/;

/** Nanoseconds since 1970 of an RFC 3339 time; undefined for another text. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Which part of a log is wanted: the query of a pod's `log` subresource. */
export interface LogSelection {
  /** Only lines that were written at this time or later, in nanoseconds since 1970. */
  readonly sinceNanos?: bigint;
  /** Only the last lines of the file; 0: none. */
  readonly tailLines?: number;
  /** Ends after so many bytes of output. */
  readonly limitBytes?: number;
  /** Puts the time in front of every line. */
  readonly timestamps?: boolean;
  /** Only one of the streams. */
  readonly stream?: LogLine['stream'];
}

/** Turns the bytes of a log file into what a reader of the log sees. */
export class LogFilter {
  readonly #selection: LogSelection;
  #rest: Uint8Array = NOTHING;
  #left: number;
  /** Whether the next piece begins a line, by stream: pieces of stdout and stderr may alternate. */
  readonly #atLineStart = { stdout: true, stderr: true };

  constructor(selection: LogSelection) {
    this.#selection = selection;
    this.#left = selection.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  /** The limit is reached: nothing more will come. */
  get done(): boolean {
    return this.#left <= 0;
  }

  /** The output that `chunk` of the file completes. Lines that are not in the form of a log are left out. */
  push(chunk: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    let bytes = this.#rest.length > 0 ? joinBytes([this.#rest, chunk]) : chunk;
    for (let end = bytes.indexOf(LINE_END); end >= 0 && !this.done; end = bytes.indexOf(LINE_END)) {
      this.#add(out, bytes.subarray(0, end));
      bytes = bytes.subarray(end + 1);
    }
    this.#rest = bytes.length === 0 ? NOTHING : bytes.slice();
    return joinBytes(out);
  }

  /** What is left when the file has ended: a line whose end was never written. */
  end(): Uint8Array {
    const out: Uint8Array[] = [];
    if (this.#rest.length > 0 && !this.done) this.#add(out, this.#rest);
    this.#rest = NOTHING;
    return joinBytes(out);
  }

  #add(out: Uint8Array[], raw: Uint8Array): void {
    const line = parseLogLine(raw);
    if (!line) return;
    const { sinceNanos, timestamps, stream } = this.#selection;
    if (stream && line.stream !== stream) return;
    if (sinceNanos !== undefined && (parseTimestamp(line.timestamp) as bigint) < sinceNanos) return;
    const parts: Uint8Array[] = [];
    if (timestamps && this.#atLineStart[line.stream]) parts.push(encoder.encode(`${nineDecimals(line.timestamp)} `));
    parts.push(line.content);
    if (!line.partial) parts.push(Uint8Array.of(LINE_END));
    this.#atLineStart[line.stream] = !line.partial;
    const bytes = joinBytes(parts).subarray(0, this.#left);
    this.#left -= bytes.length;
    out.push(bytes);
  }
}

/** containerd writes no zeros at the end of a fraction; readers of logs get all nine digits. */
function nineDecimals(timestamp: string): string {
  const match = RFC3339.exec(timestamp);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0')}${match[3]}` : timestamp;
}

/** The folder of a pod's logs below `root` (`/var/log/pods`). */
export function podLogDirectory(root: string, namespace: string, name: string, uid: string): string {
  return `${root}/${namespace}_${name}_${uid}`;
}

/** The reverse; undefined for a folder that is none. Neither names nor namespaces have a `_`. */
export function parsePodLogDirectory(folder: string): { namespace: string; name: string; uid: string } | undefined {
  const whole = folder.slice(folder.lastIndexOf('/') + 1);
  const first = whole.indexOf('_');
  const second = whole.indexOf('_', first + 1);
  if (first < 1 || second < first + 2 || second === whole.length - 1 || second !== whole.lastIndexOf('_'))
    return undefined;
  return { namespace: whole.slice(0, first), name: whole.slice(first + 1, second), uid: whole.slice(second + 1) };
}

/** A container's log file within its pod's folder: the `logPath` of a ContainerConfig. */
export function containerLogPath(container: string, attempt: number): string {
  return `${container}/${attempt}.log`;
}

/** The link under which tools find a container's log in `/var/log/containers`. */
export function legacyLogLink(namespace: string, pod: string, container: string, containerId: string): string {
  const base = `${pod}_${namespace}_${container}-${containerId}`;
  // A file's name has at most 255 bytes.
  return base.length > 251 ? `${base.slice(0, 251)}.log` : `${base}.log`;
}
