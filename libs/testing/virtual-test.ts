import { createLogger, type Logger, type LogRecord } from '../base/log.ts';
import { FixedKeys } from '../base/node/fixed-keys.ts';
import { turn } from '../base/node/turn.ts';
import { SeededRandom } from '../base/random.ts';
import { VirtualClock } from '../base/virtual-clock.ts';
import { MemoryHost } from './memory-host.ts';

export interface VirtualTest {
  /** At 2026-01-01T00:00:00Z, unless told otherwise; stands until it is advanced. */
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly keys: FixedKeys;
  readonly host: MemoryHost;
  /** Keeps what is logged, debug included, in `records`. */
  readonly log: Logger;
  readonly records: readonly LogRecord[];
}

/**
 * What a component takes as arguments, repeatable from a seed.
 *
 *     const { clock, random, keys, log } = virtualTest();
 *     const lease = new Lease({ clock, log });
 *     await clock.advance(10_000);
 *     assert.equal(lease.renewals, 1);
 */
export function virtualTest(options: { readonly seed?: number | string; readonly startMs?: number } = {}): VirtualTest {
  const { seed = 1, startMs } = options;
  const clock = new VirtualClock({ turn, startMs });
  const records: LogRecord[] = [];
  return {
    clock,
    random: new SeededRandom(seed),
    keys: new FixedKeys(seed),
    host: new MemoryHost({ clock }),
    log: createLogger('test', clock, (record) => void records.push(record), 'debug'),
    records,
  };
}
