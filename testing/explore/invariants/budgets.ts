import type { Pod } from '../../../api/types/core/v1.generated.ts';
import type { PodDisruptionBudget } from '../../../api/types/policy/v1.generated.ts';
import { labelSelectorOf } from '../../../libs/machinery/labels.ts';
import type { Invariant } from '../invariant.ts';

/** A pod that fell ill so shortly before an eviction may not have been known to be ill. */
const HEARD_LATE_MS = 120_000;

/**
 * An eviction never takes a pod that its PodDisruptionBudgets need. Pods that fell ill by themselves shortly before are
 * given the benefit of the doubt: who decided may not have known.
 */
export function budgetsKept(): Invariant {
  const illSince = new Map<string, number>();
  return {
    name: 'budget',
    check(view, { resource, object, previous, namespace }) {
      if (resource !== 'pods') return;
      const pod = object as Pod;
      const before = previous as Pod | undefined;
      const uid = pod.metadata?.uid ?? '';
      if (!before || !isHealthy(before) || isHealthy(pod)) return;
      if (!isEvicted(pod)) {
        illSince.set(uid, view.nowMs);
        return;
      }
      for (const budget of view.list<PodDisruptionBudget>('poddisruptionbudgets.policy', namespace)) {
        if (!budget.spec?.selector || !labelSelectorOf(budget.spec.selector).matches(pod.metadata?.labels ?? {}))
          continue;
        const desired = budget.status?.desiredHealthy ?? 0;
        const selector = labelSelectorOf(budget.spec.selector);
        const covered = view
          .list<Pod>('pods', namespace)
          .filter(({ metadata }) => selector.matches(metadata?.labels ?? {}));
        const doubtful = [...illSince.values()].filter((sinceMs) => view.nowMs - sinceMs < HEARD_LATE_MS).length;
        const healthy = covered.filter(isHealthy).length;
        if (healthy + doubtful < desired)
          return `pod ${namespace}/${pod.metadata?.name} is evicted, which leaves ${healthy} healthy pods; budget ${budget.metadata?.name} wants ${desired}`;
      }
    },
  };
}

const isHealthy = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined &&
  (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false);

const isEvicted = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, reason }) => type === 'DisruptionTarget' && reason === 'EvictionByEvictionAPI') ??
  false;
