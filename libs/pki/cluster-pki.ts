import { type Clock, formatTime } from '../base/clock.ts';
import type { Files } from '../base/host.ts';
import type { Issuer, KeyPair, Keys, ParsedCertificate } from '../base/keys.ts';
import { type LeafNames, type LeafSpec, leafSpecs } from './layout.ts';
import { renewAtMs, type StoredPair, whyReissue, whyRenew } from './renewal.ts';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
/** Certificates start this much in the past, for peers whose clocks are behind. */
const BACKDATE_MS = 5 * 60_000;

export interface ClusterPkiOptions extends LeafNames {
  /** The files are in `<dir>/pki`. */
  readonly dir: string;
  /** The authority's common name, at its making. Default `kubernetes`. */
  readonly clusterName?: string;
}

/** A certificate, with the key that it is for. */
export type Credential = Issuer;

/** One thing that was made or renewed: `{ name: 'apiserver', why: 'it lacks 10.0.0.7' }`. */
export interface PkiChange {
  readonly name: string;
  readonly why: string;
}

/** See `layout.ts` for what each is. */
export interface ClusterPki {
  readonly ca: Credential;
  readonly frontProxyCa: Credential;
  readonly apiserver: Credential;
  readonly apiserverKubeletClient: Credential;
  readonly frontProxyClient: Credential;
  readonly admin: Credential;
  readonly controllerManager: Credential;
  readonly scheduler: Credential;
  readonly kubeProxy: Credential;
  /** Undefined where no node name was given. */
  readonly kubelet: Credential | undefined;
  readonly serviceAccountKey: KeyPair;
  readonly changes: readonly PkiChange[];
  /** When the first of them wants to be renewed: call `ensureClusterPki` again then, and use what it gives. */
  readonly renewAtMs: number;
}

/** The credentials cannot be used or made. The message says what to do. */
export class PkiError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PkiError';
  }
}

/**
 * The cluster's credentials: reads what is in `<dir>/pki`, makes what is missing and renews what has less than 30 % of
 * its life left (leaves a year, authorities ten) or no longer says what it must. Authorities keep their key when they
 * are renewed, so what they issued stays good; leaves get new ones. Everything is durable when the promise resolves, and
 * a crash at any moment leaves what the next call completes.
 *
 * One caller at a time for a folder. Throws `PkiError` when an authority's or the service accounts' key is lost or
 * unreadable (nothing else can take its place), or when the clock is before an authority's first day; and the errors of
 * `Files`.
 *
 *     const pki = await ensureClusterPki(host.files, keys, clock, { dir, nodeName: 'node-1', names: { ip: ['10.0.0.7'] } });
 *     tls.createServer({ cert: pki.apiserver.certificatePem, key: pki.apiserver.key.privateKeyPem(), ca: pki.ca.certificatePem });
 */
export async function ensureClusterPki(
  files: Files,
  keys: Keys,
  clock: Clock,
  options: ClusterPkiOptions,
): Promise<ClusterPki> {
  const folder = `${options.dir}/pki`;
  await files.makeDirectory(folder);
  const work = new PkiFolder(files, keys, clock.now(), folder);
  const [ca, frontProxyCa, serviceAccountKey] = await Promise.all([
    work.authority('ca', options.clusterName ?? 'kubernetes'),
    work.authority('front-proxy-ca', 'front-proxy-ca'),
    work.signingKey(),
  ]);
  const issuers = { ca, 'front-proxy-ca': frontProxyCa };
  const made = await Promise.all(
    leafSpecs(options).map(async (spec) => [spec.name, await work.leaf(spec, issuers[spec.authority])] as const),
  );
  const leaves = new Map(made);
  const get = (name: string): Credential => leaves.get(name) as Credential;
  const all = [ca, frontProxyCa, ...leaves.values()];
  return {
    ca,
    frontProxyCa,
    apiserver: get('apiserver'),
    apiserverKubeletClient: get('apiserver-kubelet-client'),
    frontProxyClient: get('front-proxy-client'),
    admin: get('admin'),
    controllerManager: get('controller-manager'),
    scheduler: get('scheduler'),
    kubeProxy: get('kube-proxy'),
    kubelet: leaves.get('kubelet'),
    serviceAccountKey,
    changes: work.changes,
    renewAtMs: Math.min(...all.map(({ certificatePem }) => renewAtMs(keys.parseCertificate(certificatePem)))),
  };
}

/** The folder at one instant. Each method brings one thing up to date. */
class PkiFolder {
  readonly changes: PkiChange[] = [];
  readonly #files: Files;
  readonly #keys: Keys;
  readonly #nowMs: number;
  readonly #folder: string;

  constructor(files: Files, keys: Keys, nowMs: number, folder: string) {
    this.#files = files;
    this.#keys = keys;
    this.#nowMs = nowMs;
    this.#folder = folder;
  }

  async authority(name: string, commonName: string): Promise<Credential> {
    const stored = await this.#read(name);
    const certificate = this.#parse(name, stored.certificatePem);
    if (certificate && stored.privateKeyPem === undefined) {
      throw new PkiError(
        `${this.#path(name, 'key')} is missing: put it back from a backup, or remove ${this.#folder} to make new ` +
          'credentials for the whole cluster',
      );
    }
    if (certificate && this.#nowMs < certificate.notBeforeMs) {
      throw new PkiError(
        `${this.#path(name, 'crt')} is not valid before ${formatTime(certificate.notBeforeMs)}, and this machine's ` +
          `clock says ${formatTime(this.#nowMs)}: set the clock, or if it is right, remove that one file`,
      );
    }
    const key = await this.#ownKey(name, stored.privateKeyPem);
    if (certificate && (certificate.publicKeyPem !== key.publicKeyPem || !certificate.isCertificateAuthority)) {
      throw new PkiError(
        `${this.#path(name, 'crt')} and ${name}.key are not an authority and its key: put both back from one backup`,
      );
    }
    const why = certificate ? whyRenew(certificate, this.#nowMs) : 'it is missing';
    if (why === undefined) return { key, certificatePem: stored.certificatePem as string };
    const certificatePem = await this.#keys.issueCertificate({
      subject: certificate?.subject ?? { commonName },
      publicKey: key,
      isCertificateAuthority: true,
      usages: ['digital signature', 'key encipherment', 'cert sign', 'crl sign'],
      ...this.#life(AUTHORITY_DAYS),
    });
    await this.#write(name, 'crt', certificatePem);
    this.changes.push({ name, why });
    return { key, certificatePem };
  }

  async leaf(spec: LeafSpec, authority: Credential): Promise<Credential> {
    const { name, subject, names, usages } = spec;
    const stored = await this.#read(name);
    const why = whyReissue(this.#keys, stored, spec, authority.certificatePem, this.#nowMs);
    if (why === undefined) {
      return {
        key: this.#keys.importKey(stored.privateKeyPem as string),
        certificatePem: stored.certificatePem as string,
      };
    }
    const key = await this.#keys.generateKey(`pki ${name}`);
    const request = { subject, names, usages, publicKey: key, ...this.#life(LEAF_DAYS) };
    const certificatePem = await this.#keys.issueCertificate(request, authority);
    // Should only one of them arrive, the next start sees that they do not belong together.
    await Promise.all([this.#write(name, 'key', key.privateKeyPem()), this.#write(name, 'crt', certificatePem)]);
    this.changes.push({ name, why });
    return { key, certificatePem };
  }

  async signingKey(): Promise<KeyPair> {
    const [privateKeyPem, publicKeyPem] = await Promise.all([
      this.#files.readTextIfExists(this.#path('sa', 'key')),
      this.#files.readTextIfExists(this.#path('sa', 'pub')),
    ]);
    const key = await this.#ownKey('sa', privateKeyPem);
    if (privateKeyPem === undefined) this.changes.push({ name: 'sa', why: 'it is missing' });
    if (publicKeyPem !== key.publicKeyPem) await this.#write('sa', 'pub', key.publicKeyPem);
    return key;
  }

  /** A key that nothing can replace once it was used: read, or made and durable before anything is signed with it. */
  async #ownKey(name: string, privateKeyPem: string | undefined): Promise<KeyPair> {
    if (privateKeyPem === undefined) {
      const key = await this.#keys.generateKey(`pki ${name}`);
      await this.#write(name, 'key', key.privateKeyPem());
      return key;
    }
    try {
      return this.#keys.importKey(privateKeyPem);
    } catch (error) {
      throw new PkiError(
        `${this.#path(name, 'key')} cannot be used (${(error as Error).message}): put it back from a backup, or remove ` +
          `${this.#folder} to make new credentials for the whole cluster`,
      );
    }
  }

  #parse(name: string, certificatePem: string | undefined): ParsedCertificate | undefined {
    if (certificatePem === undefined) return undefined;
    try {
      return this.#keys.parseCertificate(certificatePem);
    } catch (error) {
      throw new PkiError(
        `${this.#path(name, 'crt')} cannot be used (${(error as Error).message}): remove that one file, and it is made ` +
          'anew from its key',
      );
    }
  }

  async #read(name: string): Promise<StoredPair> {
    const [certificatePem, privateKeyPem] = await Promise.all([
      this.#files.readTextIfExists(this.#path(name, 'crt')),
      this.#files.readTextIfExists(this.#path(name, 'key')),
    ]);
    return { certificatePem, privateKeyPem };
  }

  #write(name: string, kind: 'crt' | 'key' | 'pub', pem: string): Promise<void> {
    return this.#files.write(this.#path(name, kind), pem, { mode: 0o600 });
  }

  #path(name: string, kind: 'crt' | 'key' | 'pub'): string {
    return `${this.#folder}/${name}.${kind}`;
  }

  #life(days: number): { notBeforeMs: number; notAfterMs: number } {
    return { notBeforeMs: this.#nowMs - BACKDATE_MS, notAfterMs: this.#nowMs + days * DAY_MS };
  }
}
