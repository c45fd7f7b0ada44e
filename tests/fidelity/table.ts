/** How docs/fidelity.md shows what came of the recorded cases: a table by area between two marks. */
import type { Verdict } from './play.ts';

export interface AreaCount {
  readonly area: string;
  readonly same: number;
  readonly wording: number;
  readonly differs: number;
}

const START = '<!-- areas: written by npm run fidelity -- --write -->';
const END = '<!-- end of areas -->';
const HEAD = '| area | same | but for wording | differ | same of all |\n| --- | ---: | ---: | ---: | ---: |';

/** Counts by the first `depth` parts of the cases' ids, sorted. */
export function countAreas(verdicts: readonly Verdict[], depth: 1 | 2): AreaCount[] {
  const counts = new Map<string, { area: string; same: number; wording: number; differs: number }>();
  for (const { id, verdict } of verdicts) {
    const area = id.split('/').slice(0, depth).join('/');
    const row = counts.get(area) ?? { area, same: 0, wording: 0, differs: 0 };
    row[verdict]++;
    counts.set(area, row);
  }
  return [...counts.values()].sort((a, b) => (a.area < b.area ? -1 : 1));
}

/** The document with these areas in its table; rows of areas that were not played stay. Throws where it has no marks. */
export function withAreas(document: string, areas: readonly AreaCount[]): string {
  const start = document.indexOf(START);
  const end = document.indexOf(END);
  if (start === -1 || end < start) throw new Error(`there is no place for the table: "${START}"`);
  const rows = new Map<string, string>();
  for (const line of document.slice(start, end).split('\n').slice(1)) {
    const area = /^\| ([\w/-]+) \| \d/.exec(line)?.[1];
    if (area !== undefined) rows.set(area, line);
  }
  for (const { area, same, wording, differs } of areas) {
    const percent = Math.floor((100 * same) / (same + wording + differs));
    rows.set(area, `| ${area} | ${same} | ${wording} | ${differs} | ${percent} % |`);
  }
  const lines = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  return `${document.slice(0, start)}${START}\n\n${HEAD}\n${lines.join('\n')}\n\n${document.slice(end)}`;
}
