import type { InvariantSource } from '../invariant.ts';
import { noLostWrite } from './acknowledged.ts';
import { budgetsKept } from './budgets.ts';
import { endpointsAreReady } from './endpoints.ts';
import { noOrphans } from './orphans.ts';
import { oneOfEachOrdinal } from './stateful.ts';
import { surgeKept } from './surge.ts';
import { noWatchGap } from './watches.ts';

/** What holds in every cluster, whatever goes wrong. */
export const standardInvariants: readonly InvariantSource[] = Object.freeze([
  surgeKept,
  budgetsKept,
  noOrphans,
  noLostWrite,
  noWatchGap,
  oneOfEachOrdinal,
  endpointsAreReady,
]);
