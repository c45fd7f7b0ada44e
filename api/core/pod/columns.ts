import type { Column, RowCondition } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { ageOf } from '../../../libs/machinery/printers/duration.ts';
import type { Pod } from '../../types/core/v1.generated.ts';
import { summarize } from './summary.ts';

type Seen = DeepReadonly<Pod>;
const NONE = '<none>';

const ENDED: Readonly<Record<string, string>> = Object.freeze({
  Succeeded: 'The pod has completed successfully.',
  Failed: 'The pod failed.',
});

/** Clients may leave out what has ended. */
export function rowConditions({ status }: Seen): readonly RowCondition[] {
  const reason = status?.phase ?? '';
  const message = Object.hasOwn(ENDED, reason) ? ENDED[reason] : undefined;
  return message === undefined ? [] : [{ type: 'Completed', status: 'True', reason, message }];
}

export const columns: readonly Column<Pod>[] = [
  nameColumn as Column<Pod>,
  {
    name: 'Ready',
    type: 'string',
    description: 'How many of the containers take traffic, of how many',
    value(pod) {
      const { ready, total } = summarize(pod);
      return `${ready}/${total}`;
    },
  },
  {
    name: 'Status',
    type: 'string',
    description: 'What the pod is doing, or what keeps it from doing it, in one word',
    value: (pod) => summarize(pod).reason,
  },
  {
    name: 'Restarts',
    type: 'string',
    description: 'How often containers were started again, and how long ago one of them last ended',
    value(pod, nowMs) {
      const { restarts, lastEnd } = summarize(pod);
      return restarts > 0 && lastEnd ? `${restarts} (${ageOf(lastEnd, nowMs)} ago)` : String(restarts);
    },
  },
  ageColumn as Column<Pod>,
  {
    name: 'IP',
    type: 'string',
    priority: 1,
    description: { type: 'core.v1.PodStatus', field: 'podIP' },
    value: (pod) => pod.status?.podIPs?.[0]?.ip || NONE,
  },
  {
    name: 'Node',
    type: 'string',
    priority: 1,
    description: { type: 'core.v1.PodSpec', field: 'nodeName' },
    value: (pod) => pod.spec?.nodeName || NONE,
  },
  {
    name: 'Nominated Node',
    type: 'string',
    priority: 1,
    description: { type: 'core.v1.PodStatus', field: 'nominatedNodeName' },
    value: (pod) => pod.status?.nominatedNodeName || NONE,
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    priority: 1,
    description: { type: 'core.v1.PodSpec', field: 'readinessGates' },
    value: openGates,
  },
];

function openGates({ spec, status }: Seen): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some((condition) => condition.type === conditionType && condition.status === 'True'),
  );
  return `${open.length}/${gates.length}`;
}
