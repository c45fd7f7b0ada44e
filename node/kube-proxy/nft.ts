import { type Clock, withTimeout } from '../../libs/base/clock.ts';
import type { ChildProcess, Host } from '../../libs/base/host.ts';

/** nft said no; the message has its first words. */
export class NftError extends Error {
  constructor(stderr: string, code?: number) {
    const words = stderr.trim().split('\n').slice(0, 3).join(' ');
    super(code === undefined ? `nft refused: ${words}` : `nft ended with ${code}: ${words}`);
    this.name = 'NftError';
  }
}

/** What is longer goes through a process of its own, which reads it as a file. */
const LINE_CHARACTERS_MAX = 32_768;
const ANSWER_MS = 10_000;
const STDERR_MAX = 65_536;

/**
 * Runs transactions in the kernel: each is done as a whole or not at all.
 *
 * An nft of its own for each has to learn first what the kernel has, which takes the longer the more there is: 25 ms
 * where there are a thousand Services. So small transactions are lines to one nft that stays (`nft -i`) and knows already;
 * they take 6 ms. It says nothing when a line has been done: each is followed by a word that is no command, and the
 * complaint about that word is the answer. Large transactions, and all where such an nft does not answer, go through
 * `nft -f -`.
 */
export class Nft implements AsyncDisposable {
  readonly #host: Host;
  readonly #clock: Clock;
  #session: Session | undefined;
  #sessions = true;
  #count = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(host: Host, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** One transaction after the other. Rejects with `NftError`, or `ENOENT` where there is no nft. */
  run(input: string): Promise<void> {
    const next = this.#last.then(() => this.#run(input));
    this.#last = next.catch(() => {});
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sessions = false;
    await this.#last;
    await this.#session?.process[Symbol.asyncDispose]();
    this.#session = undefined;
  }

  async #run(input: string): Promise<void> {
    using _held = this.#clock.hold('nft');
    const line = this.#sessions ? lineOf(input) : undefined;
    if (line === undefined) return this.#asFile(input);
    this.#session ??= this.#begin();
    const session = this.#session;
    const marker = `tutti-done-${++this.#count}`;
    let said: string;
    try {
      said = await this.#ask(session, `${line}\n${marker}\n`, marker);
    } catch (error) {
      // It has died, or speaks otherwise than we know: whether the line was done nobody can say.
      this.#session = undefined;
      await session.process[Symbol.asyncDispose]();
      throw error;
    }
    if (said !== '') throw new NftError(said);
  }

  async #asFile(input: string): Promise<void> {
    const { code, stderr } = await this.#host.processes.run('nft', ['-f', '-'], { input });
    if (code !== 0) throw new NftError(stderr, code);
  }

  #begin(): Session {
    // Without a home it keeps no history of what it was told.
    const process = this.#host.processes.spawn('nft', ['-i'], { env: { HOME: '/nonexistent' } });
    const session: Session = { process, text: '', heard: () => {} };
    process.stdout.resume();
    process.stdin.on('error', () => session.heard());
    process.stderr.on('data', (data: Uint8Array) => {
      session.text = (session.text + new TextDecoder().decode(data)).slice(-STDERR_MAX);
      session.heard();
    });
    void process.exited.then(() => {
      session.ended = true;
      session.heard();
    });
    return session;
  }

  /** What it said before it complained about the marker; '' for nothing. */
  async #ask(session: Session, text: string, marker: string): Promise<string> {
    session.text = '';
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    using deadline = withTimeout(this.#clock, ANSWER_MS);
    const give = () => reject(new NftError(`no answer within ${ANSWER_MS} ms`));
    deadline.signal.addEventListener('abort', give, { once: true });
    session.heard = () => {
      const at = session.text.indexOf(marker);
      // Below the marker it draws an arrow, which belongs to this answer too.
      if (at >= 0 && session.text.slice(at).split('\n').length > 2)
        resolve(session.text.slice(0, session.text.lastIndexOf('Error:', at)).trim());
      else if (session.ended) reject(new NftError(`nft has ended: ${session.text}`));
    };
    session.process.stdin.write(text);
    session.heard();
    try {
      return await promise;
    } finally {
      session.heard = () => {};
    }
  }
}

interface Session {
  readonly process: ChildProcess;
  text: string;
  heard: () => void;
  ended?: boolean;
}

/** The transaction as one line; undefined where it is too long for one. */
function lineOf(input: string): string | undefined {
  if (input.length > LINE_CHARACTERS_MAX || input.includes('#')) return undefined;
  return input.trim().split('\n').join('; ');
}
