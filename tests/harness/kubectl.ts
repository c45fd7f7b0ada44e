import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkHost } from './namespace.ts';
import type { RunningProgram, RunResult } from './process.ts';
import { findKubectl } from './requirements.ts';

export interface KubectlOptions {
  readonly kubeconfig: string;
  /** Default: the kubeconfig's. */
  readonly namespace?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The unmodified kubectl, inside a host, with a home folder of its own. */
export class Kubectl {
  readonly #host: NetworkHost;
  readonly #options: KubectlOptions;
  readonly #program: string;

  constructor(host: NetworkHost, options: KubectlOptions) {
    const program = findKubectl();
    if (program === undefined) throw new Error('no kubectl');
    this.#host = host;
    this.#options = options;
    this.#program = program;
    mkdirSync(this.#home, { recursive: true });
  }

  get #home(): string {
    return join(this.#host.folder, 'home');
  }

  /** The whole command line; strings are split at blanks, a list is taken as it is. */
  #argv(args: string | readonly string[]): string[] {
    const words = typeof args === 'string' ? args.split(' ').filter((word) => word !== '') : args;
    const namespace = this.#options.namespace === undefined ? [] : [`--namespace=${this.#options.namespace}`];
    return [this.#program, `--kubeconfig=${this.#options.kubeconfig}`, ...namespace, ...words];
  }

  get #env(): Record<string, string | undefined> {
    // Neither the user's own cluster nor the user's cache, aliases and colours.
    return { KUBECONFIG: undefined, KUBERC: 'off', KUBE_EDITOR: 'false', HOME: this.#home, ...this.#options.env };
  }

  /**
   * Runs it to its end: `run('get pods -o wide')`. Rejects with kubectl's words on failure unless `check: false`. A limit
   * among its words ends it before `timeoutMs` (default 60,000) does: it then says what it has waited for.
   */
  run(
    args: string | readonly string[],
    { timeoutMs = 60_000, ...options }: { input?: string; check?: boolean; timeoutMs?: number } = {},
  ): Promise<RunResult> {
    const argv = this.#argv(args);
    const ownSeconds = Number(
      /^--timeout=(\d+)s$/.exec(argv.find((word) => word.startsWith('--timeout=')) ?? '')?.[1] ?? 0,
    );
    const limitMs = Math.max(timeoutMs, ownSeconds * 1_000 + 10_000);
    return this.#host.exec(argv, { ...options, timeoutMs: limitMs, env: this.#env });
  }

  /** The same behind words of another program, `env A=b`; resolves with what it prints. */
  async runWith(before: readonly string[], args: string | readonly string[]): Promise<string> {
    return (await this.#host.exec([...before, ...this.#argv(args)], { env: this.#env })).stdout;
  }

  /** What it prints, without the last line's end. */
  async text(args: string | readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<string> {
    return (await this.run(args, options)).stdout.trimEnd();
  }

  /** `json('get pod web')` gives the object. */
  async json<T = any>(args: string | readonly string[]): Promise<T> {
    const words = typeof args === 'string' ? args.split(' ').filter((word) => word !== '') : args;
    return JSON.parse((await this.run([...words, '--output=json'])).stdout) as T;
  }

  /** Applies objects or YAML. */
  apply(manifest: string | object | readonly object[]): Promise<RunResult> {
    const objects = Array.isArray(manifest) ? { apiVersion: 'v1', kind: 'List', items: manifest } : manifest;
    const input = typeof objects === 'string' ? objects : JSON.stringify(objects);
    return this.run(['apply', '--filename=-'], { input });
  }

  /**
   * Starts one that believes a person sits at a terminal of 33 rows and 99 columns: `exec -it`. What is written to its
   * `stdin` is typed; the key at a line's end is `\r`.
   */
  spawnInTerminal(args: string | readonly string[]): RunningProgram {
    const quoted = this.#argv(args).map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const words = [
      'script',
      '--quiet',
      '--return',
      '--command',
      `stty rows 33 cols 99; exec ${quoted.join(' ')}`,
      '/dev/null',
    ];
    return this.#host.spawn(words, { stdin: true, env: { ...this.#env, TERM: 'dumb' } });
  }

  /** Starts one that stays: `port-forward`, `logs -f`, `get -w`. */
  spawn(args: string | readonly string[], options: { stdin?: boolean } = {}): RunningProgram {
    return this.#host.spawn(this.#argv(args), { ...options, env: this.#env });
  }
}
