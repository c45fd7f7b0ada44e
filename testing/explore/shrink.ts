import type { Perturbation, Schedule } from './schedule.ts';

export interface Shrunk {
  readonly schedule: Schedule;
  /** How many schedules were tried. */
  readonly tries: number;
}

/**
 * Looks for the shortest schedule that still fails: leaves out halves, then quarters …, then single perturbations, then
 * makes what is left shorter and simpler, until nothing more can go or `triesMax` schedules have been tried.
 */
export async function shrinkSchedule(
  schedule: Schedule,
  fails: (schedule: Schedule) => Promise<boolean>,
  triesMax: number,
): Promise<Shrunk> {
  let best = schedule;
  let tries = 0;
  const tryOne = async (next: Schedule): Promise<boolean> => {
    if (tries >= triesMax) return false;
    tries++;
    if (!(await fails(next))) return false;
    best = next;
    return true;
  };
  for (let chunk = Math.ceil(best.perturbations.length / 2); chunk >= 1; ) {
    let removed = false;
    for (let at = 0; at < best.perturbations.length; ) {
      const rest = best.perturbations.toSpliced(at, chunk);
      if (await tryOne({ ...best, perturbations: rest })) removed = true;
      else at += chunk;
    }
    if (chunk > 1) chunk = Math.ceil(chunk / 2);
    else if (!removed) break;
  }
  if (best.shuffle) await tryOne({ ...best, shuffle: false });
  for (const latencyMs of [0, 1, 5, 20]) {
    if (latencyMs < best.latencyMs && (await tryOne({ ...best, latencyMs }))) break;
  }
  for (let index = 0; index < best.perturbations.length; ) {
    let milder = false;
    for (const simpler of simplerThan(best.perturbations[index] as Perturbation)) {
      milder = await tryOne({ ...best, perturbations: best.perturbations.with(index, simpler) });
      if (milder) break;
    }
    if (!milder) index++;
  }
  return { schedule: best, tries };
}

const LEAST_MS = 20;

/** The same, milder: the mildest first. */
function simplerThan(one: Perturbation): Perturbation[] {
  const all: Perturbation[] = [];
  if ((one.times ?? 1) > 1) all.push({ ...one, times: 1 });
  if ((one.after ?? 0) > 0) all.push({ ...one, after: 0 });
  for (const field of ['forMs', 'byMs'] as const) {
    const size = one[field] ?? 0;
    if (Math.abs(size) >= 2 * LEAST_MS)
      all.push({ ...one, [field]: Math.round(size / 4) }, { ...one, [field]: Math.round(size / 2) });
  }
  return all;
}
