import type { FeatureGates } from './reconciler.ts';

/** The gates that something in Tutti asks for, and their stage in v1.36; what upstream has made stable is simply on. */
export const KNOWN_GATES: Readonly<Record<string, 'ALPHA' | 'BETA'>> = Object.freeze({
  TaintTolerationComparisonOperators: 'ALPHA',
});

/** How the known gates stand. */
export const standOf = (gates: FeatureGates): { name: string; stage: string; enabled: boolean }[] =>
  Object.entries(KNOWN_GATES).map(([name, stage]) => ({ name, stage, enabled: gates.enabled(name) }));
