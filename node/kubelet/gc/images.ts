import type { KubeletEnvironment } from '../environment.ts';

interface SeenImage {
  readonly firstSeenMs: number;
  usedMs: number;
}

export interface ImageCandidate {
  readonly id: string;
  readonly sizeBytes: number;
  readonly inUse: boolean;
  readonly pinned: boolean;
  readonly firstSeenMs: number;
  readonly usedMs: number;
}

/**
 * Which images to remove so that `freeBytes` become free: those that nothing runs from, the longest unused first, none
 * that came only just now. Pure.
 */
export function chooseImages(
  images: readonly ImageCandidate[],
  options: { readonly freeBytes: number; readonly nowMs: number; readonly minimumAgeMs: number },
): string[] {
  const { nowMs, minimumAgeMs } = options;
  let left = options.freeBytes;
  const chosen: string[] = [];
  const unused = images
    .filter(({ inUse, pinned, firstSeenMs }) => !inUse && !pinned && nowMs - firstSeenMs >= minimumAgeMs)
    .sort((a, b) => a.usedMs - b.usedMs || a.firstSeenMs - b.firstSeenMs);
  for (const { id, sizeBytes } of unused) {
    if (left <= 0) break;
    chosen.push(id);
    left -= sizeBytes;
  }
  return chosen;
}

/** Keeps the file system of the images from running full. */
export class ImageGarbageCollector {
  readonly #env: KubeletEnvironment;
  readonly #seen = new Map<string, SeenImage>();

  constructor(env: KubeletEnvironment) {
    this.#env = env;
  }

  /** Looks once. Rejects when the runtime does not answer. `everything`: whatever is unused, as the disk is full. */
  async collect({ everything = false } = {}): Promise<void> {
    const { cri, clock, host, config, log } = this.#env;
    const [{ images }, { containers }, { imageFilesystems }] = await Promise.all([
      cri.listImages({}),
      cri.listContainers({}),
      cri.imageFsInfo({}),
    ]);
    const nowMs = clock.monotonic();
    const used = new Set(containers.flatMap(({ imageId, imageRef, image }) => [imageId, imageRef, image?.image ?? '']));
    const candidates = images.map((image): ImageCandidate => {
      const { id, size, pinned, repoDigests, repoTags } = image;
      const inUse = [id, ...repoDigests, ...repoTags].some((name) => used.has(name));
      const seen = this.#seen.get(id) ?? { firstSeenMs: nowMs, usedMs: 0 };
      if (inUse) seen.usedMs = nowMs;
      this.#seen.set(id, seen);
      return { id, sizeBytes: size, inUse, pinned, ...seen };
    });
    const there = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!there.has(id)) this.#seen.delete(id);

    const mountpoint = imageFilesystems[0]?.fsId?.mountpoint;
    const space = mountpoint ? await host.files.space(mountpoint).catch(() => undefined) : undefined;
    if (!everything && (!space || space.totalBytes === 0)) return;
    const usedPercent = space && space.totalBytes > 0 ? 100 - (100 * space.freeBytes) / space.totalBytes : 100;
    if (!everything && usedPercent < config.imageGCHighThresholdPercent) return;
    const { totalBytes = 0, freeBytes: free = 0 } = space ?? {};
    const wanted = (totalBytes * (100 - config.imageGCLowThresholdPercent)) / 100 - free;
    const freeBytes = everything ? Number.POSITIVE_INFINITY : wanted;
    const options = { freeBytes, nowMs, minimumAgeMs: everything ? 0 : config.imageMinimumGCAgeMs };
    for (const id of chooseImages(candidates, options)) {
      log.info('an unused image is removed, as the disk runs full', {
        image: id,
        usedPercent: Math.round(usedPercent),
      });
      await cri.removeImage({ image: { image: id } });
    }
  }
}
