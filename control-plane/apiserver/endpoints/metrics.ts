import { MetricSet } from '../../../libs/metrics/metrics.ts';
import type { Observed } from '../observed.ts';
import { textResponse } from '../responses.ts';
import type { Endpoint } from '../server.ts';
import type { HealthCheck } from './health.ts';

/** How the text of metrics is sent. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** `/metrics` of what is observed, and `/metrics/slis`: whether each health check holds now, and how often it was asked here. */
export function metricsEndpoint(observed: Observed, checks: readonly HealthCheck[]): Endpoint {
  const slis = new MetricSet();
  const state = slis.gauge('kubernetes_healthcheck', 'The result of each health check: 1 is well.', ['name', 'type']);
  const count = slis.counter('kubernetes_healthchecks_total', 'Results of health checks.', ['name', 'status', 'type']);
  return {
    async handle(_server, _ctx, request) {
      if (request.path === '/metrics') {
        await observed.refresh();
        return textResponse(200, observed.metrics.text(), METRICS_TYPE);
      }
      if (request.path !== '/metrics/slis') return undefined;
      for (const one of checks) {
        const { name, paths } = one;
        let well = true;
        try {
          await one.check();
        } catch {
          well = false;
        }
        for (const path of paths) {
          state.set(well ? 1 : 0, name, path);
          count.add(1, name, well ? 'success' : 'error', path);
        }
      }
      return textResponse(200, slis.text(), METRICS_TYPE);
    },
  };
}
