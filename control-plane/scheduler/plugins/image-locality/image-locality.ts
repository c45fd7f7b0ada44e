import type { Plugin } from '../../framework/plugin.ts';

export const NAME = 'ImageLocality';
const MEBI = 1024 * 1024;
/** Less than this is quick to pull; more than that per container is slow enough to count no further. */
const MIN_BYTES = 23 * MEBI;
const MAX_BYTES = 1000 * MEBI;

/** Prefers nodes that have the pod's images, the less so the fewer nodes have them (else they would be hot spots). */
export function imageLocality(): Plugin {
  return {
    name: NAME,
    scope: 'node',
    preScore: ({ pod, state }) => {
      const images = pod.template.images.map(normalizedName);
      // Image volumes add to what is there, not to what is enough.
      const containers = (pod.pod.spec?.containers?.length ?? 0) + (pod.pod.spec?.initContainers?.length ?? 0);
      const max = MAX_BYTES * containers;
      return {
        score: (node) => {
          const there = state.imagesOf[node];
          if (!there || there.size === 0) return 0;
          let sum = 0;
          for (const image of images) {
            const sizeBytes = there.get(image);
            if (sizeBytes === undefined) continue;
            const spread = (state.images.get(image)?.nodesCount ?? 0) / state.nodesCount;
            sum += Math.trunc(sizeBytes * spread);
          }
          const bounded = Math.min(Math.max(sum, MIN_BYTES), max);
          return Math.trunc((100 * (bounded - MIN_BYTES)) / (max - MIN_BYTES));
        },
      };
    },
  };
}

/** With the tag that is meant where none is written. */
function normalizedName(image: string): string {
  return image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;
}
