import { createHash } from 'node:crypto';
import { pauseProgram } from './pause.ts';

/** What our containerd makes pods' sandboxes of. Made here and never pulled: the name leads to no registry. */
export const PAUSE_IMAGE = 'localhost/tutti/pause:1';

/**
 * The sandbox image as an archive in the OCI image layout, for `ctr images import`: one layer with one static program of
 * a few hundred bytes. `architecture`: as Node names it. The same bytes every time.
 */
export function pauseImageArchive(architecture: string = process.arch): Buffer {
  const layer = tar([['pause', pauseProgram(architecture), 0o755]]);
  const platform = { os: 'linux', architecture: architecture === 'x64' ? 'amd64' : architecture };
  const config = json({
    ...platform,
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        platform,
        annotations: { 'io.containerd.image.name': PAUSE_IMAGE, 'org.opencontainers.image.ref.name': '1' },
      },
    ],
  });
  return tar([
    ['oci-layout', json({ imageLayoutVersion: '1.0.0' }), 0o644],
    ['index.json', index, 0o644],
    ...[layer, config, manifest].map((blob): TarFile => [`blobs/${digestOf(blob).replace(':', '/')}`, blob, 0o644]),
  ]);
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const digestOf = (blob: Buffer): string => `sha256:${createHash('sha256').update(blob).digest('hex')}`;
const descriptor = (mediaType: string, blob: Buffer) => ({ mediaType, digest: digestOf(blob), size: blob.length });

type TarFile = readonly [path: string, content: Buffer, mode: number];

const BLOCK_BYTES = 512;

/** A POSIX ustar archive of files with short names, all of root and of the first second of 1970. */
function tar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(([path, content, mode]) => {
    const header = Buffer.alloc(BLOCK_BYTES);
    const octal = (value: number, at: number, length: number) =>
      header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
    header.write(path, 0, 100, 'latin1');
    octal(mode, 100, 8);
    for (const at of [108, 116]) octal(0, at, 8);
    octal(content.length, 124, 12);
    octal(0, 136, 12);
    header.write('        0', 148, 'latin1');
    header.write('ustar\x0000', 257, 'latin1');
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    );
    return [header, content, Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}
