// Results of tests: what the reporter sends, how they are counted and judged.

type Place = { readonly name: string; readonly file: string; readonly line: number };

/**
 * One line from the reporter. `file` is absolute; durations are in milliseconds of real time. Every test and suite is
 * `started` and `ended` when that happens; its result may come later, since results come in the order of the files.
 */
export type TestResult =
  | (Place & { readonly kind: 'started' | 'ended' })
  | (Place & { readonly kind: 'passed'; readonly durationMs: number })
  | (Place & { readonly kind: 'skipped'; readonly durationMs: number; readonly reason: string })
  | (Place & { readonly kind: 'failed'; readonly durationMs: number; readonly text: string })
  | { readonly kind: 'output'; readonly file: string; readonly text: string };

/** Something to show in full: where it happened, and what. */
export type Failure = { readonly title: string; readonly text: string };

export type Tally = {
  passed: number;
  /** Skipped tests by reason. */
  readonly skipped: Map<string, string[]>;
  readonly failures: Failure[];
};

export function newTally(): Tally {
  return { passed: 0, skipped: new Map(), failures: [] };
}

/**
 * Whether a skip means that the machine lacks something. CI's machine is set up to have all of it, so there such a skip
 * is a failure, and so is one without a reason. Other skips are fine anywhere: a driver that does not offer what a
 * contract leaves open, or the reference data, which lies outside the project.
 */
export function isMachineLacking(reason: string): boolean {
  if (reason === '') return true;
  if (/\breference\b|\brecorded\b/i.test(reason)) return false;
  return /^needs |\b(?:root|linux|containerd|runc|cni|etcd|kubectl|nft|nftables|chromium|namespaces?)\b/i.test(reason);
}

/** Adds one result. Under `ci` a skip for want of something on the machine counts as a failure. */
export function count(tally: Tally, result: TestResult, ci: boolean): void {
  if (result.kind === 'passed') tally.passed += 1;
  if (result.kind === 'failed') tally.failures.push({ title: titleOf(result), text: result.text });
  if (result.kind !== 'skipped') return;
  const reason = result.reason || 'no reason given';
  if (ci && isMachineLacking(result.reason)) {
    tally.failures.push({ title: titleOf(result), text: `skipped, which under CI=true is a failure: ${reason}` });
  } else {
    const names = tally.skipped.get(reason);
    if (names === undefined) tally.skipped.set(reason, [result.name]);
    else names.push(result.name);
  }
}

/** Adds what one part of the tests gave. */
export function add(tally: Tally, part: Tally): void {
  tally.passed += part.passed;
  tally.failures.push(...part.failures);
  for (const [reason, names] of part.skipped)
    tally.skipped.set(reason, [...(tally.skipped.get(reason) ?? []), ...names]);
}

export function titleOf(place: Place): string {
  return place.name === place.file ? place.file : `${place.file}:${place.line} ${place.name}`;
}

/** The closing line, alone and in this form, so that a program can read it. */
export function closingLine(tally: Tally): string {
  const skipped = [...tally.skipped.values()].reduce((sum, names) => sum + names.length, 0);
  return `${tally.passed} passed, ${tally.failures.length} failed, ${skipped} skipped`;
}
