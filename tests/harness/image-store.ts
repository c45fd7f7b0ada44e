import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TarEntry, tar } from './tar.ts';

/** What a manifest says of a blob (OCI image specification). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** The `config` part of an OCI image configuration, as far as tests use it. */
export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
}

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
const CREATED = '2020-01-01T00:00:00Z';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/**
 * A folder of OCI blobs and of names for them, which any number of processes may read and write at once: a file appears
 * whole or not at all, and what has a name is never removed.
 *
 *     blobs/<sha256>    layers, configurations, manifests
 *     layers/<key>      the descriptor of a layer made from these inputs
 *     tags/<name:tag>   the manifest's digest; names are without host and without `library/`
 */
export class ImageStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    for (const name of ['blobs', 'layers', 'tags']) mkdirSync(join(folder, name), { recursive: true });
  }

  blobPath(digest: string): string {
    return join(this.folder, 'blobs', digest.replace(/^sha256:/, ''));
  }

  #writeWhole(path: string, data: string | Uint8Array): void {
    const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
    writeFileSync(temporary, data);
    renameSync(temporary, path);
  }

  #putJson(mediaType: string, value: unknown): Descriptor {
    const data = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    if (!existsSync(this.blobPath(digest))) this.#writeWhole(this.blobPath(digest), data);
    return { mediaType, digest, size: data.length };
  }

  #layerMemo(key: string): string {
    return join(this.folder, 'layers', createHash('sha256').update(key).digest('hex'));
  }

  /** The layer that was put under this key, or undefined. */
  findLayer(key: string): Descriptor | undefined {
    const memo = this.#layerMemo(key);
    if (!existsSync(memo)) return undefined;
    const layer = JSON.parse(readFileSync(memo, 'utf8')) as Descriptor;
    return this.size(layer.digest) === layer.size ? layer : undefined;
  }

  /** Makes a layer of those entries; `key`, which must change when they do, is for `findLayer`. */
  putLayer(entries: ReadonlyMap<string, TarEntry>, key?: string): Descriptor {
    const temporary = join(this.folder, 'blobs', `${randomBytes(6).toString('hex')}.new`);
    const hash = createHash('sha256');
    let size = 0;
    const open = openSync(temporary, 'w');
    try {
      for (const piece of tar(entries)) {
        hash.update(piece);
        size += piece.length;
        for (let written = 0; written < piece.length; ) written += writeSync(open, piece, written);
      }
    } catch (error) {
      rmSync(temporary);
      throw error;
    } finally {
      closeSync(open);
    }
    const descriptor = { mediaType: LAYER_TYPE, digest: `sha256:${hash.digest('hex')}`, size };
    renameSync(temporary, this.blobPath(descriptor.digest));
    if (key !== undefined) this.#writeWhole(this.#layerMemo(key), JSON.stringify(descriptor));
    return descriptor;
  }

  /** Makes an image of layers and gives it names such as `kubia` or `test/behave:v1`; returns its manifest's descriptor. */
  image(names: readonly string[], layers: readonly Descriptor[], config: ImageConfig = {}): Descriptor {
    const configuration = this.#putJson(CONFIG_TYPE, {
      created: CREATED,
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      os: 'linux',
      // The first name makes two images of equal parts two images, as they are with real registries.
      config: {
        ...config,
        Env: [PATH, ...(config.Env ?? [])],
        Labels: { 'tutti.test/name': names[0], ...config.Labels },
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
      history: layers.map(() => ({ created: CREATED, created_by: 'tests/harness' })),
    });
    const manifest = this.#putJson(MANIFEST_TYPE, {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: configuration,
      layers,
    });
    for (const name of names) this.tag(name, manifest.digest);
    return manifest;
  }

  tag(name: string, digest: string): void {
    const path = this.#tagPath(name);
    if (existsSync(path) && readFileSync(path, 'utf8') === digest) return;
    this.#writeWhole(path, digest);
  }

  untag(name: string): void {
    rmSync(this.#tagPath(name), { force: true });
  }

  /** The digest of the manifest of that name, or undefined. */
  resolve(name: string): string | undefined {
    try {
      return readFileSync(this.#tagPath(name), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** All names, `kubia:latest`. */
  names(): string[] {
    return readdirSync(join(this.folder, 'tags'))
      .filter((name) => !name.endsWith('.new'))
      .map((name) => decodeURIComponent(name))
      .sort();
  }

  /** The manifest of a digest; throws where there is none. */
  manifest(digest: string): {
    readonly mediaType: string;
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  } {
    return JSON.parse(readFileSync(this.blobPath(digest), 'utf8'));
  }

  size(digest: string): number | undefined {
    return statSync(this.blobPath(digest), { throwIfNoEntry: false })?.size;
  }

  #tagPath(name: string): string {
    const bare = name.replace(/^library\//, '');
    const tagged = /:[^/]+$/.test(bare) ? bare : `${bare}:latest`;
    return join(this.folder, 'tags', encodeURIComponent(tagged));
  }
}
