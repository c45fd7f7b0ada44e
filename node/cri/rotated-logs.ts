import type { Files, OpenFile } from '../../libs/base/host.ts';

/**
 * The files that a container's log was moved to as it grew, beside the one that is written to:
 *
 *     0.log                        the newest lines
 *     0.log.20260101-000002        what was moved aside last, as somebody may still read it
 *     0.log.20260101-000001.gz     what was before
 */
export interface RotatedLog {
  /** Without the end that says that it is compressed; sorts by time. */
  readonly name: string;
  readonly path: string;
  readonly compressed: boolean;
}

export const COMPRESSED = '.gz';
/** What a compressed file is called until it is whole. */
export const UNFINISHED = '.tmp';

const CHUNK_BYTES = 256 * 1024;

/** Those of the log at `path`, the oldest first. */
export async function rotatedLogs(files: Pick<Files, 'list'>, path: string): Promise<RotatedLog[]> {
  const slash = path.lastIndexOf('/');
  const [folder, file] = [path.slice(0, slash), path.slice(slash + 1)];
  const names = (await files.list(folder)).filter((name) => name.startsWith(`${file}.`) && !name.endsWith(UNFINISHED));
  const all = new Map<string, RotatedLog>();
  for (const whole of names) {
    const compressed = whole.endsWith(COMPRESSED);
    const name = compressed ? whole.slice(0, -COMPRESSED.length) : whole;
    // For a moment there are both, and each is all of it.
    if (!all.has(name)) all.set(name, { name, path: `${folder}/${whole}`, compressed });
  }
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The bytes of a file from its start, read by demand. */
export function contentOf(file: Pick<OpenFile, 'readAt'>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const chunk = await file.readAt(position, CHUNK_BYTES);
        position += chunk.length;
        if (chunk.length > 0) controller.enqueue(new Uint8Array(chunk));
        else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
