import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket as Datagrams } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { AgentAnswer, AgentRequest } from './agent.ts';

type Handle = Socket | Server | Datagrams | undefined;
type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;

interface Enterable {
  enter(argv: readonly string[]): string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The test's half of agent.ts: asks for sockets inside a host. */
export class SocketAgent {
  readonly #host: Enterable;
  readonly #waiting = new Map<number, { resolve(handle: Handle): void; reject(error: Error): void }>();
  #child: Promise<ChildProcess> | undefined;
  readonly #open = new Set<Socket | Server | Datagrams>();
  #lastId = 0;

  constructor(host: Enterable) {
    this.#host = host;
  }

  async connect(port: number, address: string, timeoutMs = 5_000): Promise<Socket> {
    return this.#keep((await this.#ask({ make: 'connection', port, address, timeoutMs })) as Socket);
  }

  async listen(port: number, address: string): Promise<Server> {
    return this.#keep((await this.#ask({ make: 'listener', port, address })) as Server);
  }

  async datagrams(port: number, address: string): Promise<Datagrams> {
    return this.#keep((await this.#ask({ make: 'datagrams', port, address })) as Datagrams);
  }

  #keep<T extends Socket | Server | Datagrams>(one: T): T {
    this.#open.add(one);
    one.once('close', () => this.#open.delete(one));
    return one;
  }

  async #ask(request: Unnumbered<AgentRequest>): Promise<Handle> {
    const child = await (this.#child ??= this.#start());
    const id = ++this.#lastId;
    return new Promise<Handle>((resolve, reject) => {
      // The channel alone does not keep the test alive; an open question does.
      if (this.#waiting.size === 0) child.channel?.ref();
      this.#waiting.set(id, { resolve, reject });
      child.send({ id, ...request } as AgentRequest, (error) => {
        if (error !== null && error !== undefined) this.#settle(id)?.reject(error);
      });
    });
  }

  #settle(id: number): { resolve(handle: Handle): void; reject(error: Error): void } | undefined {
    const one = this.#waiting.get(id);
    this.#waiting.delete(id);
    return one;
  }

  #start(): Promise<ChildProcess> {
    return new Promise((resolve, reject) => {
      const [program, ...args] = this.#host.enter([process.execPath, join(import.meta.dirname, 'agent.ts')]);
      const env: NodeJS.ProcessEnv = { ...process.env, ...this.#host.env };
      delete env.NODE_TEST_CONTEXT;
      const child = spawn(program!, args, {
        cwd: '/',
        env,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        detached: true,
      });
      child.unref();
      child.on('error', reject);
      child.on('message', (message, handle) => {
        const answer = message as AgentAnswer;
        if (answer.id === 0) {
          resolve(child);
          return;
        }
        const asked = this.#settle(answer.id);
        if (this.#waiting.size === 0) child.channel?.unref();
        if (answer.error !== undefined)
          asked?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
        else asked?.resolve(handle as Handle);
      });
      child.on('exit', (code, signal) => {
        this.#child = undefined;
        const error = new Error(`the host's socket agent ended: ${signal ?? code}`);
        reject(error);
        for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error);
      });
    });
  }

  /** Ends the agent and closes every socket it made, so that a test that forgot one still ends. */
  dispose(): void {
    for (const one of this.#open) {
      if ('destroy' in one) one.destroy();
      else one.close();
    }
    void this.#child?.then(
      (child) => child.disconnect(),
      () => {},
    );
    this.#child = undefined;
  }
}
