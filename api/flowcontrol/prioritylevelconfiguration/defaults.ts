import type { PriorityLevelConfigurationSpec } from '../../types/flowcontrol/v1.generated.ts';

const SHARES = 30;
const QUEUES = 64;
const HAND_SIZE = 8;
const QUEUE_LENGTH_LIMIT = 50;

export function defaultLevel(spec: PriorityLevelConfigurationSpec): void {
  const { limited, exempt } = spec;
  if (limited) {
    limited.nominalConcurrencyShares ??= SHARES;
    limited.lendablePercent ??= 0;
    const { queuing } = limited.limitResponse ?? {};
    if (queuing) {
      queuing.queues ||= QUEUES;
      queuing.handSize ||= HAND_SIZE;
      queuing.queueLengthLimit ||= QUEUE_LENGTH_LIMIT;
    }
  }
  if (exempt) {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  }
}
