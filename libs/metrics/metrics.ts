import { stabilityOf } from './stability.ts';

/**
 * Figures that a component tells of itself, in the text that Prometheus reads (exposition format 0.0.4). A set belongs to
 * one component of one process; nothing is global. What counts for a while (a controller manager as long as it leads) has
 * a part of the set, told with it until it is removed.
 *
 *     const metrics = new MetricSet();
 *     const requests = metrics.counter('apiserver_request_total', 'Requests …', ['verb', 'code']);
 *     requests.add(1, 'GET', '200');
 *     metrics.gauge('apiserver_storage_objects', 'Objects …', ['resource'], (set) => set(12, 'pods'));
 *     metrics.text();
 */
export class MetricSet {
  readonly #metrics = new Map<string, Metric>();
  readonly #parts = new Set<MetricSet>();
  readonly #rowsMax: number;

  /** `rowsMax`: of one metric; what comes beyond them is not told. Default 20,000. */
  constructor({ rowsMax = ROWS_MAX }: { readonly rowsMax?: number } = {}) {
    this.#rowsMax = rowsMax;
  }

  /**
   * Only grows. `labels`: their names, in the order in which values are given. With `read` its values are asked for when
   * the text is made, and only those are told.
   */
  counter(name: string, help: string, labels: readonly string[] = [], read?: ValueReader): Counter {
    return this.#add(name, new Counter(name, help, labels, read));
  }

  /** Goes up and down. `read`: as of counters. */
  gauge(name: string, help: string, labels: readonly string[] = [], read?: ValueReader): Gauge {
    return this.#add(name, new Gauge(name, help, labels, read));
  }

  /** Counts what is observed by size. `buckets`: upper bounds, rising. `read`: as of counters. */
  histogram(
    name: string,
    help: string,
    labels: readonly string[],
    buckets: readonly number[],
    read?: DistributionReader,
  ): Histogram {
    return this.#add(name, new Histogram(name, help, labels, buckets, read));
  }

  /** A set that is told with this one too, until it is removed. Of one name in both, this one's is told. */
  part(): MetricSet {
    const part = new MetricSet();
    this.#parts.add(part);
    return part;
  }

  /** What a part has counted is told no longer here. */
  remove(part: MetricSet): void {
    this.#parts.delete(part);
  }

  /** What is told, by name. */
  get families(): readonly MetricFamily[] {
    return [...this.#all().values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All of them, by name. */
  text(): string {
    return [...this.#all().values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((metric) => metric.text())
      .join('');
  }

  #all(): ReadonlyMap<string, Metric> {
    if (this.#parts.size === 0) return this.#metrics;
    const all = new Map<string, Metric>();
    for (const part of [...this.#parts].reverse()) for (const [name, metric] of part.#all()) all.set(name, metric);
    for (const [name, metric] of this.#metrics) all.set(name, metric);
    return all;
  }

  #add<M extends Metric>(name: string, metric: M): M {
    if (this.#metrics.has(name)) throw new Error(`there are two metrics ${name}`);
    this.#metrics.set(name, metric);
    metric.rowsMax = this.#rowsMax;
    return metric;
  }
}

/** What is told of the same labels twice is added up. */
export type ValueReader = (set: (value: number, ...labels: string[]) => void) => void;
export type DistributionReader = (tell: (row: Distribution, ...labels: string[]) => void) => void;

/** What a metric is, without its values. */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** Upper bounds, of histograms. */
  readonly buckets?: readonly number[];
}

interface Metric extends MetricFamily {
  rowsMax: number;
  text(): string;
}

/** `first`, and so on, each `factor` times the one before: rounding errors included, as bounds are names in queries. */
export function exponentialBuckets(first: number, factor: number, count: number): number[] {
  const buckets = [first];
  while (buckets.length < count) buckets.push((buckets.at(-1) as number) * factor);
  return buckets;
}

/** Rows of a metric beyond this many are not made: labels come from requests, and memory must have a bound. */
const ROWS_MAX = 20_000;
/** Between label values in a row's key; no label has it. */
const SEPARATOR = '\u0001';

const keyOf = (labels: readonly string[]): string =>
  labels.length === 1 ? (labels[0] as string) : labels.join(SEPARATOR);

abstract class Rows<Row> implements Metric {
  readonly name: string;
  readonly #help: string;
  readonly labels: readonly string[];
  rowsMax = ROWS_MAX;
  protected readonly rows = new Map<string, Row>();

  constructor(name: string, help: string, labels: readonly string[]) {
    this.name = name;
    this.#help = help;
    this.labels = labels;
  }

  abstract readonly type: MetricFamily['type'];
  protected abstract make(): Row;
  protected abstract lines(row: Row, labels: (more?: string) => string): string;

  /**
   * The row of these labels, for who adds to it again and again: joining labels costs more than counting. A row that there
   * is no more room for counts, and is told nowhere.
   */
  at(...labels: string[]): Row {
    return this.row(labels) ?? this.make();
  }

  /** What these labels are of is no more. */
  delete(...labels: string[]): void {
    this.rows.delete(keyOf(labels));
  }

  /** undefined: there are too many already. */
  protected row(labels: readonly string[]): Row | undefined {
    const key = keyOf(labels);
    let row = this.rows.get(key);
    if (row === undefined && this.rows.size < this.rowsMax) {
      row = this.make();
      this.rows.set(key, row);
    }
    return row;
  }

  text(): string {
    const stability = stabilityOf(this.name);
    const help = (stability === 'ALPHA' ? '' : `[${stability}] `) + this.#help;
    let out = `# HELP ${this.name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n`;
    out += `# TYPE ${this.name} ${this.type}\n`;
    for (const [key, row] of this.rows) {
      const values = this.labels.length === 0 ? [] : key.split(SEPARATOR);
      const pairs = this.labels.map((label, i) => `${label}="${escape(values[i] ?? '')}"`);
      out += this.lines(row, (more) => {
        const all = more === undefined ? pairs : [...pairs, more];
        return all.length === 0 ? '' : `{${all.join(',')}}`;
      });
    }
    return out;
  }
}

/** One value of a counter or gauge. */
class Cell {
  value = 0;
  /** When it was so, in milliseconds since 1970; undefined: now. */
  atMs: number | undefined;

  /** `by` is 0 or more where it is a counter's. */
  add(by: number): void {
    this.value += by;
  }

  set(value: number): void {
    this.value = value;
  }
}

export type { Cell };

abstract class Values extends Rows<Cell> {
  readonly #read: ValueReader | undefined;

  constructor(name: string, help: string, labels: readonly string[], read?: ValueReader) {
    super(name, help, labels);
    this.#read = read;
  }

  /** What was measured at a time of its own, `atMs` in milliseconds since 1970. */
  setAt(value: number, atMs: number, ...labels: string[]): void {
    const row = this.row(labels);
    if (row === undefined) return;
    row.set(value);
    row.atMs = atMs;
  }

  /** `by` is 0 or more of a counter. */
  add(by: number, ...labels: string[]): void {
    this.row(labels)?.add(by);
  }

  override text(): string {
    if (this.#read) {
      this.rows.clear();
      this.#read((value, ...labels) => this.row(labels)?.add(value));
    }
    return super.text();
  }

  protected make(): Cell {
    return new Cell();
  }

  protected lines(row: Cell, labels: () => string): string {
    const at = row.atMs === undefined ? '' : ` ${Math.round(row.atMs)}`;
    return `${this.name}${labels()} ${numberText(row.value)}${at}\n`;
  }
}

export class Counter extends Values {
  readonly type = 'counter';

  constructor(name: string, help: string, labels: readonly string[], read?: ValueReader) {
    super(name, help, labels, read);
    // What has not happened yet has happened 0 times.
    if (labels.length === 0 && !read) this.at();
  }
}

export class Gauge extends Values {
  readonly type = 'gauge';

  set(value: number, ...labels: string[]): void {
    this.row(labels)?.set(value);
  }
}

/** By itself for who keeps it at hand, and tells of it with `read`: its buckets are then those of the histogram. */
export class Distribution {
  count = 0;
  sum = 0;
  readonly #buckets: readonly number[];
  /**
   * How many fell into each bucket. Made for the second bucket: there are thousands of distributions, and most know one
   * size. No typed array, which the platform keeps outside its heap.
   */
  #counts: number[] | undefined;
  /** The bucket of all as long as there are no counts: its place, one more than the last for what is larger than all. */
  #only = -1;

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
  }

  observe(value: number): void {
    const buckets = this.#buckets;
    let at = 0;
    while (at < buckets.length && value > (buckets[at] as number)) at++;
    if (this.#counts === undefined && at !== this.#only) {
      if (this.count === 0) this.#only = at;
      else this.#counts = this.counts();
    }
    if (this.#counts !== undefined && at < buckets.length) this.#counts[at] = (this.#counts[at] as number) + 1;
    this.count++;
    this.sum += value;
  }

  /** Takes in what another of the same buckets has counted. */
  add(other: Distribution): void {
    const counts = this.counts();
    for (const [at, count] of other.counts().entries()) counts[at] = (counts[at] as number) + count;
    this.#counts = counts;
    this.count += other.count;
    this.sum += other.sum;
  }

  /** By bucket, those below it not counted. */
  counts(): number[] {
    if (this.#counts !== undefined) return this.#counts;
    const counts = new Array<number>(this.#buckets.length).fill(0);
    if (this.#only >= 0 && this.#only < counts.length) counts[this.#only] = this.count;
    return counts;
  }
}

export class Histogram extends Rows<Distribution> {
  readonly type = 'histogram';
  readonly buckets: readonly number[];
  readonly #read: DistributionReader | undefined;

  constructor(
    name: string,
    help: string,
    labels: readonly string[],
    buckets: readonly number[],
    read?: DistributionReader,
  ) {
    super(name, help, labels);
    this.buckets = buckets;
    this.#read = read;
    if (labels.length === 0 && !read) this.at();
  }

  override text(): string {
    if (this.#read) {
      this.rows.clear();
      this.#read((row, ...labels) => this.row(labels)?.add(row));
    }
    return super.text();
  }

  observe(value: number, ...labels: string[]): void {
    this.row(labels)?.observe(value);
  }

  protected make(): Distribution {
    return new Distribution(this.buckets);
  }

  protected lines(row: Distribution, labels: (more?: string) => string): string {
    let out = '';
    let below = 0;
    const counts = row.counts();
    this.buckets.forEach((bound, i) => {
      below += counts[i] as number;
      out += `${this.name}_bucket${labels(`le="${boundText(bound)}"`)} ${below}\n`;
    });
    out += `${this.name}_bucket${labels('le="+Inf"')} ${row.count}\n`;
    out += `${this.name}_sum${labels()} ${numberText(row.sum)}\n`;
    return `${out}${this.name}_count${labels()} ${row.count}\n`;
  }
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** As Kubernetes writes bounds, and so as queries name them: `1e-06`, `0.25`, `1e+06`. */
function boundText(bound: number): string {
  const [digits = '', exponent = ''] = bound.toExponential().split('e');
  const size = Math.abs(Number(exponent));
  if (bound === 0 || (Number(exponent) >= -4 && Number(exponent) < 6)) return String(bound);
  return `${digits}e${exponent.startsWith('-') ? '-' : '+'}${String(size).padStart(2, '0')}`;
}

const escape = (text: string): string => text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
