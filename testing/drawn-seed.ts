import { sayAtFailure } from '../libs/base/node/at-failure.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';

/**
 * A seed for who names none. Where the process ends with a failure, whatever failed in it, the seed is told on stderr, with
 * the place of `createCluster`: errors of the test's own do not know it.
 */
export function drawnSeed(): string {
  const seed = String(Math.floor(new RealClock().now()));
  const frames = (new Error().stack ?? '').split('\n');
  const made = frames.findIndex((frame) => /\bat (?:async )?(?:Object\.)?createCluster\b/.test(frame));
  const at = made < 0 ? undefined : /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(frames[made + 1] ?? '')?.[1];
  sayAtFailure(`createCluster drew the seed ${seed}${at ? ` at ${at}` : ''}`);
  return seed;
}
