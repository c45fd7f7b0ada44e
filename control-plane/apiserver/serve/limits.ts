/** The bounds within which a server takes requests. Defaults are upstream's where upstream has one. */
export interface ServeLimits {
  /** Of a request's body. Default 3 MiB; more is 413. */
  readonly bodyBytesMax: number;
  /** Of a request's headers. Default 128 KiB; more is 431. */
  readonly headerBytesMax: number;
  /** From the connection's first byte to the end of the headers. Default 32 s. */
  readonly headersMs: number;
  /** From the request's first byte to the end of its body. Default 60 s. */
  readonly requestMs: number;
  /** A connection without a request is closed after this long. Default 180 s. */
  readonly idleMs: number;
  /** An answer of which nothing could be written for this long is cut off. Default 30 s. */
  readonly stalledMs: number;
  /** Requests under way that change something; more are 429. Default 200; 0: no limit. */
  readonly mutatingInFlightMax: number;
  /** Requests under way that read. Default 400; 0: no limit. */
  readonly readingInFlightMax: number;
  /** Open connections; more are closed at once, before they cost a handshake. Default 16,384, at some 85 KiB each. */
  readonly connectionsMax: number;
  /** Streams of one HTTP/2 connection. Default 1,000. */
  readonly streamsPerConnectionMax: number;
  /** Written to one watcher and not taken yet; beyond it the sender waits. Default 256 KiB. */
  readonly watchBufferBytes: number;
  /** Answers from this size on are compressed for clients that accept gzip. Default 128 KiB. */
  readonly gzipBytesMin: number;
}

const KIB = 1024;

export const DEFAULT_LIMITS: ServeLimits = Object.freeze({
  bodyBytesMax: 3 * KIB * KIB,
  headerBytesMax: 128 * KIB,
  headersMs: 32_000,
  requestMs: 60_000,
  idleMs: 180_000,
  stalledMs: 30_000,
  mutatingInFlightMax: 200,
  readingInFlightMax: 400,
  connectionsMax: 16_384,
  streamsPerConnectionMax: 1000,
  watchBufferBytes: 256 * KIB,
  gzipBytesMin: 128 * KIB,
});

/** Requests that last as long as their client wants, and so do not count as under way. */
export function isLongRunning(path: string, query: string): boolean {
  return (
    (query.includes('watch') && /(?:^|&)watch(?:=(?!(?:0|false)(?:&|$))|&|$)/.test(query)) ||
    LONG_RUNNING_PATH.test(path)
  );
}

const LONG_RUNNING_PATH =
  /^\/apis?\/(?:.*\/)?(?:watch\/|proxy\/)|\/(?:pods|nodes|services)\/[^/]+\/(?:attach|exec|log|portforward|proxy)(?:\/|$)/;

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Counts requests under way in two classes, each with a bound. */
export class InFlight {
  readonly #max: Readonly<Record<'mutating' | 'reading', number>>;
  readonly #now = { mutating: 0, reading: 0 };

  constructor(limits: Pick<ServeLimits, 'mutatingInFlightMax' | 'readingInFlightMax'>) {
    this.#max = { mutating: limits.mutatingInFlightMax, reading: limits.readingInFlightMax };
  }

  get mutating(): number {
    return this.#now.mutating;
  }

  get reading(): number {
    return this.#now.reading;
  }

  /** Counts a request in: the class to `leave` later; undefined where there are too many already. */
  enter(method: string): 'mutating' | 'reading' | undefined {
    const kind = READING.has(method) ? 'reading' : 'mutating';
    const max = this.#max[kind];
    if (max > 0 && this.#now[kind] >= max) return undefined;
    this.#now[kind]++;
    return kind;
  }

  leave(kind: 'mutating' | 'reading'): void {
    this.#now[kind]--;
  }
}
