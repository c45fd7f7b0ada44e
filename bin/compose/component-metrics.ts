// What each component of this process tells of itself.

import process from 'node:process';
import { buildLabels, versionInfo } from '../../control-plane/apiserver/endpoints/version.ts';
import { observedTransport } from '../../libs/client/observed-transport.ts';
import type { Transport } from '../../libs/client/transport.ts';
import { standOf } from '../../libs/kind/feature-gates.ts';
import type { FeatureGates } from '../../libs/kind/reconciler.ts';
import { type ComponentFacts, type ProcessFigures, tellComponent } from '../../libs/metrics/component.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { restClientMetrics } from '../../libs/metrics/rest-client.ts';
import type { Machine } from './apiserver.ts';

/** Upstream's stable gates are on; none that Tutti knows is off. */
export const featureGates: FeatureGates = { enabled: () => true };

/** What any component of this process is. */
export function componentFacts({ host: { facts } }: Pick<Machine, 'host'>): ComponentFacts {
  return {
    build: buildLabels(versionInfo(`${facts.platform}/${facts.architecture}`, process.version)),
    features: standOf(featureGates),
    process: processFigures,
  };
}

function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    startSeconds: Math.round(Date.now() / 1000 - process.uptime()),
  };
}

/** What one component counts, and who is told of the requests of its clients. */
export interface ComponentMetrics {
  readonly metrics: MetricSet;
  /** The transport, with its requests counted. */
  observed(transport: Transport): Transport;
}

/** Begins to count for a component, in `metrics`, whose clients talk to `server` (`10.0.0.1:6443`). */
export function componentMetrics(
  machine: Pick<Machine, 'host' | 'clock'>,
  server: string,
  metrics = new MetricSet(),
): ComponentMetrics {
  tellComponent(metrics, componentFacts(machine));
  const observer = restClientMetrics(metrics, server);
  return { metrics, observed: (transport) => observedTransport(transport, machine.clock, observer) };
}
