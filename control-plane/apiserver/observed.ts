import type { Clock } from '../../libs/base/clock.ts';
import type { RequestAttributes } from '../../libs/kind/request.ts';
import { type ComponentFacts, tellComponent } from '../../libs/metrics/component.ts';
import {
  type Cell,
  type Counter,
  type Distribution,
  type Gauge,
  type Histogram,
  MetricSet,
} from '../../libs/metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { Caches } from './cache/caches.ts';
import { resourcePrefix } from './cache/keys.ts';
import type { CelObserver } from './cel-observer.ts';
import type { Fairness, RejectReason } from './fairness/fairness.ts';
import type { FlowFigures } from './fairness/priority-level.ts';
import type { KindSet } from './registry/kind-set.ts';
import { RequestTable } from './request-figures.ts';
import type { WebhookType } from './webhook/review.ts';

const WAIT_SECONDS = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
/** The bounds that Prometheus' clients take where nobody names any. */
const CEL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HOUR = 3600;
const DAY = 24 * HOUR;
const CERTIFICATE_SECONDS = [0, HOUR / 2, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY].concat(
  [30, 90, 180, 360].map((days) => days * DAY),
);
const CHECK_SECONDS = [5e-7, 0.001, 0.01, 0.1, 1];
const ADMISSION_SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

/** What the API server counts of its requests, under upstream's names. */
export class Observed {
  readonly metrics = new MetricSet();
  /** What was asked for, and how it was answered. */
  readonly requests = new RequestTable();
  /** By request: what its webhooks took. */
  readonly #webhookMs = new WeakMap<object, { admit: number; validating: number }>();
  readonly #mutating: Cell;
  readonly #reading: Cell;
  readonly #attempts: Readonly<Record<'success' | 'failure' | 'error', Cell>>;
  readonly #refreshing: (() => Promise<void>)[] = [];
  readonly #rejected: Counter;
  readonly #dispatched: Counter;
  readonly #waits: Histogram;
  readonly #plugins: Histogram;
  readonly #steps: Histogram;
  readonly #webhooks: Histogram;
  readonly #deprecated: Gauge;
  readonly #policyChecks: Counter;
  readonly #policySeconds: Histogram;
  readonly #lostApiServices: Counter;
  readonly #certificates: Distribution;
  readonly #celCompiled: Distribution;
  readonly #celEvaluated: Distribution;
  /** Rows that have been counted in, by what tells them apart. */
  readonly #asked = new Map<string, AskedRows>();
  readonly #flows = new Map<string, FlowRows>();

  constructor() {
    const { metrics } = this;
    this.requests.tell(metrics);
    const inFlight = metrics.gauge(
      'apiserver_current_inflight_requests',
      'Requests under way, those that last as long as their clients want aside.',
      ['request_kind'],
    );
    this.#mutating = inFlight.at('mutating');
    this.#reading = inFlight.at('readOnly');
    const attempts = metrics.counter('authentication_attempts', 'Requests, by whether it is known who sent them.', [
      'result',
    ]);
    this.#attempts = { success: attempts.at('success'), failure: attempts.at('failure'), error: attempts.at('error') };
    this.#rejected = metrics.counter(
      'apiserver_flowcontrol_rejected_requests_total',
      'Requests that priority and fairness turned away.',
      ['priority_level', 'flow_schema', 'reason'],
    );
    this.#dispatched = metrics.counter(
      'apiserver_flowcontrol_dispatched_requests_total',
      'Requests that priority and fairness let run.',
      ['priority_level', 'flow_schema'],
    );
    this.#waits = metrics.histogram(
      'apiserver_flowcontrol_request_wait_duration_seconds',
      'How long requests waited for their turn.',
      ['priority_level', 'flow_schema', 'execute'],
      WAIT_SECONDS,
    );
    const asked = ['operation', 'rejected', 'type'];
    const admission = (what: string, help: string, labels: readonly string[], buckets: readonly number[]) =>
      metrics.histogram(`apiserver_admission_${what}_admission_duration_seconds`, help, labels, buckets);
    this.#plugins = admission('controller', 'How long each plugin took.', ['name', ...asked], ADMISSION_SECONDS);
    this.#steps = admission('step', 'How long all plugins together took.', asked, ADMISSION_SECONDS);
    this.#webhooks = admission(
      'webhook',
      'How long each webhook took.',
      ['name', ...asked],
      [...ADMISSION_SECONDS, 10, 25],
    );
    this.#deprecated = metrics.gauge(
      'apiserver_requested_deprecated_apis',
      'Versions of resources that somebody asked for and that will go; no release is told where none is known.',
      ['group', 'version', 'resource', 'subresource', 'removed_release'],
    );
    this.#lostApiServices = metrics.counter(
      'aggregator_unavailable_apiservice_total',
      'How often an APIService was available no longer, and why.',
      ['name', 'reason'],
    );
    this.#certificates = metrics
      .histogram(
        'apiserver_client_certificate_expiration_seconds',
        'How long the certificates that requests came with were still good for.',
        [],
        CERTIFICATE_SECONDS,
      )
      .at();
    const cel = (what: string, help: string) =>
      metrics.histogram(`apiserver_cel_${what}_duration_seconds`, help, [], CEL_SECONDS).at();
    this.#celCompiled = cel('compilation', 'How long it took to compile the rules of a custom resource.');
    this.#celEvaluated = cel('evaluation', 'How long it took to ask all rules about one custom object.');
    const check = ['policy', 'policy_binding', 'error_type', 'enforcement_action'];
    const policy = 'apiserver_validating_admission_policy_check';
    const [checks, seconds] = [
      'Validations of policies that did not hold, by what followed.',
      'How long such validations took.',
    ];
    this.#policyChecks = metrics.counter(`${policy}_total`, checks, check);
    this.#policySeconds = metrics.histogram(`${policy}_duration_seconds`, seconds, check, CHECK_SECONDS);
  }

  apiServiceLost(name: string, reason: string): void {
    this.#lostApiServices.add(1, name, reason);
  }

  /** Tells which APIServices do not answer. */
  watchApiServices(read: () => Iterable<readonly [name: string, available: boolean]>): void {
    const help = 'Whether an APIService does not answer: 1, or 0.';
    this.metrics.gauge('aggregator_unavailable_apiservice', help, ['name'], (set) => {
      for (const [name, available] of read()) set(available ? 0 : 1, name);
    });
  }

  /** A request came with a certificate that is good for so long. */
  certificateValidFor(ms: number): void {
    this.#certificates.observe(ms / 1000);
  }

  /** Who tells of expressions. */
  cel(clock: Pick<Clock, 'monotonic'>): CelObserver {
    return {
      nowMs: () => clock.monotonic(),
      compiled: (ms) => this.#celCompiled.observe(ms / 1000),
      evaluated: (ms) => this.#celEvaluated.observe(ms / 1000),
      checked: (policy, binding, action, error, ms) => {
        this.#policyChecks.add(1, policy, binding, error, action);
        this.#policySeconds.observe(ms / 1000, policy, binding, error, action);
      },
    };
  }

  /** A plugin of admission was asked; without a name: all of them were. */
  admission(name: string | undefined, type: string, operation: string, ms: number, rejected: boolean): void {
    const asked = this.#asked.get(operation) ?? this.#askedFor(operation);
    const rows = asked[(type === 'admit' ? 0 : 1) + (rejected ? 2 : 0)] as Map<string | undefined, Distribution>;
    let row = rows.get(name);
    if (!row) {
      const labels = [operation, String(rejected), type];
      row = name === undefined ? this.#steps.at(...labels) : this.#plugins.at(name, ...labels);
      rows.set(name, row);
    }
    row.observe(ms / 1000);
  }

  #askedFor(operation: string): AskedRows {
    const rows: AskedRows = [new Map(), new Map(), new Map(), new Map()];
    this.#asked.set(operation, rows);
    return rows;
  }

  webhook(name: string, type: WebhookType, operation: string, ms: number, rejected: boolean, request: object): void {
    this.#webhooks.observe(ms / 1000, name, operation, String(rejected), type);
    const took = this.#webhookMs.get(request) ?? { admit: 0, validating: 0 };
    // Those that change are asked one after the other, those that judge at once.
    took[type] = type === 'admit' ? took.admit + ms : Math.max(took.validating, ms);
    this.#webhookMs.set(request, took);
  }

  /** How long a request waited for webhooks. */
  webhooksMs(request: object): number {
    const took = this.#webhookMs.get(request);
    return took ? took.admit + took.validating : 0;
  }

  /** What counts the requests of a verb that are under way. */
  inFlight(verb: string): Cell {
    return READING.has(verb) ? this.#reading : this.#mutating;
  }

  deprecated({ group, version, resource, subresource }: RequestAttributes): void {
    this.#deprecated.set(1, group, version, resource, subresource, '');
  }

  /** Tells what runs, with which features, and what it takes of its machine. */
  component(facts: ComponentFacts): void {
    tellComponent(this.metrics, facts);
  }

  /** `failure`: whoever it was could not prove it; `error`: that could not be found out. */
  authentication(result: 'success' | 'failure' | 'error'): void {
    this.#attempts[result].add(1);
  }

  dispatched(level: string, schema: string, waitedMs: number): void {
    // A schema belongs to one level at a time.
    let rows = this.#flows.get(schema);
    if (rows?.level !== level) {
      rows = { level, dispatched: this.#dispatched.at(level, schema), waits: this.#waits.at(level, schema, 'true') };
      if (this.#flows.size < ROWS_MAX) this.#flows.set(schema, rows);
    }
    rows.dispatched.add(1);
    rows.waits.observe(waitedMs / 1000);
  }

  rejected(level: string, schema: string, reason: RejectReason): void {
    this.#rejected.add(1, level, schema, reason);
  }

  /** Tells what priority levels have and use. */
  watchFairness(fairness: Fairness): void {
    const { metrics } = this;
    const name = (what: string) => `apiserver_flowcontrol_${what}`;
    metrics.gauge(name('nominal_limit_seats'), "Seats that are a level's own.", ['priority_level'], (set) => {
      for (const level of fairness.levels) set(level.nominalSeats, level.name);
    });
    const tell = (what: string, help: string, read: (flow: FlowFigures) => number) =>
      metrics.gauge(name(what), help, ['priority_level', 'flow_schema'], (set) => {
        for (const level of fairness.levels) {
          for (const [schema, figures] of level.schemas) set(read(figures), level.name, schema);
        }
      });
    tell('current_executing_seats', 'Seats that are taken.', ({ seats }) => seats);
    tell('current_executing_requests', 'Requests that run.', ({ running }) => running);
    tell('current_inqueue_requests', 'Requests that wait for their turn.', ({ waiting }) => waiting);
  }

  /** Tells how many objects of each kind are stored, how many changes of them the store has told, and how large it is. */
  watchStorage(kinds: KindSet, caches: Caches, store: Store): void {
    const stored = () => [...kinds.kinds].filter((kind) => !kind.virtual && resourcePrefix(kind) !== '');
    this.metrics.gauge('apiserver_storage_objects', 'Objects that are stored.', ['resource'], (set) => {
      for (const kind of stored()) {
        const name = kind.group === '' ? kind.resource : `${kind.resource}.${kind.group}`;
        set(caches.resource(kind).size, name);
      }
    });
    this.metrics.gauge('apiserver_resource_objects', 'Objects that are stored.', ['group', 'resource'], (set) => {
      for (const kind of stored()) set(caches.resource(kind).size, kind.group, kind.resource);
    });
    this.metrics.counter(
      'apiserver_storage_events_received_total',
      'Changes that the store has told.',
      ['group', 'resource'],
      (set) => {
        for (const kind of stored()) set(caches.resource(kind).eventCount, kind.group, kind.resource);
      },
    );
    const bytes = this.metrics.gauge('apiserver_storage_size_bytes', 'Bytes that the store takes.', [
      'storage_cluster_id',
    ]);
    this.#refreshing.push(async () => bytes.set((await store.size()).totalBytes, 'storage-0'));
  }

  /** Reads what cannot be told at once. Of what cannot be read now, the last figure is told. */
  async refresh(): Promise<void> {
    await Promise.allSettled(this.#refreshing.map((read) => read()));
  }
}

/** Rows that are found without joining their labels, at most: what tells them apart comes from requests. */
const ROWS_MAX = 5000;

/** Of one operation, by plugin: admitted, validated, and the same refused. */
type AskedRows = readonly Map<string | undefined, Distribution>[];

interface FlowRows {
  readonly level: string;
  readonly dispatched: Cell;
  readonly waits: Distribution;
}

/** Components of Kubernetes, as they call themselves in requests. */
const SYSTEM_CLIENTS: ReadonlySet<string> = new Set([
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubelet',
]);

/** Which of them sends this User-Agent; '' for all others, so that there are few. */
export function systemClientOf(userAgent: string | undefined): string {
  if (!userAgent?.startsWith('kube')) return '';
  const end = userAgent.indexOf('/');
  const name = end < 0 ? userAgent : userAgent.slice(0, end);
  return SYSTEM_CLIENTS.has(name) ? name : '';
}

const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);
