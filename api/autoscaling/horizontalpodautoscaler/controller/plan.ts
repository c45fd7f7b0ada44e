import { formatTime } from '../../../../libs/base/clock.ts';
import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import type { Plan, PlannedAction } from '../../../../libs/kind/reconciler.ts';
import {
  formatQuantity,
  mustParseQuantity,
  quantityOf,
  toMilli,
  toNumber,
} from '../../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { withCondition } from '../../../meta/conditions.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  HorizontalPodAutoscalerStatus,
  MetricSpec,
  MetricStatus,
  MetricTarget,
} from '../../../types/autoscaling/v2.generated.ts';
import { limitReplicas, type Memory } from './behavior.ts';
import { type Around, byAverage, byShare, byUtilization, byValue, type HpaPod, type PodSamples } from './replicas.ts';

/** What a metrics API said of one metric. */
export type Fetched = (
  | { readonly type: 'pods'; readonly samples: PodSamples }
  | { readonly type: 'value'; readonly milli: number }
  | { readonly type: 'failed'; readonly message: string }
) & {
  /** How long it took to say so. */
  readonly tookMs?: number;
};

export interface Observed {
  readonly hpa: Live<HorizontalPodAutoscaler>;
  /** Or why there is none. */
  readonly target:
    | { readonly path: string; readonly specReplicas: number; readonly statusReplicas: number }
    | { readonly failure: string };
  /** Why the target's selector cannot be used. */
  readonly selectorFailure?: { readonly reason: string; readonly message: string; readonly error: string };
  readonly pods: readonly HpaPod[];
  /** In the order of the spec's metrics; empty where nobody needed them. */
  readonly fetched: readonly Fetched[];
  readonly memory: Memory;
}

export type Action = PlannedAction &
  (
    | { readonly type: 'remember'; readonly memory: Memory }
    | { readonly type: 'event'; readonly event: readonly [type: 'Normal' | 'Warning', reason: string, message: string] }
    | { readonly type: 'scale'; readonly from: number; readonly to: number; readonly why: string }
    | { readonly type: 'status'; readonly status: Status }
  );

export type Status = DeepReadonly<HorizontalPodAutoscalerStatus>;
type Condition = DeepReadonly<HorizontalPodAutoscalerCondition>;

/** How often autoscalers look; upstream's default. */
const PERIOD_MS = 15_000;
const TOLERANCE = 0.1;

/** What each metric asked for, in the order of the spec's: replicas, or undefined where it could not be told. */
export interface HorizontalPlan extends Plan<Action> {
  readonly computed: readonly (number | undefined)[];
}

/** One look of an autoscaler, in the steps of upstream's. */
export function plan(observed: Observed, nowMs: number): HorizontalPlan {
  const look = new Look(observed, nowMs);
  look.run();
  return { actions: look.actions, againAfterMs: PERIOD_MS, computed: look.computed };
}

/** Thrown by a metric; `reason`: of the event and the condition that tell of it. */
class MetricError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

interface Evaluated {
  readonly replicas: number;
  readonly name: string;
  readonly status: DeepReadonly<MetricStatus>;
}

class Look {
  readonly actions: Action[] = [];
  readonly computed: (number | undefined)[] = [];
  readonly #observed: Observed;
  readonly #nowMs: number;
  #conditions: readonly Condition[];

  constructor(observed: Observed, nowMs: number) {
    this.#observed = observed;
    this.#nowMs = nowMs;
    this.#conditions = observed.hpa.status?.conditions ?? [];
  }

  run(): void {
    const { hpa, target, memory } = this.#observed;
    if ('failure' in target) {
      this.#warn('FailedGetScale', target.failure);
      const message = `the HPA controller was unable to get the target's current scale: ${target.failure}`;
      this.#set('AbleToScale', 'False', 'FailedGetScale', message);
      return this.#status(hpa.status ?? { desiredReplicas: 0 }, {});
    }
    const words = "the HPA controller was able to get the target's current scale";
    this.#set('AbleToScale', 'True', 'SucceededGetScale', words);
    const current = target.specReplicas;
    const { maxReplicas, minReplicas = 1 } = hpa.spec;
    const known =
      memory.recommendations.length > 0
        ? memory
        : { ...memory, recommendations: [{ replicas: current, atMs: this.#nowMs }] };
    let statuses: readonly DeepReadonly<MetricStatus>[] = hpa.status?.currentMetrics ?? [];
    let desired = current;
    let why = '';
    if (current === 0 && minReplicas !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero';
      this.#set('ScalingActive', 'False', 'ScalingDisabled', message);
    } else if (current > maxReplicas) {
      [desired, why] = [maxReplicas, 'Current number of replicas above Spec.MaxReplicas'];
    } else if (current < minReplicas) {
      [desired, why] = [minReplicas, 'Current number of replicas below Spec.MinReplicas'];
    } else {
      const found = this.#byMetrics(current, target.statusReplicas);
      statuses = found.statuses;
      if (found.replicas === undefined) {
        if (known !== memory) this.#remember(known);
        this.#warn('FailedComputeMetricsReplicas', found.failure ?? '');
        return this.#status(hpa.status ?? { desiredReplicas: 0 }, { currentReplicas: current, statuses });
      }
      why = found.replicas > current ? `${found.name} above target` : 'All metrics below target';
      desired = this.#limit(found.replicas, current, known);
    }
    if (desired !== current) this.actions.push({ type: 'scale', reason: why, from: current, to: desired, why });
    if (desired !== current) {
      const message = `the HPA controller was able to update the target scale to ${desired}`;
      this.#set('AbleToScale', 'True', 'SucceededRescale', message);
    }
    const lastScaleTime = desired === current ? hpa.status?.lastScaleTime : formatTime(this.#nowMs);
    this.#status(
      { desiredReplicas: desired, ...(lastScaleTime && { lastScaleTime: lastScaleTime as never }) },
      { currentReplicas: current, statuses },
    );
  }

  #limit(wanted: number, currentReplicas: number, memory: Memory): number {
    const { behavior, maxReplicas, minReplicas = 1 } = this.#observed.hpa.spec;
    const limits = { behavior, currentReplicas, minReplicas, maxReplicas, nowMs: this.#nowMs };
    const limited = limitReplicas(wanted, limits, memory);
    this.#set('AbleToScale', 'True', limited.stabilized.reason, limited.stabilized.message);
    this.#set('ScalingLimited', limited.isLimited ? 'True' : 'False', limited.limit.reason, limited.limit.message);
    this.#remember({ ...memory, recommendations: limited.recommendations });
    return limited.replicas;
  }

  /** The most that any metric asks for; of those that cannot be told it is assumed that they would not have it less. */
  #byMetrics(current: number, statusReplicas: number) {
    const { hpa, pods, fetched, selectorFailure } = this.#observed;
    if (selectorFailure) {
      const { reason, message, error } = selectorFailure;
      this.#warn(reason, error);
      this.#set('ScalingActive', 'False', reason.replace('SelectorRequired', 'InvalidSelector'), message);
      return { statuses: [], failure: error };
    }
    const { behavior, metrics = [] } = hpa.spec;
    const tolerance = (of: 'scaleUp' | 'scaleDown') => {
      const given = behavior?.[of]?.tolerance;
      return given === undefined ? TOLERANCE : toNumber(mustParseQuantity(given));
    };
    const tolerances = { scaleUp: tolerance('scaleUp'), scaleDown: tolerance('scaleDown') };
    const around: Around = { pods, currentReplicas: current, tolerances, nowMs: this.#nowMs };
    let best: Evaluated | undefined;
    let first: { readonly reason: string; readonly inner: string; readonly outer: string } | undefined;
    let invalid = 0;
    const statuses = metrics.map((spec, index): DeepReadonly<MetricStatus> => {
      try {
        const found = evaluate(
          spec,
          fetched[index] ?? { type: 'failed', message: 'no metrics' },
          around,
          statusReplicas,
        );
        this.computed.push(found.replicas);
        if (best === undefined || found.replicas > best.replicas) best = found;
        return found.status;
      } catch (error) {
        if (!(error instanceof MetricError)) throw error;
        invalid++;
        this.computed.push(undefined);
        this.#warn(error.reason, error.message);
        first ??= { reason: error.reason, inner: error.message, outer: `${whatFailed(spec)}: ${error.message}` };
        return { type: '' };
      }
    });
    const chosen = best as Evaluated | undefined;
    if (first && (chosen === undefined || chosen.replicas < current)) {
      const message = `the HPA was unable to compute the replica count: ${first.inner}`;
      this.#set('ScalingActive', 'False', first.reason, message);
      const failure = `invalid metrics (${invalid} invalid out of ${metrics.length}), first error is: ${first.outer}`;
      return { statuses, failure };
    }
    if (chosen === undefined) return { statuses, replicas: current, name: '' };
    const message = `the HPA was able to successfully calculate a replica count from ${chosen.name}`;
    this.#set('ScalingActive', 'True', 'ValidMetricFound', message);
    return { statuses, replicas: chosen.replicas, name: chosen.name };
  }

  #warn(reason: string, message: string): void {
    this.actions.push({ type: 'event', reason, event: ['Warning', reason, message] });
  }

  #remember(memory: Memory): void {
    this.actions.push({ type: 'remember', reason: 'recommendation', memory });
  }

  #set(type: string, status: 'True' | 'False', reason: string, message: string): void {
    this.#conditions = withCondition(this.#conditions, { type, status, reason, message }, this.#nowMs);
  }

  #status(
    base: Status,
    { currentReplicas, statuses }: { currentReplicas?: number; statuses?: readonly DeepReadonly<MetricStatus>[] },
  ): void {
    const { hpa } = this.#observed;
    const { lastScaleTime } = hpa.status ?? {};
    const status = {
      ...(lastScaleTime && { lastScaleTime }),
      ...base,
      ...(currentReplicas !== undefined && { currentReplicas }),
      ...(statuses !== undefined && { currentMetrics: statuses.length > 0 ? statuses : null }),
      conditions: this.#conditions,
    } as Status;
    if (!sameValue(status, hpa.status)) this.actions.push({ type: 'status', reason: 'status', status });
  }
}

/** What of a metric could not be had, in the words of events. */
function whatFailed({ type, resource, containerResource, external }: DeepReadonly<MetricSpec>): string {
  switch (type) {
    case 'Resource':
      return `failed to get ${resource?.name} resource metric value`;
    case 'ContainerResource':
      return `failed to get ${containerResource?.name} container resource metric value`;
    case 'External':
      return `failed to get ${external?.metric.name} external metric value`;
    default:
      return `failed to get ${type.toLowerCase()} metric value`;
  }
}

const milliText = (milli: number) => formatQuantity(quantityOf(BigInt(Math.trunc(milli)), -3)) as never;
const milliOf = (quantity: unknown): number => toMilli(mustParseQuantity(String(quantity)));

function evaluate(spec: DeepReadonly<MetricSpec>, fetched: Fetched, around: Around, statusReplicas: number): Evaluated {
  const fail = (reason: string, message: string): never => {
    throw new MetricError(reason, message);
  };
  /** Runs what may find that figures and pods do not fit. */
  const reckon = <T>(reason: string, prefix: string, run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw new MetricError(reason, `${prefix}${(error as Error).message}`);
    }
  };
  const { type } = spec;
  if (type === 'Resource' || type === 'ContainerResource') {
    const source = (spec.resource ?? spec.containerResource)!;
    const container = spec.containerResource?.container ?? '';
    const reason = `FailedGet${type}Metric`;
    const { name, target } = source;
    const isShare = target.averageUtilization !== undefined;
    const about = `failed to get ${name} ${isShare ? 'utilization' : 'usage'}: `;
    if (fetched.type !== 'pods') return fail(reason, `${about}${fetched.type === 'failed' ? fetched.message : ''}`);
    const kind = container === '' ? 'resource' : 'container resource';
    const status = (current: object): DeepReadonly<MetricStatus> =>
      container === ''
        ? { type, resource: { name, current } }
        : { type, containerResource: { name, container, current } };
    if (!isShare) {
      const { replicas, averageMilli } = reckon(reason, about, () =>
        byAverage(around, fetched.samples, milliOf(target.averageValue), name),
      );
      return { replicas, name: `${name} ${kind}`, status: status({ averageValue: milliText(averageMilli) }) };
    }
    const percent = target.averageUtilization as number;
    const { replicas, averageMilli, utilization } = reckon(reason, about, () =>
      byUtilization(around, fetched.samples, { resource: name, container, percent }),
    );
    return {
      replicas,
      name: `${name} ${kind} utilization (percentage of request)`,
      status: status({ averageUtilization: utilization, averageValue: milliText(averageMilli) }),
    };
  }
  if (type === 'Pods') {
    const { metric, target } = spec.pods!;
    if (fetched.type !== 'pods') return fail('FailedGetPodsMetric', fetched.type === 'failed' ? fetched.message : '');
    const { replicas, averageMilli } = reckon('FailedGetPodsMetric', '', () =>
      byAverage(around, fetched.samples, milliOf(target.averageValue), ''),
    );
    const current = { averageValue: milliText(averageMilli) };
    return { replicas, name: `pods metric ${metric.name}`, status: { type, pods: { metric, current } } };
  }
  const isObject = type === 'Object';
  const reason = isObject ? 'FailedGetObjectMetric' : 'FailedGetExternalMetric';
  const { metric, target } = (spec.object ?? spec.external)!;
  const about = isObject ? 'failed to get object metric: ' : `failed to get ${metric.name} external metric: `;
  if (fetched.type !== 'value') return fail(reason, `${about}${fetched.type === 'failed' ? fetched.message : ''}`);
  const { replicas, current } = reckon(reason, about, () => ofOneValue(around, fetched.milli, target, statusReplicas));
  if (!isObject) {
    return { replicas, name: `external metric ${metric.name}`, status: { type, external: { metric, current } } };
  }
  const { describedObject } = spec.object!;
  const name = `${describedObject.kind} metric ${metric.name}`;
  return { replicas, name, status: { type, object: { describedObject, metric, current } } };
}

function ofOneValue(around: Around, milli: number, target: DeepReadonly<MetricTarget>, statusReplicas: number) {
  if (target.averageValue === undefined) {
    const replicas = byValue(around, milli, milliOf(target.value));
    return { replicas, current: { value: milliText(milli) } };
  }
  const { replicas, averageMilli } = byShare(around, milli, milliOf(target.averageValue), statusReplicas);
  return { replicas, current: { averageValue: milliText(averageMilli) } };
}
