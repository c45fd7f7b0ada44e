import type { ServedVersion } from '../../../libs/kind/kind.ts';
import type { WatchFrame, WatchSink } from '../api.ts';
import { ObjectFrame } from '../cache/frames.ts';
import type { ConvertedFields } from './converted-fields.ts';

/** How many events may wait for the webhook; a reader further behind has to begin anew. */
const WAITING_MAX = 1000;

/**
 * Before events of converted resources go to their reader, in their order, the webhook is asked. Where it fails the watch
 * ends, and the reader begins anew. `fields`: only objects that match them are for the reader.
 */
export function convertingSink(
  sink: WatchSink,
  prepare: NonNullable<ServedVersion['prepare']>,
  signal: AbortSignal,
  fields?: ConvertedFields,
): WatchSink {
  let waiting = 0;
  let over = false;
  let last: Promise<void> = Promise.resolve();
  const end = () => {
    if (over) return;
    over = true;
    sink.end();
  };
  const pass = async (told: WatchFrame) => {
    if (over) return;
    const frame = fields && told instanceof ObjectFrame ? await selected(told, fields, signal) : told;
    const { object, form } = frame instanceof ObjectFrame ? frame : {};
    // Metadata is the same in every version.
    const held =
      object && form?.as !== 'metadata' && !object.isIn(form?.apiVersion ?? '') ? object.object() : undefined;
    if (held) await prepare.fromStorage([held], signal);
    waiting--;
    if (frame && !sink.event(frame)) end();
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

/** What an event is to a reader who wants only objects with those fields; undefined: nothing. */
async function selected(
  frame: ObjectFrame,
  fields: ConvertedFields,
  signal: AbortSignal,
): Promise<ObjectFrame | undefined> {
  const { event, object, type, form } = frame;
  const matches = async (one = object) => (await fields.matching([one], signal)).length > 0;
  if (!event) return (await matches()) ? frame : undefined;
  const before = type !== 'ADDED' && (await matches(event.previous));
  const after = type !== 'DELETED' && (await matches());
  const now = event.typeFor(before, after);
  return now === type ? frame : now && event.frame(form, now);
}
