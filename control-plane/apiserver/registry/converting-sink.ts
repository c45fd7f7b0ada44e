import type { ServedVersion } from '../../../libs/kind/kind.ts';
import type { WatchFrame, WatchSink } from '../api.ts';
import { ObjectFrame } from '../cache/frames.ts';

/** How many events may wait for the webhook; a reader further behind has to begin anew. */
const WAITING_MAX = 1000;

/**
 * Before events of converted resources go to their reader, in their order, the webhook is asked. Where it fails the watch
 * ends, and the reader begins anew.
 */
export function convertingSink(
  sink: WatchSink,
  prepare: NonNullable<ServedVersion['prepare']>,
  signal: AbortSignal,
): WatchSink {
  let waiting = 0;
  let over = false;
  let last: Promise<void> = Promise.resolve();
  const end = () => {
    if (over) return;
    over = true;
    sink.end();
  };
  const pass = async (frame: WatchFrame) => {
    if (over) return;
    const held = frame instanceof ObjectFrame ? frame.object.object() : undefined;
    if (held) await prepare.fromStorage([held], signal);
    waiting--;
    if (!sink.event(frame)) end();
  };
  return {
    event(frame) {
      if (over || waiting >= WAITING_MAX) return false;
      waiting++;
      last = last.then(() => pass(frame)).catch(end);
      return true;
    },
    ...(sink.room ? { room: () => sink.room?.() } : {}),
    end: () => void last.then(end),
  };
}
