import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import type { ControllerEnvironment, Reconciler } from '../../../../libs/kind/reconciler.ts';
import { reading, watching } from '../../../../libs/kind/reconciler.ts';
import { type LabelSelector, parseLabelSelector } from '../../../../libs/machinery/labels.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { withCondition } from '../../../meta/conditions.ts';
import { horizontalPodAutoscalers, pods } from '../../../resources.ts';
import type { HorizontalPodAutoscaler, MetricSpec } from '../../../types/autoscaling/v2.generated.ts';
import { type Memory, NOTHING_YET, withChange } from './behavior.ts';
import { horizontalCounting } from './counting.ts';
import { externalValue, objectValue, podSamples, resourceSamples } from './metrics.ts';
import { type Action, type Fetched, type Observed, plan, type Status } from './plan.ts';
import { type Target, targetOf } from './target.ts';

type Autoscaler = Live<HorizontalPodAutoscaler>;

/** What the controller remembers of each autoscaler that there is; a controller that begins anew starts from nothing. */
interface Known {
  memory: Memory;
  /** Which pods its target has. */
  selector?: LabelSelector;
}

/**
 * Keeps the replicas of workloads as their autoscalers want them, by what metrics APIs say. Looks every 15 s; without such
 * an API (metrics-server, say) it tells so in the autoscaler's conditions and events.
 */
export function horizontalController(): Reconciler<Observed, Action> {
  const all = new Map<string, Known>();
  return {
    name: 'horizontalpodautoscaler',
    watches: [
      watching(
        horizontalPodAutoscalers,
        (hpa, { informers }) => [keyOf(hpa), ...rivalsOf(hpa, informers)],
        0,
        // Its own writes do not make it look again before its time.
        (hpa, previous) => !sameValue(hpa.spec, previous.spec),
      ),
      reading(pods),
    ],
    async observe(env, key) {
      const hpa = env.informers.informer(horizontalPodAutoscalers).get(key);
      if (!hpa || hpa.metadata.deletionTimestamp) {
        all.delete(key);
        return undefined;
      }
      const known = all.get(key) ?? { memory: NOTHING_YET };
      all.set(key, known);
      return observe(env, hpa, known, all);
    },
    plan,
    counting: horizontalCounting,
    async apply(env, action, observed) {
      const { hpa } = observed;
      const known = all.get(keyOf(hpa));
      switch (action.type) {
        case 'remember':
          if (known) known.memory = action.memory;
          return;
        case 'event':
          return env.events.event(hpa, ...action.event);
        case 'scale': {
          await rescale(env, observed, action);
          const nowMs = env.clock.now();
          if (known && hpa.spec.behavior) known.memory = withChange(known.memory, action.from, action.to, nowMs);
          return;
        }
        case 'status':
          return writeStatus(env, hpa, action.status);
      }
    },
  };
}

/** The others of the same target: what is wrong with one is wrong with all of them. */
function rivalsOf({ metadata, spec }: Autoscaler, informers: ControllerEnvironment['informers']): string[] {
  const isRival = ({ metadata: { name }, spec: { scaleTargetRef: of } }: Autoscaler) =>
    name !== metadata.name && of.name === spec.scaleTargetRef.name && of.kind === spec.scaleTargetRef.kind;
  return informers.informer(horizontalPodAutoscalers).list(metadata.namespace).filter(isRival).map(keyOf);
}

async function observe(
  env: ControllerEnvironment,
  hpa: Autoscaler,
  known: Known,
  all: ReadonlyMap<string, Known>,
): Promise<Observed> {
  const { namespace = '' } = hpa.metadata;
  const nothing = { hpa, pods: [], fetched: [], memory: known.memory };
  let target: Target;
  try {
    target = await targetOf(env.client, namespace, hpa.spec.scaleTargetRef);
  } catch (error) {
    return { ...nothing, target: { failure: (error as Error).message } };
  }
  const { spec, status } = target.scale;
  const counts = { path: target.path, specReplicas: spec?.replicas ?? 0, statusReplicas: status?.replicas ?? 0 };
  const selected = selectorOf(env, hpa, status?.selector ?? '', known, all);
  if ('failure' in selected) return { ...nothing, target: counts, selectorFailure: selected.failure };
  const { maxReplicas, minReplicas = 1, metrics = [] } = hpa.spec;
  const { specReplicas } = counts;
  // Nobody asks for metrics that would not matter.
  const matters = specReplicas <= maxReplicas && specReplicas >= minReplicas;
  const text = status?.selector ?? '';
  const fetched = matters
    ? await Promise.all(metrics.map((metric) => timedFetch(env, namespace, text, metric as MetricSpec)))
    : [];
  return { ...nothing, target: counts, pods: selected.pods, fetched };
}

function selectorOf(
  env: ControllerEnvironment,
  hpa: Autoscaler,
  text: string,
  known: Known,
  all: ReadonlyMap<string, Known>,
): { readonly pods: Observed['pods'] } | { readonly failure: NonNullable<Observed['selectorFailure']> } {
  const { namespace = '' } = hpa.metadata;
  if (text === '') {
    const message = "the HPA target's scale is missing a selector";
    return { failure: { reason: 'SelectorRequired', message, error: 'selector is required' } };
  }
  let selector: LabelSelector;
  try {
    selector = parseLabelSelector(text);
  } catch (error) {
    const message = `couldn't convert selector into a corresponding internal selector object: ${(error as Error).message}`;
    return { failure: { reason: 'InvalidSelector', message, error: message } };
  }
  known.selector = selector;
  const labelsOf = (pod: Observed['pods'][number]) => pod.metadata?.labels as Record<string, string> | undefined;
  const selected = env.informers
    .informer(pods)
    .list(namespace)
    .filter((pod) => selector.matches(labelsOf(pod)));
  const others = [...all].filter(
    ([key, { selector: other }]) =>
      key.startsWith(`${namespace}/`) && other && selected.some((pod) => other.matches(labelsOf(pod))),
  );
  if (others.length <= 1) return { pods: selected };
  const names = others.map(([key]) => key).sort();
  const message = `pods by selector ${text} are controlled by multiple HPAs: [${names.join(' ')}]`;
  return { failure: { reason: 'AmbiguousSelector', message, error: message } };
}

async function timedFetch(env: ControllerEnvironment, ...asked: Asked): Promise<Fetched> {
  const beganMs = env.clock.monotonic();
  const fetched = await fetchMetric(env, ...asked);
  return { ...fetched, tookMs: env.clock.monotonic() - beganMs };
}

type Asked = [namespace: string, selector: string, metric: MetricSpec];

async function fetchMetric(
  { client }: ControllerEnvironment,
  ...[namespace, selector, { type, resource, containerResource, pods: ofPods, object, external }]: Asked
): Promise<Fetched> {
  const source = resource ?? containerResource;
  try {
    if (source) {
      const of = { resource: source.name, container: containerResource?.container ?? '' };
      const samples = await resourceSamples(client, namespace, selector, of).catch((error: unknown) => {
        throw new Error(`unable to get metrics for resource ${of.resource}: ${(error as Error).message}`);
      });
      return { type: 'pods', samples };
    }
    if (ofPods) return { type: 'pods', samples: await podSamples(client, namespace, selector, ofPods.metric) };
    if (object) {
      const milli = await objectValue(client, namespace, object.describedObject, object.metric);
      return { type: 'value', milli };
    }
    if (external) return { type: 'value', milli: await externalValue(client, namespace, external.metric) };
    return { type: 'failed', message: `unknown metric source type "${type}"` };
  } catch (error) {
    return { type: 'failed', message: (error as Error).message };
  }
}

/** Writes what is wanted, and tells what came of it. */
async function rescale(
  env: ControllerEnvironment,
  { hpa, target }: Observed,
  { to, why }: Extract<Action, { type: 'scale' }>,
): Promise<void> {
  if ('failure' in target) return;
  const size = `New size: ${to}; reason: ${why}`;
  try {
    const scale = (await env.client.raw('GET', target.path)) as { spec?: object };
    await env.client.raw('PUT', target.path, { body: { ...scale, spec: { ...scale.spec, replicas: to } } });
  } catch (error) {
    const { message } = error as Error;
    env.events.event(hpa, 'Warning', 'FailedRescale', `${size}; error: ${message}`);
    const words = `the HPA controller was unable to update the target scale: ${message}`;
    const told = { type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message: words };
    const conditions = hpa.status?.conditions ?? [];
    await writeStatus(env, hpa, {
      desiredReplicas: target.specReplicas,
      ...hpa.status,
      currentReplicas: target.specReplicas,
      conditions: withCondition(conditions, told, env.clock.now()),
    });
    throw error;
  }
  env.events.event(hpa, 'Normal', 'SuccessfulRescale', size);
}

async function writeStatus(env: ControllerEnvironment, hpa: Autoscaler, status: Status) {
  const client = env.client.resource(horizontalPodAutoscalers).namespace(hpa.metadata.namespace ?? '');
  const changed = { ...hpa, status } as unknown as HorizontalPodAutoscaler;
  const updated = await client.subresource('status').update(changed);
  return [{ ref: horizontalPodAutoscalers, resourceVersion: updated.metadata.resourceVersion }];
}
