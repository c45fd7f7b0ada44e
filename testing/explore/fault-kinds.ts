import { ClusterUsageError } from '../errors.ts';

/** What befalls requests, as `ApiFault` knows it. */
export const REQUEST_FAULTS = Object.freeze([
  'refuse',
  'lose-request',
  'lose-answer',
  'delay',
  'duplicate',
  'stale',
  'expire',
] as const);

/** What befalls one node for a while. */
export const NODE_FAULTS = Object.freeze(['node-crash', 'node-pause', 'node-partition', 'kubelet-crash'] as const);

/** What befalls one component for a while: the controllers, the scheduler, one of the scenario's own. */
export const COMPONENT_FAULTS = Object.freeze(['component-crash', 'component-pause', 'component-partition'] as const);

/** What befalls a node or a component for a while. */
export const EITHERS_FAULTS = Object.freeze(['slow-link', 'lossy-link', 'clock-skew'] as const);

const OTHER_FAULTS = Object.freeze(['watch-break', 'slow-watch', 'compact', 'restart-apiserver', 'disk-full'] as const);

export type RequestFault = (typeof REQUEST_FAULTS)[number];
export type NodeFault = (typeof NODE_FAULTS)[number];
export type ComponentFault = (typeof COMPONENT_FAULTS)[number];
export type EithersFault = (typeof EITHERS_FAULTS)[number];
/** Everything that `explore` lets go wrong. */
export type ExploredFault = RequestFault | NodeFault | ComponentFault | EithersFault | (typeof OTHER_FAULTS)[number];

export const EXPLORED_FAULTS: readonly ExploredFault[] = Object.freeze([
  ...REQUEST_FAULTS,
  ...NODE_FAULTS,
  ...COMPONENT_FAULTS,
  ...EITHERS_FAULTS,
  ...OTHER_FAULTS,
]);

/** Kinds to draw from: names, or names with how often each is drawn against the others (1 is the measure). */
export type FaultChoice = readonly ExploredFault[] | Readonly<Partial<Record<ExploredFault, number>>>;

export const isRequestFault = (fault: ExploredFault): fault is RequestFault =>
  (REQUEST_FAULTS as readonly string[]).includes(fault);

export const isNodeFault = (fault: ExploredFault): fault is NodeFault =>
  (NODE_FAULTS as readonly string[]).includes(fault);

export const isComponentFault = (fault: ExploredFault): fault is ComponentFault =>
  (COMPONENT_FAULTS as readonly string[]).includes(fault);

export const isEithersFault = (fault: ExploredFault): fault is EithersFault =>
  (EITHERS_FAULTS as readonly string[]).includes(fault);

/** The kinds with their weights. Throws `ClusterUsageError` for one that there is not. */
export function weighFaults(choice: FaultChoice = EXPLORED_FAULTS): ReadonlyMap<ExploredFault, number> {
  const weights = new Map<ExploredFault, number>();
  const named = Array.isArray(choice)
    ? (choice as readonly ExploredFault[]).map((fault) => [fault, 1] as const)
    : (Object.entries(choice) as [ExploredFault, number][]);
  for (const [fault, weight] of named) {
    if (!EXPLORED_FAULTS.includes(fault))
      throw new ClusterUsageError(`explore knows no fault "${fault}"; it knows ${EXPLORED_FAULTS.join(', ')}`);
    if (!(Number.isFinite(weight) && weight >= 0))
      throw new ClusterUsageError(`explore: the weight of the fault "${fault}" is 0 or more, not ${weight}`);
    if (weight > 0) weights.set(fault, weight);
  }
  return weights;
}
