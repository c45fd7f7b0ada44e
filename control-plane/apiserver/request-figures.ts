import type { RequestAttributes } from '../../libs/kind/request.ts';
import { Distribution, type MetricSet } from '../../libs/metrics/metrics.ts';

const SECONDS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const WATCH_LIST_SECONDS = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 15, 20, 30, 45, 60];
const BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const VERBS: ReadonlySet<string> = new Set(
  'get list watch create update patch delete deletecollection proxy head options post put connect'.split(' '),
);
const OTHER_VERB = 'other';
const COMPONENT = 'apiserver';
/** Of one resource: subresources may have any name, as paths may. What comes beyond them counts, and is told nowhere. */
const FIGURES_MAX = 200;

class Answers {
  readonly code: number;
  /** The component of Kubernetes that asked; '' for all others. */
  readonly systemClient: string;
  count = 1;

  constructor(code: number, systemClient: string) {
    this.code = code;
    this.systemClient = systemClient;
  }
}

/**
 * What is counted of the requests that ask for the same thing: found once for a request, labelled when it is told. All that
 * lasts is of classes and of `Array.of`: of literals V8 would make all later ones old, and a server has hundreds.
 */
export class RequestFigures {
  readonly verb: string;
  readonly dryRun: boolean;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
  readonly durations = new Distribution(SECONDS);
  /** Less what the requests waited for their turn and for webhooks. */
  readonly ownDurations = new Distribution(SECONDS);
  /** Few: most requests are answered alike. */
  readonly answers: Answers[] = Array.of();
  /** Watches or streams that are open; undefined: there was none. */
  open: number | undefined;
  /** Events that were sent. */
  events = 0;
  listed: Distribution | undefined;
  sizes: Distribution | undefined;

  constructor(verb: string, dryRun: boolean, scope: string, of: ResourceNames) {
    this.verb = verb;
    this.dryRun = dryRun;
    this.scope = scope;
    this.group = of.group;
    this.version = of.version;
    this.resource = of.resource;
    this.subresource = of.subresource;
  }

  answered(code: number, systemClient: string, durationMs: number, elsewhereMs: number): void {
    this.durations.observe(durationMs / 1000);
    this.ownDurations.observe((durationMs - elsewhereMs) / 1000);
    for (let at = 0; at < this.answers.length; at++) {
      const answers = this.answers[at] as Answers;
      if (answers.code !== code || answers.systemClient !== systemClient) continue;
      answers.count++;
      return;
    }
    this.answers.push(new Answers(code, systemClient));
  }

  opened(): void {
    this.open = (this.open ?? 0) + 1;
  }

  closed(): void {
    this.open = (this.open ?? 0) - 1;
  }

  /** A watcher that asked for the first state has all of it. */
  watchListed(ms: number): void {
    this.listed ??= new Distribution(WATCH_LIST_SECONDS);
    this.listed.observe(ms / 1000);
  }

  /** How large an answer was that is there as a whole. */
  sized(bytes: number): void {
    this.sizes ??= new Distribution(BYTES);
    this.sizes.observe(bytes);
  }
}

type ResourceNames = Pick<RequestAttributes, 'group' | 'version' | 'resource' | 'subresource'>;

/** Of paths that lead to nothing that is served: names that were made up must not become rows. */
const NOTHING: ResourceNames = Object.freeze({ group: '', version: '', resource: '', subresource: '' });

/** The figures of all requests. */
export class RequestTable {
  /** By resource, where there are few. */
  readonly #all = new Map<string, RequestFigures[]>();

  /** `known`: whether the path leads to a resource that is served. */
  of(attributes: RequestAttributes, known: boolean, dryRun: boolean): RequestFigures {
    const verb = VERBS.has(attributes.verb) ? attributes.verb : OTHER_VERB;
    const names = known ? attributes : NOTHING;
    const scope = known ? scopeOf(attributes) : '';
    let all = this.#all.get(names.resource);
    if (!all) this.#all.set(names.resource, (all = Array.of()));
    for (let at = 0; at < all.length; at++) {
      const one = all[at] as RequestFigures;
      if (one.verb !== verb || one.scope !== scope || one.subresource !== names.subresource) continue;
      if (one.group === names.group && one.version === names.version && one.dryRun === dryRun) return one;
    }
    const figures = new RequestFigures(verb, dryRun, scope, names);
    if (all.length < FIGURES_MAX) all.push(figures);
    return figures;
  }

  /** Tells them under upstream's names. */
  tell(metrics: MetricSet): void {
    const long = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'];
    const of = ['verb', 'dry_run', ...long.slice(1)];
    const labels = ({ verb, group, version, resource, subresource, scope }: RequestFigures) =>
      [
        verb === OTHER_VERB ? verb : verb.toUpperCase(),
        group,
        version,
        resource,
        subresource,
        scope,
        COMPONENT,
      ] as const;
    const dryLabels = (one: RequestFigures) => {
      const [verb, ...rest] = labels(one);
      return [verb, one.dryRun ? 'All' : '', ...rest] as const;
    };
    metrics.counter(
      'apiserver_request_total',
      'Requests that were answered, by what they asked for.',
      [...of, 'code', 'system_client'],
      (set) => {
        for (const one of this.#each()) {
          for (const { code, systemClient, count } of one.answers)
            set(count, ...dryLabels(one), String(code), systemClient);
        }
      },
    );
    metrics.histogram(
      'apiserver_request_duration_seconds',
      'How long answers took, by what was asked for.',
      of,
      SECONDS,
      (tell) => {
        for (const one of this.#each()) if (one.durations.count > 0) tell(one.durations, ...dryLabels(one));
      },
    );
    metrics.histogram(
      'apiserver_request_sli_duration_seconds',
      'How long answers took, less what the requests waited for their turn and for webhooks.',
      long,
      SECONDS,
      (tell) => {
        for (const one of this.#each()) if (one.durations.count > 0) tell(one.ownDurations, ...labels(one));
      },
    );
    metrics.gauge('apiserver_longrunning_requests', 'Watches and streams that are open.', long, (set) => {
      for (const one of this.#each()) if (one.open !== undefined) set(one.open, ...labels(one));
    });
    const served = ['group', 'version', 'resource'];
    metrics.counter('apiserver_watch_events_total', 'Events that were sent to watchers.', served, (set) => {
      for (const one of this.#each()) if (one.open !== undefined) set(one.events, one.group, one.version, one.resource);
    });
    metrics.histogram(
      'apiserver_watch_list_duration_seconds',
      'How long it took until watchers that asked for the first state had all of it.',
      [...served, 'scope'],
      WATCH_LIST_SECONDS,
      (tell) => {
        for (const one of this.#each())
          if (one.listed) tell(one.listed, one.group, one.version, one.resource, one.scope);
      },
    );
    metrics.histogram(
      'apiserver_response_sizes',
      'Bytes of answers that are there as a whole, by what was asked for.',
      long,
      BYTES,
      (tell) => {
        for (const one of this.#each()) if (one.sizes) tell(one.sizes, ...labels(one));
      },
    );
  }

  *#each(): IterableIterator<RequestFigures> {
    for (const all of this.#all.values()) yield* all;
  }
}

function scopeOf({ name, namespace, resource }: RequestAttributes): string {
  return name !== '' ? 'resource' : namespace !== '' ? 'namespace' : resource !== '' ? 'cluster' : '';
}
