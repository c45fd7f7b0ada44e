import { Backoff } from '../../../libs/base/backoff.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Files } from '../../../libs/base/host.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Client } from '../../../libs/kind/client.ts';
import { type CertificatePair, PairStore, pairOf } from './pair-store.ts';
import { type CertificatePurpose, planCertificate, type WantedCertificate } from './plan.ts';
import { RequestRefusedError, requestCertificate } from './signing-request.ts';

export interface CertificateRotationOptions {
  readonly purpose: CertificatePurpose;
  /**
   * Who asks: while there is no certificate (`undefined`), or only one that is out of date, a client with the bootstrap
   * token; later a client that shows the certificate itself.
   */
  readonly client: (held: CertificatePair | undefined) => Client;
  /** What to ask for now; undefined while nobody knows. */
  readonly wanted: () => WantedCertificate | undefined;
  readonly files: Files;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** `/var/lib/kubelet/pki`. */
  readonly folder: string;
  /** How long it should be good for; the signer may make it shorter. Default: the signer's choice. */
  readonly expirationSeconds?: number;
}

const FILE_NAMES = { client: 'kubelet-client', serving: 'kubelet-server' } as const;
const TIMEOUT_MS = 15 * 60_000;
const BACKOFF = { firstMs: 2_000, maxMs: 60_000, jitter: 0.1 } as const;
/** The wall clock may be set: the time of renewal is looked at so often. */
const LOOK_MS = 60_000;

/**
 * One certificate of a node, from its first request through all its renewals: kept on disk, asked for in time, handed to
 * who uses it. What is held stays in use while a new one is waited for, and also after a refusal.
 *
 *     const rotation = new CertificateRotation({ purpose: 'client', client: (held) => held ? own : bootstrap, … });
 *     await rotation.start();
 *     await rotation.obtained(signal);
 *     const transport = httpsTransport({ …, certificate: () => rotation.current });
 */
export class CertificateRotation {
  readonly #options: CertificateRotationOptions;
  readonly #store: PairStore;
  readonly #backoff: Backoff;
  readonly #handlers = new Set<(pair: CertificatePair) => void>();
  readonly #stopped = new AbortController();
  #current: CertificatePair | undefined;
  #share = 0;
  #timer: Timer | undefined;
  #asking: Promise<void> | undefined;
  #again = false;

  constructor(options: CertificateRotationOptions) {
    const { files, keys, folder, purpose, random } = options;
    this.#options = options;
    this.#store = new PairStore({ files, keys, folder, name: FILE_NAMES[purpose] });
    this.#backoff = new Backoff({ ...BACKOFF, random });
  }

  get current(): CertificatePair | undefined {
    return this.#current;
  }

  /** Where certificate and key are, in one PEM file: what a kubeconfig may name. */
  get currentPath(): string {
    return this.#store.currentPath;
  }

  /** Takes up what is on disk and begins to look after it. Rejects when the disk cannot be read. */
  async start(): Promise<void> {
    const held = await this.#store.read();
    if (held) this.#hold(held);
    this.poke();
  }

  /** Calls `changed` with every new certificate. */
  on(changed: (pair: CertificatePair) => void): Disposable {
    this.#handlers.add(changed);
    return { [Symbol.dispose]: () => void this.#handlers.delete(changed) };
  }

  /** Resolves with a certificate that is good now, as soon as there is one. */
  obtained(signal?: AbortSignal): Promise<CertificatePair> {
    const { clock } = this.#options;
    if (this.#current && clock.now() < this.#current.parsed.notAfterMs) return Promise.resolve(this.#current);
    const { promise, resolve, reject } = Promise.withResolvers<CertificatePair>();
    const handler = this.on(resolve);
    const give = () => reject(signal?.aborted ? signal.reason : this.#stopped.signal.reason);
    signal?.addEventListener('abort', give, { once: true });
    this.#stopped.signal.addEventListener('abort', give, { once: true });
    if (signal?.aborted || this.#stopped.signal.aborted) give();
    return promise.finally(() => {
      handler[Symbol.dispose]();
      signal?.removeEventListener('abort', give);
      this.#stopped.signal.removeEventListener('abort', give);
    });
  }

  /** What is wanted may have changed, as a node's addresses do: looks at once. */
  poke(): void {
    if (this.#stopped.signal.aborted) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    const { clock, wanted } = this.#options;
    const action = planCertificate({
      held: this.#current?.parsed,
      wanted: wanted(),
      nowMs: clock.now(),
      share: this.#share,
    });
    if (action.type === 'request') {
      this.#asking = this.#ask(action.why).finally(() => {
        this.#asking = undefined;
        const failed = this.#backoff.failures > 0 && !this.#again;
        this.#again = false;
        if (this.#stopped.signal.aborted) return;
        if (!failed) return this.poke();
      });
      return;
    }
    const delayMs = action.type === 'keep' ? Math.min(LOOK_MS, action.renewAtMs - clock.now()) : LOOK_MS;
    this.#timer = clock.setTimer(() => this.poke(), delayMs);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the kubelet stops'));
    this.#timer?.cancel();
    await this.#asking;
  }

  #hold(pair: CertificatePair): void {
    this.#current = pair;
    this.#share = this.#options.random.next();
  }

  async #ask(why: string): Promise<void> {
    const { clock, keys, log, purpose, client, wanted, expirationSeconds } = this.#options;
    const what = wanted();
    if (!what) return;
    const { signal } = this.#stopped;
    const held = this.#current && clock.now() < this.#current.parsed.notAfterMs ? this.#current : undefined;
    try {
      const privateKeyPem = await this.#store.pendingKey();
      const certificatePem = await requestCertificate(
        { client: client(held), clock, keys },
        {
          purpose,
          wanted: what,
          privateKeyPem,
          timeoutMs: TIMEOUT_MS,
          signal,
          ...(expirationSeconds !== undefined && { expirationSeconds }),
        },
      );
      const pair = usable(() => pairOf(keys, certificatePem, privateKeyPem));
      // One that would be asked for again at once is not what was asked for.
      const after = planCertificate({ held: pair.parsed, wanted: what, nowMs: clock.now(), share: 0 });
      if (after.type === 'request')
        throw new UnusableError(`the certificate that was issued is of no use: ${after.why}`);
      await this.#store.write(pair, clock.now());
      this.#hold(pair);
      this.#backoff.reset();
      log.info('a certificate was issued', { purpose, why, until: new Date(pair.parsed.notAfterMs).toISOString() });
      for (const handler of this.#handlers) handler(pair);
    } catch (error) {
      if (signal.aborted) return;
      // Asked again with the same key, the answer would be the same request's.
      const final = error instanceof RequestRefusedError || error instanceof UnusableError;
      if (final || (error as Error).name === 'TimeoutError') await this.#store.forgetPendingKey();
      const delayMs = this.#backoff.next();
      log.warn('a certificate could not be obtained', { purpose, why, againInMs: Math.round(delayMs), error });
      this.#timer = clock.setTimer(() => this.poke(), delayMs);
    }
  }
}

class UnusableError extends Error {}

function usable(read: () => CertificatePair): CertificatePair {
  try {
    return read();
  } catch (error) {
    throw new UnusableError((error as Error).message, { cause: error });
  }
}
