import type { Files, Host } from '../../libs/base/host.ts';
import type { Keys } from '../../libs/base/keys.ts';

export interface FoundCertificate {
  /** `apiserver`, as its file is called. */
  readonly name: string;
  readonly notAfterMs: number;
  readonly isAuthority: boolean;
}

/** The certificates of a data folder, those that end first before others. Files that are none are left out. */
export async function certificatesOf(files: Files, keys: Keys, dataDir: string): Promise<FoundCertificate[]> {
  const folder = `${dataDir}/pki`;
  const names = await files.list(folder).catch((): string[] => []);
  const found: FoundCertificate[] = [];
  for (const file of names.filter((name) => name.endsWith('.crt') || name.endsWith('-current.pem'))) {
    try {
      const { notAfterMs, isCertificateAuthority } = keys.parseCertificate(await files.readText(`${folder}/${file}`));
      found.push({ name: file.replace(/(\.crt|-current\.pem)$/, ''), notAfterMs, isAuthority: isCertificateAuthority });
    } catch {
      // Half a file of a start that was killed: the next one makes it anew.
    }
  }
  return found.sort((a, b) => a.notAfterMs - b.notAfterMs || (a.name < b.name ? -1 : 1));
}

/** The bytes that files or folders take on disk, without what is mounted in them; 0 where they are not there. */
export async function bytesOf({ processes }: Pick<Host, 'processes'>, paths: readonly string[]): Promise<number> {
  const { stdout } = await processes.run('du', ['-skx', ...paths]).catch(() => ({ stdout: '' }));
  return [...stdout.matchAll(/^(\d+)\s/gm)].reduce((sum, [, kibibytes]) => sum + Number(kibibytes) * 1024, 0);
}
