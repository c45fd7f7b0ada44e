import type { PodInfo } from '../cache/pod-info.ts';
import type { ClusterEvent, EventInterest } from './events.ts';
import type { Plugin } from './plugin.ts';

export interface EnabledPlugin {
  readonly plugin: Plugin;
  /** Of its score; 0 where the plugin is enabled but not for scoring. */
  readonly weight: number;
  /** Points at which the plugin is disabled, by configuration. */
  readonly without?: ReadonlySet<string>;
}

/** The plugins that pods of one `schedulerName` are scheduled with, in their order. */
export class Profile {
  readonly schedulerName: string;
  readonly plugins: readonly EnabledPlugin[];
  readonly #points = new Map<keyof Plugin, readonly Plugin[]>();
  readonly #interests = new Map<string, readonly EventInterest[]>();

  constructor(schedulerName: string, plugins: readonly EnabledPlugin[]) {
    this.schedulerName = schedulerName;
    this.plugins = plugins;
    for (const { plugin } of plugins) this.#interests.set(plugin.name, plugin.interests ?? []);
  }

  /** The enabled plugins that have a method for the point. */
  at<K extends keyof Plugin>(point: K): readonly (Plugin & Required<Pick<Plugin, K>>)[] {
    let found = this.#points.get(point);
    if (!found) {
      found = this.plugins
        .filter(({ plugin, without }) => plugin[point] !== undefined && !without?.has(point))
        .map(({ plugin }) => plugin);
      this.#points.set(point, found);
    }
    return found as readonly (Plugin & Required<Pick<Plugin, K>>)[];
  }

  weightOf(name: string): number {
    return this.plugins.find(({ plugin }) => plugin.name === name)?.weight ?? 0;
  }

  /** Whether one of the plugins that refused the pod says that the event could help it. */
  helps(pod: PodInfo, refusedBy: ReadonlySet<string>, event: ClusterEvent): boolean {
    for (const name of refusedBy) {
      for (const { kind, actions, helps } of this.#interests.get(name) ?? []) {
        if (kind !== event.kind || !actions.includes(event.action)) continue;
        if (!helps || helps(pod, event)) return true;
      }
    }
    return false;
  }
}
