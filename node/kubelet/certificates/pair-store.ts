import { formatTime } from '../../../libs/base/clock.ts';
import type { Files } from '../../../libs/base/host.ts';
import type { Keys, ParsedCertificate } from '../../../libs/base/keys.ts';

/** A certificate with its key. `parsed` is what the first certificate of the PEM says. */
export interface CertificatePair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly parsed: ParsedCertificate;
}

export interface PairStoreOptions {
  readonly files: Files;
  readonly keys: Keys;
  /** `/var/lib/kubelet/pki`. */
  readonly folder: string;
  /** `kubelet-client`, `kubelet-server`. */
  readonly name: string;
}

const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END (?:[A-Z]+ )?PRIVATE KEY-----\n?/;

/**
 * A certificate and its key on disk, laid out as upstream's kubelet does it: `<name>-<time>.pem` has both, and
 * `<name>-current.pem` is a link to the one that counts, which changes at once or not at all. Of those before it one is
 * kept. `<name>.key.tmp` is the key of a request that nobody has answered yet: after a crash the same request goes on.
 */
export class PairStore {
  readonly #options: PairStoreOptions;

  constructor(options: PairStoreOptions) {
    this.#options = options;
  }

  get currentPath(): string {
    return `${this.#options.folder}/${this.#options.name}-current.pem`;
  }

  /** Undefined where there is none, or none that is a certificate with its own key. */
  async read(): Promise<CertificatePair | undefined> {
    const { files, keys } = this.#options;
    const text = await files.readTextIfExists(this.currentPath);
    const privateKeyPem = text === undefined ? undefined : PRIVATE_KEY.exec(text)?.[0];
    if (text === undefined || privateKeyPem === undefined) return undefined;
    try {
      return pairOf(keys, text.replace(PRIVATE_KEY, ''), privateKeyPem);
    } catch {
      return undefined;
    }
  }

  /** Durable when it resolves. */
  async write(pair: CertificatePair, nowMs: number): Promise<void> {
    const { files, folder, name } = this.#options;
    await files.makeDirectory(folder, { mode: 0o700 });
    const stamp = formatTime(nowMs).slice(0, 19).replaceAll(':', '-').replace('T', '-');
    const file = `${name}-${stamp}.pem`;
    await files.write(`${folder}/${file}`, `${withNewline(pair.certificatePem)}${withNewline(pair.privateKeyPem)}`);
    const next = `${this.currentPath}.next`;
    await files.remove(next);
    await files.symlink(file, next);
    await files.rename(next, this.currentPath);
    await files.remove(this.#pendingPath);
    const old = (await files.list(folder)).filter(
      (one) => one.startsWith(`${name}-`) && /-\d{4}(?:-\d\d){5}\.pem$/.test(one) && one !== file,
    );
    for (const one of old.sort().slice(0, -1)) await files.remove(`${folder}/${one}`);
  }

  /** The key of the request that is under way; made, and kept, where there is none. In PEM. */
  async pendingKey(): Promise<string> {
    const { files, keys, folder, name } = this.#options;
    const known = await files.readTextIfExists(this.#pendingPath);
    if (known !== undefined) {
      try {
        return keys.importKey(known).privateKeyPem();
      } catch {
        // A crash left half of it, or something else has it: a new one is as good.
      }
    }
    await files.makeDirectory(folder, { mode: 0o700 });
    const pem = (await keys.generateKey(name)).privateKeyPem();
    await files.write(this.#pendingPath, pem, { mode: 0o600 });
    return pem;
  }

  /** The next request begins with a new key. */
  async forgetPendingKey(): Promise<void> {
    await this.#options.files.remove(this.#pendingPath);
  }

  get #pendingPath(): string {
    return `${this.#options.folder}/${this.#options.name}.key.tmp`;
  }
}

/** Throws `KeyError` where the two do not belong together. */
export function pairOf(keys: Keys, certificatePem: string, privateKeyPem: string): CertificatePair {
  const parsed = keys.parseCertificate(certificatePem);
  const key = keys.importKey(privateKeyPem);
  if (keys.importPublicKey(certificatePem).keyId !== key.keyId) {
    throw new Error('the certificate is not for this key');
  }
  return { certificatePem, privateKeyPem, parsed };
}

const withNewline = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`);
