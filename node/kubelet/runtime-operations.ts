import type { Clock } from '../../libs/base/clock.ts';
import { exponentialBuckets, type MetricSet } from '../../libs/metrics/metrics.ts';
import type { CriClient } from '../cri/cri.ts';
import { METHODS } from '../cri/schema.generated.ts';

type Call = (request: object, options?: object) => Promise<unknown>;

/** The same runtime, with the calls to it counted and timed under upstream's names; streams of events are not calls. */
export function countedRuntime(cri: CriClient, metrics: MetricSet, clock: Pick<Clock, 'monotonic'>): CriClient {
  const of = ['operation_type'];
  const name = (what: string) => `kubelet_runtime_operations_${what}`;
  const calls = metrics.counter(name('total'), 'Calls to the container runtime.', of);
  const errors = metrics.counter(name('errors_total'), 'Calls to the container runtime that failed.', of);
  const durations = metrics.histogram(
    name('duration_seconds'),
    'How long calls to the container runtime took.',
    of,
    exponentialBuckets(0.005, 2.5, 14),
  );
  const runtime = cri as unknown as Readonly<Record<string, Call>>;
  const counted: Record<string, unknown> = { close: () => cri.close() };
  for (const [method, { streamed }] of Object.entries<{ readonly streamed?: boolean }>(METHODS)) {
    const operation = operationOf(method);
    const call: Call = (request, options) => (runtime[method] as Call)(request, options);
    counted[method] = streamed
      ? call
      : async (request: object, options?: object) => {
          const beganMs = clock.monotonic();
          calls.add(1, operation);
          try {
            return await call(request, options);
          } catch (error) {
            errors.add(1, operation);
            throw error;
          } finally {
            durations.observe((clock.monotonic() - beganMs) / 1000, operation);
          }
        };
  }
  return counted as unknown as CriClient;
}

/** `listPodSandbox` → `list_podsandbox`. */
export const operationOf = (method: string): string =>
  method
    .replace('PodSandbox', 'Podsandbox')
    .replace('podSandbox', 'podsandbox')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
