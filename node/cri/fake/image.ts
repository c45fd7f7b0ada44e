import type { Clock } from '../../../libs/base/clock.ts';
import { type Random, SeededRandom } from '../../../libs/base/random.ts';
import type { ByteDuplex, ByteSource } from '../../../libs/streaming/channel.ts';
import type { Mount } from '../schema.generated.ts';
import type { SimulatedHandler, SimulatedRequest, SimulatedResponse } from './network.ts';

/**
 * Images of the simulated runtime: how containers made from them behave. An image is a policy (data), a function, or
 * both. A container of an image that nobody defined runs until it is stopped.
 *
 *     images.define('shop/web:1', (container) => container.serve(8080, () => 'hello'));
 *     images.define('shop/job:1', async (container) => {
 *       container.log('working');
 *       await container.sleep(30_000);
 *       return 0;                                           // the exit code
 *     });
 *     images.define('shop/slow:1', { pullMs: 20_000, startMs: 3_000, exitAfterMs: 60_000, exitCode: 1 });
 */
export interface SimulatedImage {
  /** What runs in a container. */
  readonly run?: ContainerFunction;
  /** How long a pull takes where the node does not have the image. Default 0. */
  readonly pullMs?: number;
  /** Every pull fails with this message (`RegistryUnavailable: …` gives that reason). */
  readonly pullError?: string;
  /** How long a container takes to start. Default 0. */
  readonly startMs?: number;
  /** Every start fails with this message, as for a command that does not exist. */
  readonly startError?: string;
  /** The container ends by itself after so long, with `exitCode` (default 0). */
  readonly exitAfterMs?: number;
  readonly exitCode?: number;
  /** The share of containers (0 to 1) that end with the code 1 at once. */
  readonly failureRate?: number;
  /** How long it takes to end when it is asked to (SIGTERM). Default 0; Infinity: it does not listen. */
  readonly stopMs?: number;
  /** What it uses while it runs; a function changes it with `use`. Beyond the memory limit it is killed. */
  readonly usage?: ResourceUsage;
  /** Default 1 MiB. */
  readonly sizeBytes?: number;
  /** The image's user, as a number or a name. */
  readonly user?: number | string;
}

export interface ResourceUsage {
  readonly cpuMillicores?: number;
  readonly memoryBytes?: number;
}

/**
 * The program of a container. A number ends it with that code; a throw ends it with 1, and the message on stderr. When it
 * returns nothing it goes on running if it serves or listens or answers (`serve`, `listen`, `onExec`, `onStop`), and has
 * ended with 0 otherwise.
 */
export type ContainerFunction = (container: SimulatedContainer) => number | void | Promise<number | void>;

/** A container, as its program sees it. */
export interface SimulatedContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** How often a container of this name was made before in its pod. */
  readonly attempt: number;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly pod: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly ip: string;
    readonly hostname: string;
  };
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted when the container is asked to end (SIGTERM). */
  readonly stopping: AbortSignal;
  /** Aborted when it has ended. */
  readonly ended: AbortSignal;
  /** True when the container was started before a snapshot that the runtime was restored from. */
  readonly restored: boolean;
  /** What is written to the container's standard input; empty where it has none. */
  readonly stdin: ByteSource;

  /** A line on stdout; several, when it has line ends. */
  log(line: string): void;
  /** A line on stderr. */
  logError(line: string): void;
  /** Answers HTTP on a port of the pod. Throws when the port is taken in the pod. */
  serve(port: number, handler: SimulatedHandler): void;
  /** Takes raw connections on a port (port-forward, TCP probes). Throws when the port is taken in the pod. */
  listen(port: number, accept: (connection: ByteDuplex) => void): void;
  /** Answers exec, probes and hooks; without it every command succeeds and says nothing. */
  onExec(handler: ExecHandler): void;
  /**
   * Runs when the container is asked to end; its result is the exit code (nothing: 0). Without it the container ends at
   * once with 143. After the grace period it is killed (137) all the same.
   */
  onStop(handler: () => number | void | Promise<number | void>): void;
  /** Resolves after `delayMs` of the clock; rejects when the container has ended. */
  sleep(delayMs: number): Promise<void>;
  /** Ends the container. What the function returns later is of no account. */
  exit(code: number): void;
  /** What it uses from now on. */
  use(usage: ResourceUsage): void;
  /** A request through the simulated network: pods by address, services by name. */
  fetch(url: string, request?: Partial<SimulatedRequest>): Promise<SimulatedResponse>;
}

/** A command in a container. */
export interface ExecCall {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: ByteSource;
  write(text: string): Promise<void>;
  writeError(text: string): Promise<void>;
  /** Aborted when the caller has gone or the container has ended. */
  readonly signal: AbortSignal;
}

/** The exit code; nothing is 0, a throw is 1 with the message on stderr. */
export type ExecHandler = (call: ExecCall) => number | void | Promise<number | void>;

/** A function that threw; its container has ended with 1. */
export interface ImageFailure {
  readonly reference: string;
  /** `namespace/name` */
  readonly pod: string;
  readonly error: Error;
}

const FAILURES_MAX = 5;

/** The images of a simulated registry, for all nodes of a cluster. */
export class SimulatedImages {
  readonly #images = new Map<string, SimulatedImage>();
  #default: SimulatedImage | undefined = {};
  readonly #failures: ImageFailure[] = [];

  /** Functions that threw, the newest last: for messages about what never came. */
  get failures(): readonly ImageFailure[] {
    return this.#failures;
  }

  failed(failure: ImageFailure): void {
    if (this.#failures.length >= FAILURES_MAX) this.#failures.shift();
    this.#failures.push(failure);
  }

  define(reference: string, image: SimulatedImage | ContainerFunction): void {
    this.#images.set(normalizeReference(reference), typeof image === 'function' ? { run: image } : image);
  }

  remove(reference: string): void {
    this.#images.delete(normalizeReference(reference));
  }

  /** How images behave that nobody defined; undefined: they do not exist. */
  setDefault(image: SimulatedImage | undefined): void {
    this.#default = image;
  }

  find(reference: string): SimulatedImage | undefined {
    return this.#images.get(normalizeReference(reference)) ?? this.#default;
  }
}

/** `nginx` → `docker.io/library/nginx:latest`: one name for one image, as container runtimes have it. */
export function normalizeReference(reference: string): string {
  const slash = reference.indexOf('/');
  const first = slash < 0 ? '' : reference.slice(0, slash);
  const hasHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const named = hasHost ? reference : `docker.io/${slash < 0 ? 'library/' : ''}${reference}`;
  const last = named.slice(named.lastIndexOf('/') + 1);
  return last.includes(':') || last.includes('@') ? named : `${named}:latest`;
}

/** The id of an image: the same for the same reference on every node and in every run. */
export function imageId(reference: string): string {
  return `sha256:${new SeededRandom(`image ${normalizeReference(reference)}`).text(64, '0123456789abcdef')}`;
}
