import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import { mustParseQuantity, toMilli } from '../../../../libs/machinery/quantity.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

/**
 * How many replicas a metric asks for. Values are in thousandths of the metric's unit, as upstream reckons. Pure.
 *
 * The rule is `ceil(pods × current ÷ target)`, with nothing done while that ratio is near 1. What is not known of a pod is
 * assumed so that it works against the change: a pod without a figure uses all that it may where fewer replicas are
 * wanted, and nothing where more are.
 */
export type HpaPod = DeepReadonly<Pod>;

export interface PodSample {
  readonly milli: number;
  readonly atMs: number;
  /** Over how long it was measured until then. */
  readonly windowMs: number;
}
export type PodSamples = ReadonlyMap<string, PodSample>;

/** How far from 1 the ratio may be without anything being done. */
export interface Tolerances {
  readonly scaleUp: number;
  readonly scaleDown: number;
}

export interface Around {
  readonly pods: readonly HpaPod[];
  readonly currentReplicas: number;
  readonly tolerances: Tolerances;
  readonly nowMs: number;
}

export interface Proposal {
  readonly replicas: number;
  /** What pods use on the average. */
  readonly averageMilli: number;
  /** The same as a part of what they request, in percent. */
  readonly utilization?: number;
}

/** Figures of a pod that has begun only now say little of its CPU; upstream's defaults. */
const CPU_INITIALIZATION_MS = 300_000;
const INITIAL_READINESS_MS = 30_000;

const isWithin = (ratio: number, { scaleUp, scaleDown }: Tolerances): boolean =>
  1 - scaleDown <= ratio && ratio <= 1 + scaleUp;

export const nameOf = (pod: HpaPod): string => pod.metadata?.name ?? '';

interface Groups {
  readonly ready: number;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
  readonly ignored: readonly string[];
}

function groupPods({ pods, nowMs }: Around, samples: PodSamples, resource: string): Groups {
  const groups = { ready: 0, unready: [] as string[], missing: [] as string[], ignored: [] as string[] };
  for (const pod of pods) {
    const name = nameOf(pod);
    const sample = samples.get(name);
    if (pod.metadata?.deletionTimestamp || pod.status?.phase === 'Failed') groups.ignored.push(name);
    else if (pod.status?.phase === 'Pending') groups.unready.push(name);
    else if (!sample) groups.missing.push(name);
    else if (resource === 'cpu' && !isSettled(pod, sample, nowMs)) groups.unready.push(name);
    else groups.ready++;
  }
  return groups;
}

/** Whether the CPU that a pod uses is that of its work, and no longer that of its start. */
function isSettled({ status }: HpaPod, sample: PodSample, nowMs: number): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (!ready || !status?.startTime) return false;
  const startMs = Date.parse(status.startTime);
  const changedMs = Date.parse(ready.lastTransitionTime ?? '') || 0;
  if (startMs + CPU_INITIALIZATION_MS > nowMs) {
    return ready.status !== 'False' && sample.atMs >= changedMs + sample.windowMs;
  }
  // Never ready so far.
  return !(ready.status === 'False' && startMs + INITIAL_READINESS_MS > changedMs);
}

/** The steps that all metrics of pods share; `ratioOf` is asked for what is known, then for what is assumed. */
function proposalOf(
  around: Around,
  samples: PodSamples,
  resource: string,
  ratioOf: (values: ReadonlyMap<string, number>) => { readonly ratio: number } & Omit<Proposal, 'replicas'>,
  assumed: (pod: string) => number,
): Proposal {
  const { pods, currentReplicas, tolerances } = around;
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const { ready, unready, missing, ignored } = groupPods(around, samples, resource);
  const values = new Map(Array.from(samples, ([pod, { milli }]) => [pod, milli]));
  for (const pod of [...ignored, ...unready]) values.delete(pod);
  if (values.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...figures } = ratioOf(values);
  const isUp = ratio > 1;
  const withUnready = unready.length > 0 && isUp;
  if (!withUnready && missing.length === 0) {
    return { replicas: isWithin(ratio, tolerances) ? currentReplicas : Math.ceil(ratio * ready), ...figures };
  }
  if (ratio < 1) for (const pod of missing) values.set(pod, assumed(pod));
  if (isUp) for (const pod of missing) values.set(pod, 0);
  if (withUnready) for (const pod of unready) values.set(pod, 0);
  const { ratio: careful } = ratioOf(values);
  const turned = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (isWithin(careful, tolerances) || turned) return { replicas: currentReplicas, ...figures };
  const replicas = Math.ceil(careful * values.size);
  const against = careful < 1 ? replicas > currentReplicas : replicas < currentReplicas;
  return { replicas: against ? currentReplicas : replicas, ...figures };
}

/** A resource against what pods request of it, in percent. Throws where a container requests nothing. */
export function byUtilization(
  around: Around,
  samples: PodSamples,
  target: { readonly resource: string; readonly container: string; readonly percent: number },
): Proposal {
  const requests = requestsOf(around.pods, target.resource, target.container);
  const ratioOf = (values: ReadonlyMap<string, number>) => {
    let [used, requested, count] = [0, 0, 0];
    for (const [pod, milli] of values) {
      const request = requests.get(pod);
      if (request === undefined) continue;
      used += milli;
      requested += request;
      count++;
    }
    if (requested === 0) throw new Error('no metrics returned matched known pods');
    const utilization = Math.trunc((used * 100) / requested);
    return { ratio: utilization / target.percent, utilization, averageMilli: Math.trunc(used / count) };
  };
  const assumed = (pod: string) => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, target.percent)) / 100);
  return proposalOf(around, samples, target.resource, ratioOf, assumed);
}

/** Anything that is measured for each pod, against an average. `resource`: '' for what is none. */
export function byAverage(around: Around, samples: PodSamples, targetMilli: number, resource: string): Proposal {
  const ratioOf = (values: ReadonlyMap<string, number>) => {
    const averageMilli = Math.trunc(values.values().reduce((sum, one) => sum + one, 0) / values.size);
    return { ratio: averageMilli / targetMilli, averageMilli };
  };
  return proposalOf(around, samples, resource, ratioOf, () => targetMilli);
}

/** One value for all pods together, as it is. */
export function byValue({ pods, currentReplicas, tolerances }: Around, milli: number, targetMilli: number): number {
  const ratio = milli / targetMilli;
  if (currentReplicas === 0) return Math.ceil(ratio);
  if (isWithin(ratio, tolerances)) return currentReplicas;
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  return Math.ceil(ratio * pods.filter(isReady).length);
}

/** One value for all pods together, each to have its part. `statusReplicas`: those that there are. */
export function byShare(
  { tolerances }: Pick<Around, 'tolerances'>,
  milli: number,
  targetMilli: number,
  statusReplicas: number,
): { readonly replicas: number; readonly averageMilli: number } {
  const ratio = milli / (targetMilli * statusReplicas);
  const replicas = isWithin(ratio, tolerances) ? statusReplicas : Math.ceil(milli / targetMilli);
  return { replicas, averageMilli: statusReplicas === 0 ? 0 : Math.ceil(milli / statusReplicas) };
}

const isReady = ({ status }: HpaPod): boolean =>
  status?.phase === 'Running' &&
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;

function requestsOf(pods: readonly HpaPod[], resource: string, container: string): ReadonlyMap<string, number> {
  const requests = new Map<string, number>();
  for (const pod of pods) {
    const { spec } = pod;
    const whole = spec?.resources?.requests?.[resource];
    if (container === '' && whole !== undefined) {
      requests.set(nameOf(pod), toMilli(mustParseQuantity(whole)));
      continue;
    }
    const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
    let sum = 0;
    for (const { name, resources } of [...(spec?.containers ?? []), ...sidecars]) {
      if (container !== '' && name !== container) continue;
      const request = resources?.requests?.[resource];
      if (request === undefined) {
        throw new Error(`missing request for ${resource} in container ${name} of Pod ${nameOf(pod)}`);
      }
      sum += toMilli(mustParseQuantity(request));
    }
    requests.set(nameOf(pod), sum);
  }
  return requests;
}
