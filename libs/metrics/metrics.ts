/**
 * Figures that a component tells of itself, in the text that Prometheus reads (exposition format 0.0.4). A set belongs to
 * one component of one process; nothing is global.
 *
 *     const metrics = new MetricSet();
 *     const requests = metrics.counter('apiserver_request_total', 'Requests …', ['verb', 'code']);
 *     requests.add(1, 'GET', '200');
 *     metrics.gauge('apiserver_storage_objects', 'Objects …', ['resource'], (set) => set(12, 'pods'));
 *     metrics.text();
 */
export class MetricSet {
  readonly #metrics = new Map<string, Metric>();

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

  /** Counts what is observed by size. `buckets`: upper bounds, rising. */
  histogram(name: string, help: string, labels: readonly string[], buckets: readonly number[]): Histogram {
    return this.#add(name, new Histogram(name, help, labels, buckets));
  }

  /** A component that begins anew counts from nothing: its metrics go before they are added again. */
  remove(...names: readonly string[]): void {
    for (const name of names) this.#metrics.delete(name);
  }

  /** All of them, by name. */
  text(): string {
    const names = [...this.#metrics.keys()].sort();
    return names.map((name) => (this.#metrics.get(name) as Metric).text()).join('');
  }

  #add<M extends Metric>(name: string, metric: M): M {
    if (this.#metrics.has(name)) throw new Error(`there are two metrics ${name}`);
    this.#metrics.set(name, metric);
    return metric;
  }
}

export type ValueReader = (set: (value: number, ...labels: string[]) => void) => void;

interface Metric {
  text(): string;
}

/** Rows of a metric beyond this many are not made: labels come from requests, and memory must have a bound. */
const ROWS_MAX = 20_000;
/** Between label values in a row's key; no label has it. */
const SEPARATOR = '\u0001';

abstract class Rows<Row> implements Metric {
  readonly name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  protected readonly rows = new Map<string, Row>();

  constructor(name: string, help: string, labels: readonly string[]) {
    this.name = name;
    this.#help = help;
    this.#labels = labels;
  }

  protected abstract readonly type: 'counter' | 'gauge' | 'histogram';
  protected abstract make(): Row;
  protected abstract lines(row: Row, labels: (more?: string) => string): string;

  /**
   * The row of these labels, for who adds to it again and again: joining labels costs more than counting. A row that there
   * is no more room for counts, and is told nowhere.
   */
  at(...labels: string[]): Row {
    return this.row(labels) ?? this.make();
  }

  /** undefined: there are too many already. */
  protected row(labels: readonly string[]): Row | undefined {
    const key = labels.length === 1 ? (labels[0] as string) : labels.join(SEPARATOR);
    let row = this.rows.get(key);
    if (row === undefined && this.rows.size < ROWS_MAX) {
      row = this.make();
      this.rows.set(key, row);
    }
    return row;
  }

  text(): string {
    let out = `# HELP ${this.name} ${this.#help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n`;
    out += `# TYPE ${this.name} ${this.type}\n`;
    for (const [key, row] of this.rows) {
      const values = this.#labels.length === 0 ? [] : key.split(SEPARATOR);
      const pairs = this.#labels.map((label, i) => `${label}="${escape(values[i] ?? '')}"`);
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
      this.#read((value, ...labels) => this.row(labels)?.set(value));
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
  protected readonly type = 'counter';
}

export class Gauge extends Values {
  protected readonly type = 'gauge';

  set(value: number, ...labels: string[]): void {
    this.row(labels)?.set(value);
  }
}

class Distribution {
  readonly counts: Float64Array;
  count = 0;
  sum = 0;
  readonly #buckets: readonly number[];

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.counts = new Float64Array(buckets.length);
  }

  observe(value: number): void {
    this.count++;
    this.sum += value;
    const buckets = this.#buckets;
    for (let i = 0; i < buckets.length; i++) {
      if (value > (buckets[i] as number)) continue;
      this.counts[i] = (this.counts[i] as number) + 1;
      return;
    }
  }
}

export type { Distribution };

export class Histogram extends Rows<Distribution> {
  protected readonly type = 'histogram';
  readonly #buckets: readonly number[];

  constructor(name: string, help: string, labels: readonly string[], buckets: readonly number[]) {
    super(name, help, labels);
    this.#buckets = buckets;
  }

  observe(value: number, ...labels: string[]): void {
    this.row(labels)?.observe(value);
  }

  protected make(): Distribution {
    return new Distribution(this.#buckets);
  }

  protected lines(row: Distribution, labels: (more?: string) => string): string {
    let out = '';
    let below = 0;
    this.#buckets.forEach((bound, i) => {
      below += row.counts[i] as number;
      out += `${this.name}_bucket${labels(`le="${numberText(bound)}"`)} ${below}\n`;
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

const escape = (text: string): string => text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
