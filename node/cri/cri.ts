import { type CallOptions, type GrpcCode, GrpcError } from '../../libs/grpc/channel.ts';
import type { Input } from '../../libs/grpc/protobuf.ts';
import type { PortForwarder } from '../../libs/streaming/portforward.ts';
import type { RemoteCommandStreams } from '../../libs/streaming/remotecommand.ts';
import type {
  AttachRequest,
  ExecRequest,
  ImageService,
  PortForwardRequest,
  RuntimeService,
} from './schema.generated.ts';

/**
 * A container runtime, as a kubelet sees it: the CRI's two services (v1) with plain objects for messages, and streams in
 * place of the URLs that its Exec, Attach and PortForward answer.
 *
 * `dial/connect.ts` reaches a real one (containerd, CRI-O); `fake/` is one inside the process. Both keep to this:
 *
 * - Messages take any part of their fields; what is left out has proto3's default. Answers have every field that is not
 *   a message. Times are nanoseconds since 1970 as bigint, 0n for never.
 * - A call that fails rejects with `CriError`. `NOT_FOUND` for an id that is not there; Stop and Remove of what is gone
 *   are no errors. `UNIMPLEMENTED` for a method that the runtime does not have (`optional` makes it undefined):
 *   `runtimeConfig`, `getContainerEvents` and `updatePodSandboxResources` are missing in containerd 1.6.
 * - Every call has a deadline of its own kind (two minutes; longer where the request says how long it may take; none for
 *   `pullImage` and for streams) besides `options.timeoutMs` and `options.signal`.
 * - What a runtime holds outlives its clients: nothing is undone when a client goes.
 */
export interface CriClient extends Omit<RuntimeService, StreamingMethod>, ImageService {
  /** Runs a command in a running container. The streams asked for are there when it resolves. */
  exec(request: Input<ExecRequest>, options?: CallOptions): Promise<RemoteCommandStreams>;
  /** The streams of the container's own process. */
  attach(request: Input<AttachRequest>, options?: CallOptions): Promise<RemoteCommandStreams>;
  /** Connections to ports inside the sandbox's network. */
  portForward(request: Input<PortForwardRequest>, options?: CallOptions): Promise<PortForwarder>;
  /** Ends calls that are under way and lets go of the connection. The runtime is not touched. */
  close(): Promise<void>;
}

/** What the CRI answers with a URL. */
export type StreamingMethod = 'exec' | 'attach' | 'portForward';

/** A call that the runtime refused or that did not reach it. `message` is the runtime's own text. */
export class CriError extends Error {
  readonly code: GrpcCode;
  readonly method: string;
  constructor(method: string, code: GrpcCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CriError';
    this.method = method;
    this.code = code;
  }
}

export function toCriError(method: string, error: unknown): CriError {
  if (error instanceof CriError) return error;
  if (error instanceof GrpcError) return new CriError(method, error.code, error.message, { cause: error });
  return new CriError(method, 'UNKNOWN', error instanceof Error ? error.message : String(error), { cause: error });
}

export const isCode = (error: unknown, code: GrpcCode): error is CriError =>
  error instanceof CriError && error.code === code;
export const isNotFound = (error: unknown): error is CriError => isCode(error, 'NOT_FOUND');

/** The answer, or undefined where the runtime does not have the method. */
export async function optional<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isCode(error, 'UNIMPLEMENTED')) return undefined;
    throw error;
  }
}

/** Milliseconds since 1970 of a CRI time, with its fraction; 0 for never. */
export function nanosToMs(nanos: bigint): number {
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
}

export interface ExecSyncResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

/**
 * Runs a command to its end and collects what it says (runtimes keep 16 MiB of each stream).
 *
 * Rejects with `DEADLINE_EXCEEDED` when it takes longer than `timeoutMs`: the CRI counts in whole seconds, so that a
 * part of one is rounded up for the runtime, which ends the process, and kept exactly by the clock of the call.
 */
export async function execSync(
  client: CriClient,
  containerId: string,
  command: readonly string[],
  options: CallOptions = {},
): Promise<ExecSyncResult> {
  const timeout = options.timeoutMs === undefined ? 0 : Math.max(1, Math.ceil(options.timeoutMs / 1000));
  try {
    return await client.execSync({ containerId, cmd: command, timeout }, options);
  } catch (error) {
    // containerd says UNKNOWN and CRI-O DEADLINE_EXCEEDED for its own timeout.
    if (
      error instanceof CriError &&
      timeout > 0 &&
      error.code === 'UNKNOWN' &&
      /context deadline exceeded|timed? ?out/i.test(error.message)
    ) {
      throw new CriError(error.method, 'DEADLINE_EXCEEDED', error.message, { cause: error });
    }
    throw error;
  }
}

/** Why an image could not be pulled, in the words of a container's waiting reason. */
export type PullFailure = 'ErrImagePull' | 'RegistryUnavailable' | 'SignatureValidationFailed';

/** Runtimes put these words at the start of their message; they are part of the CRI. */
export function pullFailure(error: unknown): PullFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('RegistryUnavailable')) return 'RegistryUnavailable';
  if (message.includes('SignatureValidationFailed')) return 'SignatureValidationFailed';
  return 'ErrImagePull';
}
