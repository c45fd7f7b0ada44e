/** What the checks of the Pod Security Standards have in common: whose fields they look at, and how they say what is wrong. */
import type { Container, PodSpec } from '../../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';

export interface CheckedPod {
  readonly metadata: DeepReadonly<{ annotations?: Record<string, string> }>;
  readonly spec: DeepReadonly<PodSpec>;
}

export interface Violation {
  readonly reason: string;
  /** '' where the reason says it all. */
  readonly detail: string;
}

export interface Check {
  readonly id: string;
  readonly level: 'baseline' | 'restricted';
  /** Since which minor version of the standard. */
  readonly since: number;
  /** Checks that this one is a stricter form of. */
  readonly replaces?: string;
  /** `minor`: of the standard's version that is asked for. */
  readonly check: (pod: CheckedPod, minor: number) => Violation | undefined;
}

export type AnyContainer = DeepReadonly<Container>;

/** In the order in which messages name them. */
export function containersOf(spec: DeepReadonly<PodSpec>): readonly AnyContainer[] {
  return [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...((spec.ephemeralContainers ?? []) as readonly AnyContainer[]),
  ];
}

export const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

export const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many);

/** `container "a"`, `containers "a", "b"`. */
export const containers = (names: readonly string[]): string =>
  `${plural('container', 'containers', names.length)} ${quoted(names)}`;

/** The names of the containers for which something holds. */
export const namesWhere = (spec: DeepReadonly<PodSpec>, bad: (container: AnyContainer) => boolean): string[] =>
  containersOf(spec)
    .filter(bad)
    .map(({ name }) => name);

/** The pod and containers that set something bad: `pod and container "a"`. */
export function setters(pod: boolean, names: readonly string[]): string {
  const all = [...(pod ? ['pod'] : []), ...(names.length > 0 ? [containers(names)] : [])];
  return all.join(' and ');
}

export const sortedSet = (values: Iterable<string>): string[] => [...new Set(values)].sort();

export const isWindows = (spec: DeepReadonly<PodSpec>): boolean => spec.os?.name === 'windows';

/** Since this version, root in a user namespace of its own is nobody outside of it. */
const USER_NAMESPACES_SINCE = 35;

export const isRelaxed = (spec: DeepReadonly<PodSpec>, minor: number): boolean =>
  minor >= USER_NAMESPACES_SINCE && spec.hostUsers === false;
