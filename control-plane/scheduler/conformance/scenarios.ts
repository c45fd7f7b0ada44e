import { SeededRandom } from '../../../libs/base/random.ts';
import { keyOf } from '../../../libs/kind/object.ts';
import type { Node, ObjectKinds, Pod } from '../cache/cluster-objects.ts';
import { profilesOf, type SchedulerConfiguration } from '../configuration.ts';
import { type Decision, Scheduler } from '../cycle/scheduler.ts';

/** One recorded scenario: objects, steps and what upstream decided. */
export interface Scenario {
  readonly id: string;
  readonly objects: readonly ScenarioObject[];
  readonly steps: readonly ScenarioStep[];
  readonly config?: SchedulerConfiguration & { readonly name: string };
  readonly answer: readonly ScenarioEntry[];
}

interface ScenarioObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface ScenarioStep {
  readonly create?: ScenarioObject;
  readonly schedule?: ScenarioObject;
  readonly patch?: string;
  readonly with?: object;
  readonly type?: string;
  readonly delete?: string;
  readonly force?: boolean;
  readonly again?: string;
  readonly sleep?: number;
  readonly get?: string;
}

export type ScenarioEntry = Readonly<Record<string, unknown>> & {
  readonly pod?: string;
  readonly nodes?: readonly string[];
  readonly scores?: Readonly<Record<string, Readonly<Record<string, number>>>>;
};

const NO_GATES = { enabled: () => false };
const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
/** The word of the recorded answers for the node that a pod gets once its victims are gone. */
const THEN = 'then';
/** What `{ns}` in scenarios stands for. */
const NS = 'scenario';

/** A small cluster without an API: objects as written, pods decided one at a time. */
class Play {
  readonly scheduler: Scheduler;
  readonly #objects = new Map<string, ScenarioObject>();
  readonly #waiting = new Map<string, ScenarioObject>();
  readonly entries: ScenarioEntry[] = [];
  #nowMs = NOW_MS;

  constructor(config: SchedulerConfiguration) {
    this.scheduler = new Scheduler({ profiles: profilesOf(config, NO_GATES), random: new SeededRandom(1) });
  }

  put(object: ScenarioObject): void {
    this.#nowMs += 1000;
    const { kind } = object;
    const metadata = {
      creationTimestamp: new Date(this.#nowMs).toISOString(),
      uid: `${kind}/${keyOf(object)}`,
      ...object.metadata,
    };
    let whole: ScenarioObject = { ...object, metadata };
    this.#objects.set(`${kind}/${object.metadata.name}`, whole);
    if (kind === 'Node') {
      const { status = {} } = whole as { status?: { capacity?: object; allocatable?: object } };
      whole = { ...whole, status: { ...status, allocatable: status.allocatable ?? status.capacity } };
      this.scheduler.setNode(whole as unknown as Node);
    } else if (kind === 'Pod') {
      const pod = this.#admitted(whole);
      const { phase } = (pod.status as { phase?: string }) ?? {};
      const info = this.scheduler.read(pod as unknown as Pod);
      if (phase === 'Succeeded' || phase === 'Failed') this.scheduler.deletePod(info.uid);
      else if ((pod.spec as { nodeName?: string }).nodeName) this.scheduler.setPlacedPod(info);
      else this.#waiting.set(whole.metadata.name, pod);
    } else if (kind === 'Namespace') {
      const { name, labels } = object.metadata;
      const named = { ...(labels as object), 'kubernetes.io/metadata.name': name };
      this.scheduler.setObject('Namespace', { ...whole, metadata: { ...metadata, labels: named } });
    } else this.scheduler.setObject(kind as keyof ObjectKinds, whole);
  }

  /** What admission would have filled in. */
  #admitted(pod: ScenarioObject): ScenarioObject {
    const spec = { ...(pod.spec as Record<string, unknown>) };
    const classes = [...this.#objects.values()].filter(({ kind }) => kind === 'PriorityClass');
    const named = classes.find(({ metadata }) => metadata.name === spec.priorityClassName);
    const fallback = spec.priorityClassName ? undefined : classes.find(({ globalDefault }) => globalDefault);
    const system = { 'system-cluster-critical': 2e9, 'system-node-critical': 2e9 + 1000 } as Record<string, number>;
    spec.priority ??= (named ?? fallback)?.value ?? system[String(spec.priorityClassName)] ?? 0;
    spec.preemptionPolicy ??= (named ?? fallback)?.preemptionPolicy;
    const runtime = this.#objects.get(`RuntimeClass/${spec.runtimeClassName}`) as
      | { overhead?: { podFixed?: object }; scheduling?: { nodeSelector?: object; tolerations?: object[] } }
      | undefined;
    if (runtime) {
      spec.overhead ??= runtime.overhead?.podFixed;
      spec.nodeSelector = { ...(spec.nodeSelector as object), ...runtime.scheduling?.nodeSelector };
      spec.tolerations = [...((spec.tolerations as object[]) ?? []), ...(runtime.scheduling?.tolerations ?? [])];
    }
    for (const list of ['containers', 'initContainers']) {
      const containers = (spec[list] as Container[] | undefined)?.map((container) => ({
        ...container,
        resources: {
          ...container.resources,
          requests: { ...container.resources?.limits, ...container.resources?.requests },
        },
      }));
      if (containers) spec[list] = containers;
    }
    const whole = spec.resources as Container['resources'];
    if (whole) spec.resources = { ...whole, requests: { ...whole.limits, ...whole.requests } };
    return { ...pod, spec };
  }

  decide(name: string, again = false): void {
    const pod = this.#waiting.get(name);
    if (!pod) {
      this.entries.push({ pod: name, undecided: true });
      return;
    }
    const info = this.scheduler.read(pod as unknown as Pod);
    if (!this.scheduler.profileOf(info)) {
      this.entries.push({ pod: name, undecided: true });
      return;
    }
    const gated = this.scheduler.preEnqueue(info);
    if (gated) {
      const silent = gated.plugin !== 'SchedulingGates';
      this.entries.push(
        silent ? { pod: name, undecided: true } : { pod: name, reason: 'SchedulingGated', message: gated.reasons[0] },
      );
      return;
    }
    const decision = this.scheduler.schedule(info, this.#nowMs, { explain: true });
    this.entries.push(this.#entry(name, pod, decision, again));
  }

  #entry(name: string, pod: ScenarioObject, decision: Decision, again: boolean): ScenarioEntry {
    if (decision.type === 'error') return { pod: name, reason: 'SchedulerError', message: decision.message };
    if (decision.type === 'node') {
      const { tied, scores } = decision.explanation ?? { tied: [decision.node] };
      this.#waiting.delete(name);
      const nodes = [...tied].sort();
      this.place(pod, nodes[0] as string);
      return { pod: name, nodes, ...(scores ? { scores } : {}) };
    }
    const entry = { pod: name, reason: 'Unschedulable', message: decision.message };
    const { nomination } = decision;
    if (!nomination) return entry;
    const victims = nomination.victims.map((victim) => victim.name).sort();
    for (const victim of nomination.victims) this.scheduler.deletePod(victim.uid);
    const info = this.scheduler.read(pod as unknown as Pod);
    this.scheduler.nominator.set(info, nomination.node);
    const then = again ? undefined : this.scheduler.schedule(info, this.#nowMs);
    if (then?.type === 'node') this.place(pod, then.node);
    return { ...entry, nominated: nomination.node, victims, [THEN]: then?.type === 'node' ? then.node : null };
  }

  place(pod: ScenarioObject, nodeName: string): void {
    this.put({ ...pod, spec: { ...(pod.spec as object), nodeName } });
  }

  step(step: ScenarioStep): void {
    if (step.create) this.#create(step.create);
    else if (step.schedule) {
      this.put(step.schedule);
      this.decide(step.schedule.metadata.name);
    } else if (step.again) this.decide(step.again, true);
    else if (step.delete) this.#delete(step.delete, step.force === true);
    else if (step.patch) this.#patch(step.patch, step.with ?? {});
    else if (step.sleep) this.#nowMs += step.sleep;
    else if (step.get) this.entries.push({ get: step.get });
  }

  /** A pod that is made beside the decisions asked for is decided too; its victims are slow to go. */
  #create(object: ScenarioObject): void {
    this.put(object);
    const pod = object.kind === 'Pod' ? this.#waiting.get(object.metadata.name) : undefined;
    if (!pod) return;
    const info = this.scheduler.read(pod as unknown as Pod);
    if (!this.scheduler.profileOf(info) || this.scheduler.preEnqueue(info)) return;
    const decision = this.scheduler.schedule(info, this.#nowMs);
    if (decision.type === 'node') {
      this.#waiting.delete(object.metadata.name);
      this.place(pod, decision.node);
    } else if (decision.type === 'unschedulable' && decision.nomination) {
      this.scheduler.nominator.set(info, decision.nomination.node);
      for (const victim of decision.nomination.victims) this.#delete(`Pod/${victim.name}`, false);
    }
  }

  #delete(key: string, force: boolean): void {
    const object = this.#objects.get(key);
    if (!object) return;
    if (object.kind === 'Pod' && !force && (object.spec as { nodeName?: string }).nodeName) {
      // Without a kubelet nobody finishes a graceful deletion.
      this.put({ ...object, metadata: { ...object.metadata, deletionTimestamp: new Date(this.#nowMs).toISOString() } });
      return;
    }
    this.#objects.delete(key);
    if (object.kind === 'Node') this.scheduler.deleteNode(object.metadata.name);
    else if (object.kind === 'Pod') this.scheduler.deletePod(String(object.metadata.uid));
    else this.scheduler.deleteObject(object.kind as keyof ObjectKinds, keyOf(object));
  }

  #patch(key: string, patch: object): void {
    const object = this.#objects.get(key);
    if (object) this.put(merged(object, patch) as ScenarioObject);
  }
}

interface Container {
  readonly resources?: { readonly limits?: object; readonly requests?: object };
}

function merged(to: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof to === 'object' && to !== null ? { ...to } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}

/** Plays a scenario and gives the entries that are about decisions. */
export function playScenario(recorded: Scenario): readonly ScenarioEntry[] {
  const scenario = JSON.parse(JSON.stringify(recorded).replaceAll('{ns}', NS)) as Scenario;
  const play = new Play(scenario.config ?? {});
  play.put({ kind: 'Namespace', metadata: { name: NS, labels: { 'kubernetes.io/metadata.name': NS } } });
  for (const object of scenario.objects) play.put(object);
  for (const step of scenario.steps) play.step(step);
  return JSON.parse(JSON.stringify(play.entries).replaceAll(NS, '{ns}')) as ScenarioEntry[];
}

export type Verdict = 'same' | 'same but for scores' | 'wording' | 'differs';

/** Compares decisions with upstream's: nodes must be the same tied set; what only an API could answer is left out. */
export function verdictOf(
  wanted: readonly ScenarioEntry[],
  got: readonly ScenarioEntry[],
): { verdict: Verdict; differences: string[] } {
  const differences: string[] = [];
  let verdict = 'same' as Verdict;
  const decisions = (entries: readonly ScenarioEntry[]) => entries.filter(({ pod }) => pod !== undefined);
  const [left, right] = [decisions(wanted), decisions(got)];
  for (const [index, want] of left.entries()) {
    const have = right[index] ?? {};
    for (const field of ['nodes', 'reason', 'message', 'nominated', 'victims', 'then', 'undecided']) {
      const expected = field === 'nodes' ? (want.nodes ?? want.provisionOn) : want[field];
      if (JSON.stringify(expected) === JSON.stringify(have[field])) continue;
      differences.push(
        `${want.pod}.${field}: upstream ${JSON.stringify(expected)}, here ${JSON.stringify(have[field])}`,
      );
      verdict = field === 'message' && verdict !== 'differs' ? 'wording' : 'differs';
    }
    for (const [node, plugins] of Object.entries(want.scores ?? {})) {
      for (const [plugin, score] of Object.entries(plugins)) {
        const actual = have.scores?.[node]?.[plugin] ?? 0;
        if (score === actual) continue;
        differences.push(`${want.pod} ${node} ${plugin}: upstream ${score}, here ${actual}`);
        if (verdict === 'same') verdict = 'same but for scores';
      }
    }
  }
  return { verdict, differences };
}
