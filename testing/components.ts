import { type TypedClient, typedClient } from '../api/typed-client.ts';
import type { EnabledPlugin } from '../control-plane/scheduler/framework/profile.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Keys } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import type { Random } from '../libs/base/random.ts';
import { Controller } from '../libs/client/controller.ts';
import { createEventRecorder } from '../libs/client/events.ts';
import { createInformers } from '../libs/client/informers.ts';
import type { Client, Informers } from '../libs/kind/client.ts';
import type { FeatureGates, PlannedAction, Reconciler } from '../libs/kind/reconciler.ts';
import type { ClusterUser } from './cluster.ts';
import { WATCH_SECONDS } from './duration.ts';
import { ClusterUsageError } from './errors.ts';

/** The components that come with Tutti and that a cluster may do without. */
export type ClusterComponent = 'controller-manager' | 'scheduler';

/** What a component of the user's may use. All of it is its own, but for the cluster. */
export interface ComponentContext {
  readonly name: string;
  readonly client: TypedClient;
  readonly informers: Informers;
  /** The cluster's time; faults may skew or stop it for this component. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Aborted when the cluster ends. */
  readonly stopping: AbortSignal;
  /** Runs a controller as Tutti's own run: one key at a time, again with back-off, never on a state older than its writes. */
  run<Observed, Action extends PlannedAction>(reconciler: Reconciler<Observed, Action>): void;
}

/** What a component leaves behind that has to be ended, if anything. */
export type ComponentEnd = { stop(): unknown } | Disposable | AsyncDisposable | undefined | void;
export type ComponentFunction = (context: ComponentContext) => ComponentEnd | Promise<ComponentEnd>;

/** A component of the user's: an operator, another scheduler. A function alone is called after its name. */
export interface UserComponent {
  readonly name: string;
  /** Who it is for the API server. Default: its name, in the group `system:masters`. */
  readonly user?: ClusterUser;
  readonly start: ComponentFunction;
}

export type AnyComponent = ClusterComponent | UserComponent | ComponentFunction;

/** A plugin of the user's for the scheduler, with the weight of its score (default 1). */
export type SchedulerPlugin =
  | EnabledPlugin['plugin']
  | { readonly plugin: EnabledPlugin['plugin']; readonly weight?: number };

const OWN: readonly ClusterComponent[] = ['controller-manager', 'scheduler'];

/** The user's components among all. Throws `ClusterUsageError` for what is no component, or two of one name. */
export function userComponents(components: readonly AnyComponent[]): UserComponent[] {
  const seen = new Set<string>();
  return components.flatMap((one, at) => {
    const component = typeof one === 'function' ? { name: one.name || `component-${at + 1}`, start: one } : one;
    const name = typeof component === 'string' ? component : component.name;
    if (seen.has(name)) throw new ClusterUsageError(`two components are called "${name}"`);
    seen.add(name);
    if (typeof component !== 'string') {
      if (typeof component.start === 'function' && typeof name === 'string' && !OWN.includes(name as ClusterComponent))
        return [component];
      throw new ClusterUsageError(
        `a component is a function, or has a name of its own and a function "start"; "${name}" has not`,
      );
    }
    if (OWN.includes(component)) return [];
    throw new ClusterUsageError(`there is no component "${component}"; there are ${OWN.join(', ')}, and functions`);
  });
}

/** Of all components, as faults know them. */
export const namesOf = (components: readonly AnyComponent[]): string[] => [
  ...components.filter((one) => typeof one === 'string'),
  ...userComponents(components).map(({ name }) => name),
];

export const enabledPlugins = (plugins: readonly SchedulerPlugin[]): EnabledPlugin[] =>
  plugins.map((one) =>
    'plugin' in one ? { plugin: one.plugin, weight: one.weight ?? 1 } : { plugin: one, weight: 1 },
  );

export interface UserComponentOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly featureGates: FeatureGates;
}

/** Starts a component of the user's. What it throws names it. */
export async function startUserComponent(
  { name, start }: UserComponent,
  { client, clock, random, keys, log, featureGates }: UserComponentOptions,
): Promise<{ stop(): Promise<void> }> {
  const informers = createInformers({
    client,
    clock,
    random: random.fork('informers'),
    log,
    watchSeconds: WATCH_SECONDS,
  });
  const stopping = new AbortController();
  const ends: (() => Promise<unknown>)[] = [() => informers.stop()];
  const context: ComponentContext = {
    name,
    client: typedClient(client),
    informers,
    clock,
    random,
    log,
    stopping: stopping.signal,
    run(reconciler) {
      const events = createEventRecorder({ client, clock, log, component: reconciler.name });
      const env = { client, informers, clock, random: random.fork(reconciler.name), keys, log, events, featureGates };
      const controller = new Controller(reconciler, env);
      ends.push(
        () => events.stop(),
        () => controller.stop(),
      );
      controller.start();
    },
  };
  const stop = async () => {
    stopping.abort(new Error('the cluster ends'));
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const left = await start(context);
    if (left) ends.push(async () => endOf(left));
    return { stop };
  } catch (error) {
    await stop();
    throw new ClusterUsageError(`the component "${name}" did not start: ${(error as Error)?.message ?? error}`, {
      cause: error,
    });
  }
}

function endOf(left: Exclude<ComponentEnd, undefined | void>): unknown {
  if ('stop' in left) return left.stop();
  return Symbol.asyncDispose in left ? left[Symbol.asyncDispose]() : left[Symbol.dispose]();
}
