import type { Cell, Distribution, MetricSet } from './metrics.ts';

const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** Is told of each request that a client has sent. */
export interface RequestObserver {
  /** `code`: of the answer; `<error>` where there was none. A watch is answered once it stands. */
  answered(method: string, code: number | '<error>', tookMs: number): void;
}

/** Counts the requests of a component's clients, under upstream's names. `host`: whom they are sent to, as `10.0.0.1:6443`. */
export function restClientMetrics(metrics: MetricSet, host: string): RequestObserver {
  const requests = metrics.counter('rest_client_requests_total', 'Requests that were sent, by what came back.', [
    'code',
    'method',
    'host',
  ]);
  const durations = metrics.histogram(
    'rest_client_request_duration_seconds',
    'How long answers to requests took.',
    ['verb', 'host'],
    SECONDS,
  );
  // Of one client there are few methods and codes, and each request comes by here.
  const methods = new Map<string, { readonly took: Distribution; readonly codes: Map<number | '<error>', Cell> }>();
  return {
    answered(method, code, tookMs) {
      let rows = methods.get(method);
      if (!rows) methods.set(method, (rows = { took: durations.at(method, host), codes: new Map() }));
      let cell = rows.codes.get(code);
      if (!cell) rows.codes.set(code, (cell = requests.at(String(code), method, host)));
      cell.add(1);
      rows.took.observe(tookMs / 1000);
    },
  };
}
