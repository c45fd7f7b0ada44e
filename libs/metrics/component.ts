import type { MetricSet } from './metrics.ts';
import { deprecatedSince, stabilityOf } from './stability.ts';

/** What every component tells of itself. */
export interface ComponentFacts {
  /** What `/version` says, as labels: `git_version`, `platform` … */
  readonly build: Readonly<Record<(typeof BUILD)[number], string>>;
  /** The gates that something in this process asks for. */
  readonly features: readonly { readonly name: string; readonly stage: string; readonly enabled: boolean }[];
  readonly process?: (() => ProcessFigures) | undefined;
}

export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Since 1970. */
  readonly startSeconds: number;
}

const BUILD = [
  'major',
  'minor',
  'git_version',
  'git_commit',
  'git_tree_state',
  'build_date',
  'go_version',
  'compiler',
  'platform',
] as const;

/** Adds what runs, with which features, what it takes of its machine, and how many metrics there are. */
export function tellComponent(metrics: MetricSet, { build, features, process }: ComponentFacts): void {
  metrics
    .gauge('kubernetes_build_info', 'What is running: always 1.', BUILD)
    .set(1, ...BUILD.map((label) => build[label]));
  const enabled = metrics.gauge('kubernetes_feature_enabled', 'Whether a feature that has a gate is on: 1, or 0.', [
    'name',
    'stage',
  ]);
  for (const { name, stage, enabled: on } of features) enabled.set(on ? 1 : 0, name, stage);
  metrics.counter(
    'registered_metrics_total',
    'Metrics that are told here, by what is promised of them.',
    ['stability_level', 'deprecated_version'],
    (set) => {
      const counts = new Map<string, { count: number; readonly labels: [string, string] }>();
      for (const { name } of metrics.families) {
        const labels: [string, string] = [stabilityOf(name), deprecatedSince(name)];
        const known = counts.get(labels.join());
        if (known) known.count++;
        else counts.set(labels.join(), { count: 1, labels });
      }
      for (const { count, labels } of counts.values()) set(count, ...labels);
    },
  );
  metrics.counter('hidden_metrics_total', 'Metrics that are told no longer, as they are deprecated.');
  metrics.counter('disabled_metrics_total', 'Metrics that somebody has turned off.');
  if (process) tellProcess(metrics, process);
}

function tellProcess(metrics: MetricSet, read: () => ProcessFigures): void {
  metrics.counter('process_cpu_seconds_total', 'Time of processors that was used.', [], (set) =>
    set(read().cpuSeconds),
  );
  const tell = (name: string, help: string, of: (figures: ProcessFigures) => number) =>
    metrics.gauge(name, help, [], (set) => set(of(read())));
  tell('process_resident_memory_bytes', 'Memory that is held.', ({ residentBytes }) => residentBytes);
  tell('process_start_time_seconds', 'When the process began, since 1970.', ({ startSeconds }) => startSeconds);
}
