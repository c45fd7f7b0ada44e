import type { Clock } from '../base/clock.ts';
import type { Files } from '../base/host.ts';
import type { Keys } from '../base/keys.ts';
import type { Logger } from '../base/log.ts';
import { type ClusterPki, type ClusterPkiOptions, ensureClusterPki } from './cluster-pki.ts';

export interface KeepRenewedOptions {
  readonly files: Files;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pki: ClusterPkiOptions;
  /** As they are now. */
  readonly current: ClusterPki;
  /** Told of each renewal; what it throws is logged, and tried again later. */
  renewed(pki: ClusterPki): Promise<void> | void;
}

/** Between tries where renewing failed, and the least time between two renewals. */
const RETRY_MS = 60_000;
/** The wall clock may be set: the date is looked at again at the latest after this long. */
const LOOK_MS_MAX = 24 * 3_600_000;

/**
 * Renews the certificates of a running server in time, and says so, so that whoever uses one can take the new one. The
 * authority itself lasts. Disposing ends it.
 */
export function keepRenewed(options: KeepRenewedOptions): Disposable {
  const { files, keys, clock, log } = options;
  let dueMs = options.current.renewAtMs;
  let over = false;
  let timer = clock.setTimer(look, wait());

  function wait(): number {
    return Math.min(LOOK_MS_MAX, Math.max(RETRY_MS, dueMs - clock.now()));
  }

  function look(): void {
    if (over) return;
    if (clock.now() < dueMs) timer = clock.setTimer(look, wait());
    else void renew();
  }

  async function renew(): Promise<void> {
    try {
      const pki = await ensureClusterPki(files, keys, clock, options.pki);
      if (over) return;
      await options.renewed(pki);
      dueMs = pki.renewAtMs;
      log.info('certificates were renewed', { changes: pki.changes.length });
    } catch (error) {
      log.error('certificates could not be renewed', { error });
    }
    if (!over) timer = clock.setTimer(look, wait());
  }

  return {
    [Symbol.dispose]() {
      over = true;
      timer.cancel();
    },
  };
}
