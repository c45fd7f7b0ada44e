import { StoreError } from '../control-plane/store/store.ts';
import { PkiError } from '../libs/pki/cluster-pki.ts';

/** Something that the user can mend: told in one sentence, without a stack. */
export class CommandError extends Error {
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Turns what can go wrong at a start into a sentence with its cause and its cure; other errors stay as they are. */
export function explainStartError(
  error: unknown,
  where: { dataDir: string; port: number; listenHost: string; store?: string },
): unknown {
  if (error instanceof StoreError && error.reason === 'wrong format') {
    return new CommandError(`${sentence(error.message)}; use that version, or another --data-dir.`);
  }
  if (error instanceof StoreError && error.reason === 'no space') return new CommandError(fullDisk(where.dataDir));
  if (error instanceof StoreError && error.reason === 'unavailable' && where.store?.startsWith('etcd:')) {
    const why = /\b(?:E[A-Z]{4,}|timed out)\b/.exec(error.message)?.[0];
    return new CommandError(
      `No etcd answers at ${where.store}${why ? ` (${why})` : ''}; start it, or look at --store and --etcd-cafile.`,
    );
  }
  if (error instanceof StoreError || error instanceof PkiError) return new CommandError(`${sentence(error.message)}.`);
  if (error instanceof Error && error.name === 'NftError') {
    return new CommandError(
      `The kernel's nftables cannot be used (${error.message}); load the module nf_tables, or leave kube-proxy out with --only.`,
    );
  }
  const code = (error as { code?: string }).code;
  const { dataDir, port, listenHost } = where;
  switch (code) {
    case 'EADDRINUSE':
      return new CommandError(
        `Port ${port} on ${listenHost} is in use by another program; stop that one or give another --port.`,
      );
    case 'EADDRNOTAVAIL':
      return new CommandError(`${listenHost} is no address of this machine; give one of its own with --listen.`);
    case 'EACCES':
    case 'EPERM':
      return new CommandError(
        `This user may not write to ${dataDir} or listen on port ${port}; choose others with --data-dir and --port.`,
      );
    case 'EEXIST':
    case 'ENOTDIR':
      return new CommandError(`${dataDir} cannot be a folder, as a file is in its way; choose another --data-dir.`);
    case 'ENOSPC':
      return new CommandError(fullDisk(dataDir));
    case 'EROFS':
      return new CommandError(`${dataDir} is on a read-only file system; choose another --data-dir.`);
    default:
      return error;
  }
}

const fullDisk = (dataDir: string): string =>
  `The disk that holds ${dataDir} is full; free some space or choose another --data-dir.`;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}`;
