import { inOnePiece } from '../../../../libs/base/text.ts';
import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { copyValue } from '../../../../libs/machinery/copy.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Claim } from '../../../core/pod/controller/ownership.ts';
import { isFinished } from '../../../core/pod/controller/pod-state.ts';
import type {
  Deployment,
  DeploymentCondition,
  DeploymentStatus,
  ReplicaSet,
} from '../../../types/apps/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { templateHash } from '../../controllerrevision/controller/template-hash.ts';
import { type Rollback, rollback, rollbackRevision } from './rollback.ts';
import {
  type Bounds,
  boundsOf,
  compareRevisions,
  DESIRED_REPLICAS,
  inProportion,
  MAX_REPLICAS,
  newSetReplicas,
  OWN_ANNOTATIONS,
  REVISION,
  REVISION_HISTORY,
  revisionOf,
  type Set,
  setOf,
  total,
} from './rollout.ts';
import {
  conditionOf,
  countsOf,
  hasDeadline,
  isComplete,
  rolloutStatus,
  stuckAfterMs,
  withCondition,
} from './status.ts';

export interface Observed {
  readonly deployment: Live<Deployment>;
  readonly sets: Claim<ReplicaSet>;
  podsOf(set: Live<ReplicaSet>): readonly Live<Pod>[];
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'claim' }
  | { readonly type: 'create'; readonly set: ReplicaSet }
  | {
      readonly type: 'update';
      readonly set: ReplicaSet;
      readonly scaled?: { readonly from: number; readonly to: number };
    }
  | { readonly type: 'delete'; readonly name: string; readonly uid: string }
  | Rollback
  | {
      readonly type: 'status';
      readonly status: DeploymentStatus;
      readonly annotations: Readonly<Record<string, string>>;
    }
);

const HISTORY_LENGTH_MAX = 2000;
const TEMPLATE_HASH = 'pod-template-hash';

/** Moves the Deployment one step on: what a ReplicaSet gains, another loses, as far as the strategy allows. */
export function plan(observed: Observed, nowMs: number): Plan<Action> {
  const turn = new Turn(observed, nowMs);
  const status = turn.run();
  return turn.planned(status);
}

/** One look at a Deployment, and the decisions that follow from each other. */
class Turn {
  readonly #observed: Observed;
  readonly #deployment: Live<Deployment>;
  readonly #spec: DeepReadonly<NonNullable<Deployment['spec']>>;
  readonly #replicas: number;
  readonly #bounds: Bounds;
  readonly #nowMs: number;
  readonly #actions: Action[] = [];
  readonly #old: Set[];
  #new: Set | undefined;
  #conditions: readonly DeepReadonly<DeploymentCondition>[];
  #annotations: Record<string, string>;

  constructor(observed: Observed, nowMs: number) {
    this.#observed = observed;
    this.#deployment = observed.deployment;
    this.#spec = observed.deployment.spec as DeepReadonly<NonNullable<Deployment['spec']>>;
    this.#replicas = this.#spec.replicas ?? 1;
    this.#bounds = boundsOf(this.#spec);
    this.#nowMs = nowMs;
    this.#conditions = observed.deployment.status?.conditions ?? [];
    this.#annotations = { ...(observed.deployment.metadata.annotations as Record<string, string> | undefined) };
    const all = [...observed.sets.owned].sort((a, b) => order(a, b)).map(setOf);
    this.#new = all.find(({ live }) => live && sameTemplate(live, this.#spec.template));
    this.#old = all.filter((set) => set !== this.#new);
  }

  get #all(): Set[] {
    return this.#new ? [...this.#old, this.#new] : this.#old;
  }

  /** The status that results. */
  run(): DeepReadonly<DeploymentStatus> {
    const { adopt, release } = this.#observed.sets;
    if (adopt.length + release.length > 0)
      this.#actions.push({ type: 'claim', reason: 'adopt and release replica sets' });
    if (this.#deployment.metadata.deletionTimestamp) return this.#counts();
    this.#tellPaused();
    const back = this.#spec.paused ? undefined : rollbackRevision(this.#deployment);
    if (back !== undefined) {
      const isSame = ({ live }: Set) => live !== undefined && sameTemplate(live, this.#spec.template);
      this.#actions.push(rollback(this.#deployment, this.#all, isSame, back));
      // Everything else is for the next look, at what the Deployment is then.
      return this.#deployment.status ?? {};
    }
    const scaledSince = this.#all.some(
      (set) =>
        set.replicas > 0 && Number(valueIn(set.annotations, DESIRED_REPLICAS) ?? this.#replicas) !== this.#replicas,
    );
    if (this.#spec.paused || scaledSince) {
      this.#syncNew(false);
      this.#scale();
      if (this.#spec.paused) this.#forgetOldRevisions();
      return this.#counts();
    }
    if (this.#spec.strategy?.type === 'Recreate') this.#recreate();
    else this.#roll();
    return rolloutStatus(this.#deployment, this.#counts(), this.#all, this.#new, this.#nowMs);
  }

  planned(status: DeepReadonly<DeploymentStatus>): Plan<Action> {
    const { metadata, status: before = {} } = this.#deployment;
    const isAnnotated = !sameValue(this.#annotations, metadata.annotations ?? {});
    const isCounted = !sameValue(status, before);
    // A set that was scaled brings the next look, which counts anew: numbers alone wait for it.
    const isScaled = this.#actions.some((action) => action.type === 'update' && action.scaled);
    if (isAnnotated || (isCounted && !(isScaled && saysTheSame(status, before)))) {
      const changed = { status: status as DeploymentStatus, annotations: this.#annotations };
      this.#actions.push({ type: 'status', ...changed, reason: 'status' });
    }
    const againAfterMs = stuckAfterMs(this.#deployment, status, this.#nowMs);
    return againAfterMs === undefined ? { actions: this.#actions } : { actions: this.#actions, againAfterMs };
  }

  #counts(): DeepReadonly<DeploymentStatus> {
    return countsOf(this.#deployment, this.#all, this.#new, this.#bounds, this.#conditions, this.#nowMs);
  }

  #progressing(status: 'True' | 'Unknown', reason: string, message: string): void {
    this.#conditions = withCondition(this.#conditions, 'Progressing', status, reason, message, this.#nowMs);
  }

  #tellPaused(): void {
    if (!hasDeadline(this.#deployment)) return;
    const current = conditionOf(this.#conditions, 'Progressing');
    if (current?.reason === 'ProgressDeadlineExceeded') return;
    const told = current?.reason === 'DeploymentPaused';
    if (this.#spec.paused && !told) this.#progressing('Unknown', 'DeploymentPaused', 'Deployment is paused');
    if (!this.#spec.paused && told) this.#progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  }

  /** Brings the ReplicaSet of the present template up to date, or makes it. */
  #syncNew(create: boolean): void {
    const last = [...this.#old].sort(compareRevisions).at(-1);
    const revision = (last ? revisionOf(last.annotations) : 0n) + 1n;
    if (this.#new) {
      const { live, name } = this.#new;
      const annotations = this.#handedDown(this.#new.annotations, revision);
      const minReadySeconds = this.#spec.minReadySeconds ?? 0;
      if (!sameValue(annotations, this.#new.annotations) || (live?.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
        Object.assign(this.#new.annotations, annotations);
        this.#update(this.#new, 'annotations', undefined, minReadySeconds);
      }
      this.#annotations[REVISION] = this.#new.annotations[REVISION] ?? String(revision);
      if (hasDeadline(this.#deployment) && !conditionOf(this.#conditions, 'Progressing')) {
        this.#progressing('True', 'FoundNewReplicaSet', `Found new replica set "${name}"`);
      }
    } else if (create) this.#create(revision);
  }

  #create(revision: bigint): void {
    const { metadata, status } = this.#deployment;
    const hash = templateHash(this.#spec.template, status?.collisionCount ?? 0);
    const name = inOnePiece(metadata.name, '-', hash);
    const rolling = this.#spec.strategy?.type !== 'Recreate';
    const replicas = newSetReplicas(this.#replicas, rolling, this.#bounds, this.#old, 0);
    const annotations = { ...this.#handedDown({}, revision), ...this.#sizes() };
    const template = copyValue(this.#spec.template) as NonNullable<Deployment['spec']>['template'];
    const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: hash };
    template.metadata = { ...template.metadata, labels };
    const selector = copyValue(this.#spec.selector) as NonNullable<Deployment['spec']>['selector'];
    selector.matchLabels = { ...selector.matchLabels, [TEMPLATE_HASH]: hash };
    const set: ReplicaSet = {
      metadata: { name, namespace: metadata.namespace ?? '', labels: { ...labels }, annotations },
      spec: { replicas, selector, template, minReadySeconds: this.#spec.minReadySeconds ?? 0 },
    };
    this.#new = {
      name,
      replicas,
      annotations,
      createdMs: this.#nowMs,
      status: { replicas: 0, ready: 0, available: 0, terminating: 0 },
      conditions: [],
      settled: false,
      deleting: false,
      live: undefined,
    };
    this.#actions.push({ type: 'create', set, reason: 'new replica set' });
    this.#annotations[REVISION] = String(revision);
    if (hasDeadline(this.#deployment)) {
      this.#progressing('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
    }
  }

  /** The annotations of the new ReplicaSet: the Deployment's, and which revisions it has been. */
  #handedDown(own: Readonly<Record<string, string>>, revision: bigint): Record<string, string> {
    const annotations = { ...own };
    for (const [key, value] of Object.entries(this.#deployment.metadata.annotations ?? {})) {
      if (!OWN_ANNOTATIONS.has(key)) annotations[key] = value;
    }
    const before = valueIn(own, REVISION);
    if (revision > revisionOf(own)) {
      annotations[REVISION] = String(revision);
      if (before !== undefined) {
        const history = [...(valueIn(own, REVISION_HISTORY)?.split(',') ?? []), before];
        while (history.join().length > HISTORY_LENGTH_MAX) history.shift();
        annotations[REVISION_HISTORY] = history.join();
      }
    }
    const { replicas } = this.#new ?? {};
    return replicas === undefined || valueIn(own, DESIRED_REPLICAS)
      ? annotations
      : { ...annotations, ...this.#sizes() };
  }

  #sizes(): Record<string, string> {
    return {
      [DESIRED_REPLICAS]: String(this.#replicas),
      [MAX_REPLICAS]: String(this.#replicas + this.#bounds.maxSurge),
    };
  }

  #scaleSet(set: Set, to: number): boolean {
    const from = set.replicas;
    if (from === to && sameValue({ ...set.annotations, ...this.#sizes() }, set.annotations)) return false;
    Object.assign(set.annotations, this.#sizes());
    set.replicas = to;
    this.#update(
      set,
      to === from ? 'annotations' : to > from ? 'scale up' : 'scale down',
      to === from ? undefined : { from, to },
    );
    return from !== to;
  }

  /** One update a ReplicaSet and turn: a later decision takes the place of the earlier. */
  #update(
    set: Set,
    reason: string,
    sized?: { from: number; to: number },
    minReadySeconds = this.#spec.minReadySeconds ?? 0,
  ): void {
    const { live } = set;
    if (!live) return;
    const isOlder = (action: Action) => action.type === 'update' && action.set.metadata?.name === set.name;
    const at = this.#actions.findIndex(isOlder);
    const older = at < 0 ? undefined : (this.#actions.splice(at, 1)[0] as Extract<Action, { type: 'update' }>);
    const from = older?.scaled?.from ?? sized?.from;
    const to = sized?.to ?? older?.scaled?.to;
    const isNew = set === this.#new;
    const spec = { ...live.spec, replicas: set.replicas, ...(isNew ? { minReadySeconds } : {}) };
    const updated = {
      ...live,
      metadata: { ...live.metadata, annotations: { ...set.annotations } },
      spec,
    } as unknown as ReplicaSet;
    const scaled = from !== undefined && to !== undefined ? { scaled: { from, to } } : {};
    this.#actions.push({ type: 'update', set: updated, ...scaled, reason });
  }

  /** After a change of `spec.replicas`, or while paused: sizes alone. */
  #scale(): void {
    const active = this.#all.filter((set) => set.replicas > 0);
    if (active.length <= 1) {
      const only = active[0] ?? this.#new ?? this.#old.at(-1);
      if (only && only.replicas !== this.#replicas) this.#scaleSet(only, this.#replicas);
      return;
    }
    if (this.#new && this.#isSaturated(this.#new)) {
      for (const set of this.#old) if (set.replicas > 0) this.#scaleSet(set, 0);
      return;
    }
    if (this.#spec.strategy?.type === 'Recreate') return;
    const statusReplicas = this.#deployment.status?.replicas ?? 0;
    for (const [set, size] of inProportion(active, this.#replicas, this.#bounds.maxSurge, statusReplicas)) {
      this.#scaleSet(set, size);
    }
  }

  #isSaturated(set: Set): boolean {
    const desired = Number(valueIn(set.annotations, DESIRED_REPLICAS));
    return [desired, set.replicas, set.status.available].every((count) => count === this.#replicas);
  }

  #recreate(): void {
    this.#syncNew(false);
    let scaled = false;
    for (const set of this.#old) if (set.replicas > 0) scaled = this.#scaleSet(set, 0) || scaled;
    if (scaled || this.#oldPodsRun()) return;
    this.#syncNew(true);
    if (this.#new) this.#scaleSet(this.#new, this.#replicas);
    this.#forgetWhenComplete();
  }

  #oldPodsRun(): boolean {
    return this.#old.some(
      ({ status, live }) =>
        status.replicas > 0 || (live && this.#observed.podsOf(live).some((pod) => !isFinished(pod))),
    );
  }

  #roll(): void {
    this.#syncNew(true);
    const set = this.#new as Set;
    if (set.live && set.replicas !== this.#replicas) {
      const size =
        set.replicas > this.#replicas
          ? this.#replicas
          : newSetReplicas(this.#replicas, true, this.#bounds, this.#all, set.replicas);
      if (this.#scaleSet(set, size)) return;
    }
    if (set.live && this.#shrinkOld(set)) return;
    this.#forgetWhenComplete();
  }

  /** Takes from the old what the new makes up for: unhealthy pods first. */
  #shrinkOld(set: Set): boolean {
    const old = this.#old.filter(({ replicas }) => replicas > 0);
    if (old.length === 0) return false;
    const least = this.#replicas - this.#bounds.maxUnavailable;
    const newUnavailable = set.replicas - set.status.available;
    let room = total(this.#all, ({ replicas }) => replicas) - least - newUnavailable;
    if (room <= 0) return false;
    let changed = false;
    for (const one of old) {
      const unhealthy = Math.min(room, one.replicas - availableOf(one));
      if (unhealthy <= 0) continue;
      room -= unhealthy;
      changed = this.#scaleSet(one, one.replicas - unhealthy) || changed;
    }
    let spare = total(this.#all, availableOf) - least;
    for (const one of old) {
      const count = Math.min(spare, one.replicas);
      if (count <= 0) continue;
      spare -= count;
      changed = this.#scaleSet(one, one.replicas - count) || changed;
    }
    return changed;
  }

  #forgetWhenComplete(): void {
    if (isComplete(this.#deployment, this.#deployment.status ?? {})) this.#forgetOldRevisions();
  }

  #forgetOldRevisions(): void {
    const limit = this.#spec.revisionHistoryLimit ?? 2147483647;
    const kept = this.#old.filter((set) => !set.deleting).sort(compareRevisions);
    for (const { replicas, status, settled, live, name } of kept.slice(0, Math.max(0, kept.length - limit))) {
      if (replicas > 0 || status.replicas > 0 || !settled || !live) continue;
      this.#actions.push({ type: 'delete', name, uid: live.metadata.uid, reason: 'revision history limit' });
    }
  }
}

/** Of a set that was made smaller and has not said so yet, no more than it keeps. */
const availableOf = ({ replicas, status }: Set): number => Math.min(replicas, status.available);

function order(a: Live<ReplicaSet>, b: Live<ReplicaSet>): number {
  const [x, y] = [a.metadata, b.metadata];
  const [early, late] =
    x.creationTimestamp === y.creationTimestamp ? [x.name, y.name] : [x.creationTimestamp, y.creationTimestamp];
  return String(early) < String(late) ? -1 : 1;
}

/** Whether two statuses differ in numbers of pods alone. */
function saysTheSame(a: DeepReadonly<DeploymentStatus>, b: DeepReadonly<DeploymentStatus>): boolean {
  const told = ({ observedGeneration, collisionCount, conditions = [] }: DeepReadonly<DeploymentStatus>) => ({
    observedGeneration,
    collisionCount,
    conditions: conditions.map(({ type, status, reason, message }) => ({ type, status, reason, message })),
  });
  return sameValue(told(a), told(b));
}

/** With which template of a Deployment one of a ReplicaSet was compared last, and how: at each turn it is the same. */
const compared = new WeakMap<object, { readonly template: unknown; readonly isSame: boolean }>();

/** Whether a ReplicaSet's pods are those that the template describes. */
export function sameTemplate(set: DeepReadonly<ReplicaSet>, template: unknown): boolean {
  const own: Template = set.spec?.template ?? {};
  const known = compared.get(own);
  if (known?.template === template) return known?.isSame ?? false;
  const isSame = sameValue(withoutHash(own), withoutHash(template as Template));
  if (Object.isFrozen(own) && Object.isFrozen(template)) compared.set(own, { template, isSame });
  return isSame;
}

type Template = { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };

/** The template as its Deployment has it. */
function withoutHash(template: Template): Template {
  const { [TEMPLATE_HASH]: hash, ...labels } = template.metadata?.labels ?? {};
  return hash === undefined ? template : { ...template, metadata: { ...template.metadata, labels } };
}
