import type { KubeletEnvironment } from '../environment.ts';
import { aboutNode } from '../node-status/events.ts';

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
): ImageCandidate[] {
  const { nowMs, minimumAgeMs } = options;
  let left = options.freeBytes;
  const chosen: ImageCandidate[] = [];
  const unused = images
    .filter(({ inUse, pinned, firstSeenMs }) => !inUse && !pinned && nowMs - firstSeenMs >= minimumAgeMs)
    .sort((a, b) => a.usedMs - b.usedMs || a.firstSeenMs - b.firstSeenMs);
  for (const image of unused) {
    if (left <= 0) break;
    chosen.push(image);
    left -= image.sizeBytes;
  }
  return chosen;
}

/**
 * Which images nothing has run from for longer than `maximumAgeMs`. An image's time begins when this kubelet first sees it:
 * what was before its start it does not know. Pure.
 */
export function oldImages(
  images: readonly ImageCandidate[],
  { nowMs, maximumAgeMs }: { readonly nowMs: number; readonly maximumAgeMs: number },
): ImageCandidate[] {
  return images.filter(
    ({ inUse, pinned, firstSeenMs, usedMs }) =>
      !inUse && !pinned && nowMs - Math.max(firstSeenMs, usedMs) > maximumAgeMs,
  );
}

/** An operator reads of it in the node's events. */
export class ImageGarbageError extends Error {
  readonly reason: string | undefined;

  constructor(message: string, reason?: string) {
    super(message);
    this.name = 'ImageGarbageError';
    this.reason = reason;
  }
}

/** Keeps the file system of the images from running full. */
export class ImageGarbageCollector {
  readonly #env: KubeletEnvironment;
  readonly #seen = new Map<string, SeenImage>();
  #failed = false;

  constructor(env: KubeletEnvironment) {
    this.#env = env;
  }

  /**
   * Looks once, and tells of what went wrong as events of the node, as upstream does: a first failure may be a start that
   * is not over yet, and is told only when it is not the only one. Rejects with the same words.
   */
  async collect(): Promise<void> {
    const { events, nodeName } = this.#env;
    try {
      await this.#collect();
      this.#failed = false;
    } catch (error) {
      const { reason, message } = error as ImageGarbageError;
      if (reason !== undefined) events.event(aboutNode(nodeName), 'Warning', reason, message);
      if (this.#failed) events.event(aboutNode(nodeName), 'Warning', 'ImageGCFailed', message);
      this.#failed = true;
      throw error;
    }
  }

  /** Removes every image that nothing runs from, however young. Rejects when the runtime does not answer. */
  async removeUnused(): Promise<void> {
    const options = { freeBytes: Number.POSITIVE_INFINITY, nowMs: this.#env.clock.monotonic(), minimumAgeMs: 0 };
    const { failures, freedBytes } = await this.#remove(chooseImages(await this.#candidates(), options));
    if (failures.length > 0) throw deletionError(freedBytes, freedBytes, failures);
  }

  async #collect(): Promise<void> {
    const { cri, clock, host, config, log } = this.#env;
    const candidates = await this.#withoutOld(await this.#candidates());
    const { imageFilesystems } = await cri.imageFsInfo({});
    const mountpoint = imageFilesystems[0]?.fsId?.mountpoint;
    const space = mountpoint ? await host.files.space(mountpoint).catch(() => undefined) : undefined;
    if (!space) return;
    const { totalBytes, freeBytes } = space;
    if (totalBytes === 0) throw new ImageGarbageError('invalid capacity 0 on image filesystem', 'InvalidDiskCapacity');
    const usedPercent = 100 - Math.floor((100 * freeBytes) / totalBytes);
    if (usedPercent < config.imageGCHighThresholdPercent) return;
    const wantedBytes = Math.floor((totalBytes * (100 - config.imageGCLowThresholdPercent)) / 100) - freeBytes;
    const options = { freeBytes: wantedBytes, nowMs: clock.monotonic(), minimumAgeMs: config.imageMinimumGCAgeMs };
    const chosen = chooseImages(candidates, options);
    if (chosen.length > 0)
      log.info('unused images are removed, as the disk runs full', { usedPercent, images: chosen });
    const { failures, freedBytes } = await this.#remove(chosen);
    if (failures.length > 0) throw deletionError(wantedBytes, freedBytes, failures);
    if (freedBytes >= wantedBytes) return;
    const disk = `Insufficient free disk space on the node's image filesystem (${usedPercent}% of ${formatSize(totalBytes)} used)`;
    const done = `Failed to free sufficient space by deleting unused images (freed ${freedBytes} bytes)`;
    const advice = 'Investigate disk usage, as it could be used by active images, logs, volumes, or other data.';
    throw new ImageGarbageError(`${disk}. ${done}. ${advice}`, 'FreeDiskSpaceFailed');
  }

  /** Those that are left when the old ones have gone. */
  async #withoutOld(candidates: readonly ImageCandidate[]): Promise<readonly ImageCandidate[]> {
    const { clock, config, log } = this.#env;
    const { imageMaximumGCAgeMs: maximumAgeMs } = config;
    const old = maximumAgeMs > 0 ? oldImages(candidates, { nowMs: clock.monotonic(), maximumAgeMs }) : [];
    if (old.length === 0) return candidates;
    log.info('images that nothing has run from for long are removed', { images: old });
    const { failures, freedBytes } = await this.#remove(old);
    if (failures.length > 0) throw deletionError(freedBytes, freedBytes, failures);
    return candidates.filter((one) => !old.includes(one));
  }

  /** Every image of the runtime, and who needs it. */
  async #candidates(): Promise<ImageCandidate[]> {
    const { cri, clock } = this.#env;
    const [{ images }, { containers }, sandboxImage] = await Promise.all([
      cri.listImages({}),
      cri.listContainers({}),
      this.#sandboxImage(),
    ]);
    const nowMs = clock.monotonic();
    const used = new Set(containers.flatMap(({ imageId, imageRef, image }) => [imageId, imageRef, image?.image ?? '']));
    const there = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!there.has(id)) this.#seen.delete(id);
    return images.map((image): ImageCandidate => {
      const { id, size, repoDigests, repoTags } = image;
      const names = [id, ...repoDigests, ...repoTags];
      const inUse = names.some((name) => used.has(name));
      const seen = this.#seen.get(id) ?? { firstSeenMs: nowMs, usedMs: 0 };
      if (inUse) seen.usedMs = nowMs;
      this.#seen.set(id, seen);
      const pinned = image.pinned || (sandboxImage !== undefined && names.includes(sandboxImage));
      return { id, sizeBytes: size, inUse, pinned, ...seen };
    });
  }

  /**
   * What sandboxes are made of, by its name. Newer runtimes pin it; containerd before 1.7 only says so in its own
   * configuration, and no pod can begin once it is gone where no registry has it.
   */
  async #sandboxImage(): Promise<string | undefined> {
    const { info } = await this.#env.cri.status({ verbose: true });
    try {
      return (JSON.parse(info['config'] ?? '{}') as { sandboxImage?: string }).sandboxImage;
    } catch {
      return undefined;
    }
  }

  /** One that cannot go does not keep the others. */
  async #remove(chosen: readonly ImageCandidate[]): Promise<{ freedBytes: number; failures: string[] }> {
    let freedBytes = 0;
    const failures: string[] = [];
    for (const { id, sizeBytes } of chosen) {
      try {
        await this.#env.cri.removeImage({ image: { image: id } });
        freedBytes += sizeBytes;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    return { freedBytes, failures };
  }
}

function deletionError(wantedBytes: number, freedBytes: number, failures: readonly string[]): ImageGarbageError {
  const done = `wanted to free ${wantedBytes} bytes, but freed ${freedBytes} bytes space`;
  return new ImageGarbageError(`${done} with errors in image deletion: ${failures.join(', ')}`);
}

/** `26.4 GiB`. */
function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
