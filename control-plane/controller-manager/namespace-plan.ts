import { formatTime } from '../../libs/base/clock.ts';
import { sameValue } from '../../libs/machinery/same-value.ts';

/** What is left in a namespace that is being deleted. */
export interface Remains {
  /** By resource (`pods.` for the core group, `deployments.apps`): how many objects. */
  readonly counts: ReadonlyMap<string, number>;
  /** By finalizer: how many objects wait for it. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryFailure?: string;
  readonly deletionFailure?: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string | null;
  readonly reason?: string;
  readonly message?: string;
}

/** The conditions that tell what a namespace's deletion waits for; the same array where nothing has changed. */
export function deletionConditions(
  before: readonly Condition[],
  remains: Remains,
  nowMs: number,
): readonly Condition[] {
  const { counts, finalizers, discoveryFailure, deletionFailure } = remains;
  const content = lines(counts, 'has', 'resource instances');
  const waiting = lines(finalizers, 'in', 'resource instances');
  const wanted = [
    said(
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailure,
      'DiscoveryFailed',
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    said(
      'NamespaceDeletionGroupVersionParsingFailure',
      undefined,
      '',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    said(
      'NamespaceDeletionContentFailure',
      deletionFailure,
      'ContentDeletionFailed',
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    said(
      'NamespaceContentRemaining',
      content && `Some resources are remaining: ${content}`,
      'SomeResourcesRemain',
      'ContentRemoved',
      'All content successfully removed',
    ),
    said(
      'NamespaceFinalizersRemaining',
      waiting && `Some content in the namespace has finalizers remaining: ${waiting}`,
      'SomeFinalizersRemain',
      'ContentHasNoFinalizers',
      'All content-preserving finalizers finished',
    ),
  ];
  const time = formatTime(nowMs);
  const conditions = wanted.map((condition) => {
    const known = before.find(({ type }) => type === condition.type);
    if (known && sameValue({ ...known, lastTransitionTime: undefined }, condition)) return known;
    const stays = known?.status === condition.status;
    return { ...condition, lastTransitionTime: stays ? known.lastTransitionTime : time };
  });
  const others = before.filter(({ type }) => !conditions.some((condition) => condition.type === type));
  const all = [...others, ...conditions];
  return sameValue(all, before) ? before : all;
}

function said(type: string, trouble: string | undefined, bad: string, good: string, message: string) {
  return trouble
    ? { type, status: 'True', reason: bad, message: trouble }
    : { type, status: 'False', reason: good, message };
}

const lines = (counts: ReadonlyMap<string, number>, verb: string, what: string): string =>
  [...counts]
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${verb} ${count} ${what}`)
    .sort()
    .join(', ');
