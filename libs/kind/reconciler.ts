import type { Clock, Upkeep } from '../base/clock.ts';
import type { Keys } from '../base/keys.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { MetricSet } from '../metrics/metrics.ts';
import type { Client, Informers } from './client.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from './object.ts';

/**
 * A controller: for one key at a time, look, decide, do. Level-triggered: a key says only "look again", and losing one of
 * two equal keys loses nothing.
 *
 *     observe   reads everything that matters about the key from listers; undefined: nothing to do
 *     plan      decides what should happen; pure, so a table of cases tests it
 *     apply     does one action with one or a few requests
 *
 * The runner (`libs/client/controller.ts`) keeps a key from running twice at once, orders its actions as planned, stops
 * at the first failure and tries again with back-off, and does not observe a key again before the informers have seen
 * what was written for it, so that no decision rests on a state older than one's own writes. Each action's `reason`
 * travels as the request's cause.
 *
 *     export const replicaSet: Reconciler<Observed, Action> = {
 *       name: 'replicaset',
 *       watches: [
 *         watching(replicaSets, (rs) => [keyOf(rs)]),
 *         watching(pods, (pod) => ownerKey(pod, 'ReplicaSet')),
 *       ],
 *       observe, plan, apply,
 *     };
 */
export interface Reconciler<Observed, Action extends PlannedAction> {
  /** Upstream's name of the controller: `replicaset`; with it come its user (`system:serviceaccount:kube-system:…`) and its events' source. */
  readonly name: string;
  readonly watches: readonly Watching[];
  /** How many keys may run at once. Default 5. */
  readonly concurrency?: number;
  observe(env: ControllerEnvironment, key: string): Observed | undefined | Promise<Observed | undefined>;
  plan(observed: Observed, nowMs: number): Plan<Action>;
  /** Gives back the revisions that it wrote, of those resources that the controller watches. */
  apply(env: ControllerEnvironment, action: Action, observed: Observed): Promise<readonly Written[] | void>;
  /** Gives what counts the turns of one controller, called when it begins and where the cluster counts. */
  counting?(metrics: MetricSet, env: ControllerEnvironment): TurnObserver<Observed, Action>;
}

/** Is told of each turn at its end; must be quick. */
export interface TurnObserver<Observed, Action extends PlannedAction> {
  turned(turn: Turn<Observed, Action>): void;
  /** The controller has stopped. */
  stopped?(): void;
}

/** One look at a key, and what came of it. */
export interface Turn<Observed, Action extends PlannedAction> {
  readonly key: string;
  /** undefined: there was nothing to do, and so no plan. */
  readonly observed: Observed | undefined;
  readonly plan: Plan<Action>;
  /** Those of the plan that were done: all, unless one failed. */
  readonly done: readonly Action[];
  readonly failed: boolean;
  readonly tookMs: number;
}

export interface PlannedAction {
  readonly type: string;
  /** Why, in a few words, for histories: `scale up`. */
  readonly reason: string;
}

export interface Plan<Action extends PlannedAction> {
  readonly actions: readonly Action[];
  /** Look again after this long, though nothing has changed. */
  readonly againAfterMs?: number;
  /** Looking again only makes sure: while all is well it finds nothing to do. Default: it may. */
  readonly againIs?: Upkeep;
}

export interface Watching {
  readonly ref: ResourceRef;
  /** Which keys to look at when `object` (now, or as it was) changes. Without: it is only read. */
  readonly keys?: (object: Live<ApiObject>, env: ControllerEnvironment) => readonly string[];
  /** Changes come in bursts: look only so long after the first of them. Default 0. */
  readonly delayMs?: number;
  /** Whether an update changes something that counts here; others are passed over. Default: all do. */
  matters?(object: Live<ApiObject>, previous: Live<ApiObject>): boolean;
}

export function watching<T extends ApiObject>(
  ref: ResourceRef<T>,
  keys: (object: Live<T>, env: ControllerEnvironment) => readonly string[],
  delayMs = 0,
  matters?: (object: Live<T>, previous: Live<T>) => boolean,
): Watching {
  return {
    ref,
    keys: keys as unknown as NonNullable<Watching['keys']>,
    delayMs,
    ...(matters && { matters: matters as unknown as NonNullable<Watching['matters']> }),
  };
}

/** For controllers whose keys are those of the objects that they watch: an object keeps its key. */
export const ownKey = (object: Live<ApiObject>): readonly string[] => [keyOf(object)];

/** What a controller reads, and need not look at anything for when it changes. */
export function reading<T extends ApiObject>(ref: ResourceRef<T>): Watching {
  return { ref: ref as ResourceRef };
}

export interface Written {
  readonly ref: ResourceRef;
  readonly resourceVersion: string;
  /** The plan reckoned with it as it was made: that it is seen brings no look of its own. */
  readonly expected?: boolean;
}

/** Told of what becomes of the keys in a work queue; must be quick. */
export interface QueueObserver {
  /** A key was added, or comes again after it has failed. `depth`: keys that wait now. */
  added(depth: number): void;
  retried(): void;
  taken(key: string, waitedMs: number, depth: number): void;
  done(key: string, workedMs: number): void;
}

/** What a controller may use. Nothing else: no globals, no other component. */
export interface ControllerEnvironment {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly featureGates: FeatureGates;
  /** Who counts what a controller's queue does, by the controller's name. */
  readonly observeQueue?: (name: string) => QueueObserver;
  /** Where a controller counts what it does; undefined: nobody wants to know. */
  readonly metrics?: MetricSet;
}

/** Records events about objects, folding equal ones together as upstream does. Never fails and never waits. */
export interface EventRecorder {
  event(
    about: ApiObject | Live<ApiObject>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    action?: string,
    /** The part of the object that is meant: `spec.containers{web}`. */
    fieldPath?: string,
  ): void;
}

export interface FeatureGates {
  enabled(name: string): boolean;
}
