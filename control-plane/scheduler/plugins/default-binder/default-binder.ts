import type { Plugin } from '../../framework/plugin.ts';

/** Binds through the pod's binding subresource. */
export function defaultBinder(): Plugin {
  return {
    name: 'DefaultBinder',
    scope: 'cluster',
    bind: async ({ pod }, node, api) => {
      await api.bindPod(pod.pod, node);
      return undefined;
    },
  };
}
