import type { Secret } from '../../../api/types/core/v1.generated.ts';
import { unlessAborted } from '../../../libs/base/abort.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type CriClient, isNotFound, pullFailure } from '../../cri/cri.ts';
import type { AuthConfig, Image } from '../../cri/schema.generated.ts';
import { StartError } from '../containers/errors.ts';
import type { PodContainer } from '../pod/objects.ts';
import { credentialsFor } from './credentials.ts';

export interface ImagePullerOptions {
  readonly cri: CriClient;
  readonly clock: Clock;
  readonly maxParallel: number;
}

export interface EnsuredImage {
  readonly imageRef: string;
  readonly image: Image | undefined;
}

/** What is told of a pull, as events. */
export type PullEvent = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** A name with an optional host, path, tag and digest. */
const REFERENCE =
  /^(?:[a-zA-Z0-9.\-_]+(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?$/;

/** The pull policy where none is said: `latest` may change. */
export function pullPolicy(container: PodContainer): string {
  if (container.imagePullPolicy) return container.imagePullPolicy;
  const { image = '' } = container;
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** Gets images onto the node: never the same twice at once, and not too many at once. */
export class ImagePuller {
  readonly #options: ImagePullerOptions;
  readonly #pulls = new Map<string, Promise<string>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that the container's image is there. Rejects with `StartError`: `InvalidImageName`, `ImageInspectError`,
   * `ErrImageNeverPull`, `ErrImagePull`, `RegistryUnavailable`. When `signal` fires it gives up; a pull goes on.
   */
  async ensure(
    container: PodContainer,
    secrets: readonly DeepReadonly<Secret>[],
    tell: PullEvent,
    signal: AbortSignal,
  ): Promise<EnsuredImage> {
    const { image: name = '' } = container;
    if (!REFERENCE.test(name)) {
      const message = `Failed to apply default image tag "${name}": couldn't parse image name "${name}": invalid reference format`;
      tell('Warning', 'InspectFailed', message);
      throw new StartError('InvalidImageName', message);
    }
    const policy = pullPolicy(container);
    const there = await this.#inspect(name, tell);
    if (there && policy !== 'Always') {
      tell('Normal', 'Pulled', `Container image "${name}" already present on machine and can be accessed by the pod`);
      return { imageRef: there.id, image: there };
    }
    if (policy === 'Never') {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      tell('Warning', 'ErrImageNeverPull', message);
      throw new StartError('ErrImageNeverPull', message);
    }
    tell('Normal', 'Pulling', `Pulling image "${name}"`);
    const { clock } = this.#options;
    const askedMs = clock.monotonic();
    let began = askedMs;
    try {
      const pull = this.#pull(name, credentialsFor(name, secrets), () => {
        began = clock.monotonic();
      });
      await unlessAborted(pull, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = pullFailure(error);
      const message = (error as Error).message;
      tell('Warning', 'Failed', `Failed to pull image "${name}": ${message}`);
      throw new StartError(reason, message, { cause: error });
    }
    const image = await this.#inspect(name, tell);
    const nowMs = clock.monotonic();
    tell(
      'Normal',
      'Pulled',
      `Successfully pulled image "${name}" in ${duration(nowMs - began)} (${duration(nowMs - askedMs)} including waiting). Image size: ${image?.size ?? 0} bytes.`,
    );
    return { imageRef: image?.id ?? name, image };
  }

  async #inspect(name: string, tell: PullEvent): Promise<Image | undefined> {
    try {
      return (await this.#options.cri.imageStatus({ image: { image: name } })).image;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      const message = `Failed to inspect image "${name}": ${(error as Error).message}`;
      tell('Warning', 'InspectFailed', message);
      throw new StartError('ImageInspectError', message, { cause: error });
    }
  }

  /** Who asks for what is on its way with the same credentials waits for it. */
  #pull(name: string, credentials: readonly Input<AuthConfig>[], began: () => void): Promise<string> {
    const key = `${name}\n${JSON.stringify(credentials)}`;
    const under = this.#pulls.get(key);
    if (under) return under;
    const pull = this.#inTurn(async () => {
      began();
      let failure: unknown;
      for (const auth of credentials.length > 0 ? credentials : [undefined]) {
        try {
          return (await this.#options.cri.pullImage({ image: { image: name }, ...(auth && { auth }) })).imageRef;
        } catch (error) {
          failure = error;
        }
      }
      throw failure;
    }).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.maxParallel) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await run();
    } finally {
      // The turn goes to who waits, else back.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

const duration = (ms: number): string => (ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(3)}s`);
