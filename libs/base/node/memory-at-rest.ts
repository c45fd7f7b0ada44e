import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../clock.ts';

/** The memory of a process, and how much it has to do. */
export interface Heap {
  /** What it holds of the system, whether something is in there or not. */
  readonly sizeBytes: number;
  /** What is in there, needed or not. */
  readonly usedBytes: number;
  /** Removes what nothing refers to and gives back what that leaves empty. Nothing else runs meanwhile. */
  collect(): Promise<void>;
  /** The share of the time that the event loop was busy since it was last asked, 0 to 1. */
  busy(): number;
}

const LOOK_MS = 60_000;
/** What has given something back is looked at again so soon. */
const AGAIN_MS = 10_000;
/** Busier than that is work. */
const BUSY_AT_REST = 0.05;
/** A smaller heap is left alone: to collect takes more from a small machine than it gives. */
const SIZE_BYTES_MIN = 96 * 1024 * 1024;
/** A collection that gives back less is the last. */
const WORTH_BYTES = 16 * 1024 * 1024;
/** To collect takes about a millisecond for each of these megabytes: more of them would be felt. */
const USED_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Gives back the memory that a burst of work has taken once the process rests. The engine collects when something is
 * allocated: a server that has nothing to do keeps what it grew to, for good, though two thirds of it may be empty.
 * To be called once the program runs: what it has taken by then is left alone, until it has doubled. Looks once
 * a minute until disposed of.
 */
export function giveMemoryBackAtRest(clock: Clock, heap: Heap): Disposable {
  let settledBytes = heap.sizeBytes;
  let gives = false;
  let over = false;
  const look = async () => {
    const rests = heap.busy() < BUSY_AT_REST;
    const before = heap.sizeBytes;
    const hasGrown = before >= Math.max(2 * settledBytes, SIZE_BYTES_MIN);
    if (rests && (gives || hasGrown) && heap.usedBytes <= USED_BYTES_MAX) {
      await heap.collect();
      const after = heap.sizeBytes;
      // One collection finds what is empty and the next clears it: they go on as long as they give something back.
      gives = before - after >= WORTH_BYTES;
      if (!gives) settledBytes = after;
    }
    if (!over) timer = clock.setTimer(() => void look(), gives ? AGAIN_MS : LOOK_MS);
  };
  let timer = clock.setTimer(() => void look(), LOOK_MS);
  return {
    [Symbol.dispose]() {
      over = true;
      timer.cancel();
    },
  };
}

/** This process's own. */
export function ownHeap(): Heap {
  // The engine hides the function from programs that do not ask for it.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => Promise<void>;
  setFlagsFromString('--no-expose-gc');
  let seen = performance.eventLoopUtilization();
  return {
    get sizeBytes() {
      return getHeapStatistics().total_heap_size;
    },
    get usedBytes() {
      return getHeapStatistics().used_heap_size;
    },
    collect: () => collect({ type: 'major', execution: 'async' }),
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, seen);
      seen = now;
      return utilization;
    },
  };
}
