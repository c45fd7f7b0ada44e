import type { TurnObserver } from '../../../../libs/kind/reconciler.ts';
import { exponentialBuckets, type MetricSet } from '../../../../libs/metrics/metrics.ts';
import type { Service } from '../../../types/core/v1.generated.ts';
import { type Action, type Observed, slicesFor } from './plan.ts';

const ENDPOINTS = exponentialBuckets(2, 2, 15);

/** What a Service has, and would have if every slice were as full as it may be. */
interface Figures {
  readonly slices: number;
  readonly desiredSlices: number;
  readonly endpoints: number;
  readonly distribution: string | undefined;
}

/** Counts endpoints that come and go, and tells how many there are, under upstream's names (`endpoint_slice_controller_…`). */
export function endpointSliceCounting(metrics: MetricSet): TurnObserver<Observed, Action> {
  /** By Service. */
  const services = new Map<string, Figures>();
  const name = (what: string) => `endpoint_slice_controller_${what}`;
  const perSync = (what: string, help: string) => metrics.histogram(name(what), help, [], ENDPOINTS).at();
  const added = perSync('endpoints_added_per_sync', 'Endpoints that a look at a Service added.');
  const removed = perSync('endpoints_removed_per_sync', 'Endpoints that a look at a Service removed.');
  const sum = (what: string, help: string, of: (figures: Figures) => number) =>
    metrics.gauge(name(what), help, [], (set) => {
      let all = 0;
      for (const figures of services.values()) all += of(figures);
      set(all);
    });
  sum('num_endpoint_slices', 'EndpointSlices that there are.', ({ slices }) => slices);
  sum('desired_endpoint_slices', 'EndpointSlices that would do.', ({ desiredSlices }) => desiredSlices);
  sum('endpoints_desired', 'Endpoints that there should be.', ({ endpoints }) => endpoints);
  metrics.gauge(
    name('services_count_by_traffic_distribution'),
    'Services that ask for a distribution of their traffic.',
    ['traffic_distribution'],
    (set) => {
      const counts = new Map<string, number>();
      for (const { distribution } of services.values()) {
        if (distribution !== undefined) counts.set(distribution, (counts.get(distribution) ?? 0) + 1);
      }
      for (const [distribution, count] of counts) set(count, distribution);
    },
  );
  return {
    turned({ key, observed, done, failed }) {
      if (!observed) {
        services.delete(key);
        return;
      }
      const { groups, slices, owner } = observed;
      const had = new Set(slices.flatMap(({ endpoints }) => (endpoints ?? []).map(addressOf)));
      const wanted = new Set(groups.flatMap(({ endpoints }) => endpoints.map(addressOf)));
      if (!failed) {
        added.observe([...wanted].filter((one) => !had.has(one)).length);
        removed.observe([...had].filter((one) => !wanted.has(one)).length);
      }
      const count = (type: Action['type']) => done.filter((action) => action.type === type).length;
      services.set(key, {
        slices: slices.length + count('create') - count('delete'),
        desiredSlices: groups.reduce((all, { endpoints }) => all + slicesFor(endpoints.length), 0),
        endpoints: groups.reduce((all, { endpoints }) => all + endpoints.length, 0),
        distribution: (owner as unknown as Service).spec?.trafficDistribution,
      });
    },
  };
}

const addressOf = ({ addresses }: { readonly addresses: readonly string[] }): string => addresses.join();
