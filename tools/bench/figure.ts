// What a benchmark tells, and how figures are laid out for a person.
//
// A benchmark is a file `bench/<name>.bench.ts` that exports `bench`. It runs in a process of its own, sets up what it
// measures, reports each figure as soon as it has it, and cleans up:
//
//   export async function bench(report: Report): Promise<void> {
//     report({ name: 'GET of 1 KB', value: 18_200, unit: '/s', atLeast: 15_000, upstream: '5,900' });
//   }

/** One measured figure. `name` is unique among all benchmarks; `upstream` is upstream's figure on a like machine. */
export type Figure = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly upstream?: string;
};

export type Report = (figure: Figure) => void;

/** What a file of bench/ exports. */
export type Benchmark = { readonly bench: (report: Report) => Promise<void> };

/** The figures of docs/performance.md stand between these two lines. */
export const FIGURES_START = '<!-- figures: written by npm run bench -- --write -->';
export const FIGURES_END = '<!-- end of figures -->';

const HEAD = ['figure', 'measured', 'must reach', 'upstream'];

export function targetOf(figure: Figure): string {
  if (figure.atLeast !== undefined) return `≥ ${amount(figure.atLeast, figure.unit)}`;
  if (figure.atMost !== undefined) return `≤ ${amount(figure.atMost, figure.unit)}`;
  return '';
}

export function isMet(figure: Figure): boolean {
  return figure.value >= (figure.atLeast ?? -Infinity) && figure.value <= (figure.atMost ?? Infinity);
}

/** `18200` `/s` → `18,200/s`; `0.2174` `s` → `0.217 s`: three digits that matter, units apart unless they are rates. */
export function amount(value: number, unit: string): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))));
  const number = value.toLocaleString('en-US', { maximumFractionDigits: digits });
  return unit.startsWith('/') ? `${number}${unit}` : `${number} ${unit}`;
}

function rowOf(figure: Figure): string[] {
  const measured = amount(figure.value, figure.unit) + (isMet(figure) ? '' : ' (missed)');
  return [figure.name, measured, targetOf(figure), figure.upstream ?? ''];
}

/** A table for the terminal, in columns. */
export function terminalTable(figures: readonly Figure[]): string {
  const rows = [HEAD, ...figures.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * The document with these figures in it. Rows of figures that were not measured now stay, if they come from the same
 * machine; figures of two machines never stand in one table. Throws an Error where the document has no place for them.
 */
export function withFigures(document: string, machine: string, figures: readonly Figure[]): string {
  const start = document.indexOf(FIGURES_START);
  const end = document.indexOf(FIGURES_END);
  if (start === -1 || end < start) throw new Error(`there is no place for figures: "${FIGURES_START}"`);
  const old = document.slice(start + FIGURES_START.length, end);
  const rows = new Map<string, string>();
  if (old.includes(`\n${machine}\n`)) {
    for (const line of old
      .split('\n')
      .filter((one) => one.startsWith('| '))
      .slice(2))
      rows.set(line.split(' | ')[0] as string, line);
  }
  for (const figure of figures) {
    const line = `| ${rowOf(figure).join(' | ')} |`;
    rows.set(line.split(' | ')[0] as string, line);
  }
  const table = [`| ${HEAD.join(' | ')} |`, `| ${HEAD.map(() => '---').join(' | ')} |`, ...rows.values()];
  return `${document.slice(0, start)}${FIGURES_START}\n\n${machine}\n\n${table.join('\n')}\n\n${document.slice(end)}`;
}
