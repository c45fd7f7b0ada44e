import type { FeatureGates } from '../../libs/kind/reconciler.ts';
import { type EnabledPlugin, Profile } from './framework/profile.ts';
import { defaultPlugins, type PluginArgs } from './plugins/default-plugins.ts';

interface PluginSet {
  readonly enabled?: readonly { readonly name: string; readonly weight?: number }[];
  readonly disabled?: readonly { readonly name: string }[];
}

/** The part of `KubeSchedulerConfiguration` (kubescheduler.config.k8s.io/v1) that is heeded. */
export interface SchedulerConfiguration {
  readonly profiles?: readonly {
    readonly schedulerName?: string;
    readonly plugins?: Readonly<Record<string, PluginSet>>;
    readonly pluginConfig?: readonly { readonly name: string; readonly args?: object }[];
  }[];
}

/**
 * Makes the profiles of a configuration; without any there is one, `default-scheduler`. `more` are plugins beside the built-in
 * ones, which configurations may speak of too.
 */
export function profilesOf(
  configuration: SchedulerConfiguration,
  featureGates: FeatureGates,
  more: readonly EnabledPlugin[] = [],
): Profile[] {
  const profiles = configuration.profiles ?? [{ schedulerName: 'default-scheduler' }];
  return profiles.map(({ schedulerName = 'default-scheduler', plugins = {}, pluginConfig = [] }) => {
    const args: PluginArgs = Object.fromEntries(pluginConfig.map(({ name, args: given = {} }) => [name, given]));
    return new Profile(
      schedulerName,
      [...defaultPlugins(args, featureGates), ...more].flatMap((enabled) => configured(enabled, plugins)),
    );
  });
}

/** `multiPoint` speaks of all points of a plugin; a point's own set is stronger. */
function configured(
  { plugin, weight: defaultWeight }: EnabledPlugin,
  sets: Readonly<Record<string, PluginSet>>,
): EnabledPlugin[] {
  const names = (list: readonly { readonly name: string }[] | undefined) =>
    list?.some(({ name }) => name === plugin.name || name === '*') ?? false;
  const enabledAs = (set: PluginSet | undefined) => set?.enabled?.find(({ name }) => name === plugin.name);
  const everywhere = sets.multiPoint;
  if (names(everywhere?.disabled) && !enabledAs(everywhere)) return [];
  const without = new Set<string>();
  for (const [point, set] of Object.entries(sets)) {
    if (point === 'multiPoint' || !names(set.disabled) || enabledAs(set)) continue;
    without.add(point === 'score' ? 'preScore' : point);
  }
  const weight = enabledAs(sets.score)?.weight ?? enabledAs(everywhere)?.weight ?? defaultWeight;
  return [{ plugin, weight: weight || defaultWeight || 1, without }];
}
