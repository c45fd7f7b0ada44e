import { mustParseQuantity, type Quantity, toCeil, toMilli } from '../../../libs/machinery/quantity.ts';
import type { Pod } from './cluster-objects.ts';

/** Amounts by resource: cpu in thousandths, everything else in whole units. */
export type Amounts = Map<string, number>;

/** What a container without requests counts as when nodes are scored, so that such pods spread too. */
export const DEFAULT_MILLI_CPU = 100;
export const DEFAULT_MEMORY = 200 * 1024 * 1024;

type Quantities = Readonly<Record<string, unknown>> | undefined;
type Container = NonNullable<NonNullable<Pod['spec']>['containers']>[number];

/** Reads a list of resources; `pods` and others are whole units. */
export function amountsOf(quantities: Quantities): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const quantity: Quantity = mustParseQuantity(String(text));
    amounts.set(name, name === 'cpu' ? toMilli(quantity) : toCeil(quantity));
  }
  return amounts;
}

const add = (to: Amounts, from: Amounts): void => {
  for (const [name, amount] of from) to.set(name, (to.get(name) ?? 0) + amount);
};

const raise = (to: Amounts, from: Amounts): void => {
  for (const [name, amount] of from) if (amount > (to.get(name) ?? 0)) to.set(name, amount);
};

/** Pod-level requests count for these resources, in place of the containers' sum. */
const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

/**
 * What a pod asks a node for: the larger of what its containers ask for together and what any of its init containers
 * asks for, with the sidecars started before it; plus the overhead. `defaults`: what containers that say nothing about
 * cpu or memory are taken for. `withPodLevel`: whether
 * requests of the pod as a whole take the place of its containers'.
 */
export function podRequests(pod: Pod, defaults: boolean, withPodLevel = true): Amounts {
  const spec = pod.spec;
  const podLevel = withPodLevel ? spec?.resources?.requests : undefined;
  const requestsOf = (container: Container, init: boolean): Amounts => {
    const amounts = amountsOf(container.resources?.requests);
    // While a resize is under way, the pod keeps what it has been given until that is taken back.
    const statuses = init ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
    const actual = statuses?.find(({ name }) => name === container.name);
    if (actual && !resizeImpossible(pod)) raise(amounts, amountsOf(actual.resources?.requests));
    if (actual && !resizeImpossible(pod)) raise(amounts, amountsOf(actual.allocatedResources));
    if (actual && resizeImpossible(pod)) {
      return amountsOf(actual.resources?.requests ?? actual.allocatedResources ?? container.resources?.requests);
    }
    if (defaults && !podLevel) {
      if (!amounts.has('cpu')) amounts.set('cpu', DEFAULT_MILLI_CPU);
      if (!amounts.has('memory')) amounts.set('memory', DEFAULT_MEMORY);
    }
    return amounts;
  };
  const total: Amounts = new Map();
  for (const container of spec?.containers ?? []) add(total, requestsOf(container, false));
  const sidecars: Amounts = new Map();
  const initMax: Amounts = new Map();
  for (const container of spec?.initContainers ?? []) {
    const amounts = requestsOf(container as Container, true);
    if (container.restartPolicy === 'Always') {
      add(total, amounts);
      add(sidecars, amounts);
      raise(initMax, sidecars);
    } else {
      add(amounts, sidecars);
      raise(initMax, amounts);
    }
  }
  raise(total, initMax);
  if (podLevel) {
    for (const [name, amount] of amountsOf(podLevel)) if (isPodLevel(name)) total.set(name, amount);
    if (defaults) {
      if (!total.has('cpu')) total.set('cpu', DEFAULT_MILLI_CPU);
      if (!total.has('memory')) total.set('memory', DEFAULT_MEMORY);
    }
  }
  add(total, amountsOf(spec?.overhead));
  return total;
}

function resizeImpossible(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some(
      ({ type, status, reason }) => type === 'PodResizePending' && status === 'True' && reason === 'Infeasible',
    ) ?? false
  );
}
