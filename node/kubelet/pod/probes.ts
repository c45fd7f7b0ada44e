import type { ApiObject, Live } from '../../../libs/kind/object.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { firstResults, hasProbes, Prober } from '../probes/prober.ts';
import { runProbe } from '../probes/run.ts';
import { containerFieldPath, findContainer, type NodePod } from './objects.ts';
import { isAlive, type ObservedPod, type PodMemory } from './state.ts';

const SAID = {
  failure: ' probe failed: ',
  error: ' probe errored and resulted in unknown state: ',
  warning: ' probe warning: ',
} as const;
const WORDS = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

/** The probers of one pod's running containers; what they find goes into the pod's memory. */
export class PodProbes {
  readonly #env: KubeletEnvironment;
  readonly #memory: PodMemory;
  readonly #changed: () => void;
  readonly #probers = new Map<string, Prober>();
  /** By name: containers whose probes are counted. */
  readonly #counted = new Map<string, NodePod>();

  constructor(env: KubeletEnvironment, memory: PodMemory, changed: () => void) {
    this.#env = env;
    this.#memory = memory;
    this.#changed = changed;
  }

  /** Begins with containers that have come, and ends with those that are gone. */
  sync(pod: NodePod, observed: ObservedPod, ending: boolean): void {
    const { clock, cri, connections, config, hostIps, metrics } = this.#env;
    const alive = new Set<string>();
    for (const container of observed.containers) {
      if (!isAlive(container)) continue;
      alive.add(container.id);
      const spec = findContainer(pod, container.name)?.container;
      if (!spec || this.#probers.has(container.id) || !hasProbes(spec)) continue;
      // Nobody asks how it is before its post-start hook has ended.
      if (this.#memory.starting.has(container.id)) continue;
      const results = this.#memory.probes.get(container.id) ?? firstResults(spec);
      this.#memory.probes.set(container.id, results);
      const ip = pod.spec?.hostNetwork ? hostIps()[0] : observed.sandboxes[0]?.ips[0];
      const agoMs = Math.max(0, clock.now() - container.startedMs);
      const prober = new Prober({
        clock,
        container: spec,
        startedMs: clock.monotonic() - agoMs,
        results,
        run: (probe) =>
          runProbe(probe, {
            cri,
            connections,
            containerId: container.id,
            container: spec,
            podIp: ip ?? '',
            userAgent: `kube-probe/${config.version.replace(/^v(\d+\.\d+).*$/, '$1')}`,
          }),
        changed: (now) => {
          this.#memory.probes.set(container.id, now);
          this.#changed();
        },
        probed: (kind, result) => metrics.probed(pod, spec.name, kind, result),
        failed: (kind, output, how) => {
          const fieldPath = containerFieldPath(pod, spec.name);
          const reason = how === 'warning' ? 'ProbeWarning' : 'Unhealthy';
          const message = WORDS[kind] + SAID[how] + output;
          this.#env.events.event(pod as Live<ApiObject>, 'Warning', reason, message, undefined, fieldPath);
        },
      });
      this.#probers.set(container.id, prober);
      this.#counted.set(spec.name, pod);
      prober.start();
    }
    for (const [id, prober] of this.#probers) {
      if (ending) prober.endLiveness();
      if (alive.has(id)) continue;
      prober.stop();
      this.#probers.delete(id);
    }
  }

  stop(): void {
    for (const prober of this.#probers.values()) prober.stop();
    this.#probers.clear();
    for (const [name, pod] of this.#counted) this.#env.metrics.forgetProbes(pod, name);
    this.#counted.clear();
  }
}
