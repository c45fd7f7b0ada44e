// Written by `npm run build`: `import … from 'tutti'`. In a clone this is the source itself, which Node runs directly;
// in the published package, where there is none, the bundle.

import { existsSync } from 'node:fs';
import { complaint } from './version.cjs';

if (complaint !== undefined) throw new Error(complaint);
const source = new URL('../index.ts', import.meta.url);
const library = existsSync(source) ? await import(source.href) : await import('../dist/index.mjs');

export const {
  ALL_VERBS,
  ApiError,
  CAUSE_BAGGAGE_KEY,
  ClusterUsageError,
  EndlessInstantError,
  ExplorationFailure,
  HistoryFileError,
  ManifestError,
  NeverSettledError,
  ReplayFileError,
  ScenarioError,
  SimulatedNetworkError,
  TransportError,
  apiVersionOf,
  causeOf,
  changeStatusAlone,
  createCluster,
  defineKind,
  dropStatus,
  explore,
  formatCause,
  groupResourceName,
  keepAllButStatus,
  keepMetadata,
  keepStatus,
  keyOf,
  newAuditAnnotations,
  newWarnings,
  nonResourceAttributes,
  ownKey,
  parseCause,
  reading,
  replay,
  replayHistory,
  resources,
  standardInvariants,
  version,
  watching,
} = library;
