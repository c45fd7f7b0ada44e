/** How messages show what has changed in a struct: a unified diff of its JSON, three lines of context. */
const CONTEXT = 3;

type Line = readonly [mark: ' ' | '-' | '+', text: string];

export function jsonDiff(before: unknown, after: unknown): string {
  const write = (value: unknown) => JSON.stringify(value, null, 1).split('\n');
  return lineDiff(write(before), write(after));
}

/** Hunks with their `@@` heads; empty where nothing differs. */
export function lineDiff(before: readonly string[], after: readonly string[]): string {
  const lines = align(before, after);
  let out = '';
  let [line, at] = [0, 0];
  let [left, right] = [0, 0];
  while (line < lines.length) {
    const first = lines.findIndex(([mark], i) => i >= line && mark !== ' ');
    if (first === -1) break;
    let last = first;
    for (let i = first; i < lines.length && i <= last + 2 * CONTEXT; i++) if (lines[i]?.[0] !== ' ') last = i;
    const start = Math.max(at, first - CONTEXT);
    const end = Math.min(lines.length, last + CONTEXT + 1);
    for (; at < start; at++) {
      left++;
      right++;
    }
    const hunk = lines.slice(start, end);
    const removed = hunk.filter(([mark]) => mark !== '+').length;
    const added = hunk.filter(([mark]) => mark !== '-').length;
    out += `@@ -${left + 1},${removed} +${right + 1},${added} @@\n`;
    for (const [mark, text] of hunk) out += `${mark}${text}\n`;
    left += removed;
    right += added;
    at = line = end;
  }
  return out;
}

/** Beyond this many pairs of lines it is not looked for what the changed parts have in common. */
const PAIRS_MAX = 1_000_000;

/** Both texts as one list of kept, removed and added lines. What both end with is kept first, then what both begin with. */
function align(before: readonly string[], after: readonly string[]): Line[] {
  const shorter = Math.min(before.length, after.length);
  let ending = 0;
  while (ending < shorter && before.at(-1 - ending) === after.at(-1 - ending)) ending++;
  let beginning = 0;
  while (beginning < shorter - ending && before[beginning] === after[beginning]) beginning++;
  const kept = (lines: readonly string[]): Line[] => lines.map((line) => [' ', line]);
  const [was, is] = [before, after].map((lines) => lines.slice(beginning, lines.length - ending)) as [
    string[],
    string[],
  ];
  const changed: Line[] =
    was.length * is.length > PAIRS_MAX
      ? [...was.map((line): Line => ['-', line]), ...is.map((line): Line => ['+', line])]
      : alignChanged(was, is);
  return [...kept(before.slice(0, beginning)), ...changed, ...kept(before.slice(before.length - ending))];
}

/** By their longest common subsequence. */
function alignChanged(before: readonly string[], after: readonly string[]): Line[] {
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] =
        before[i] === after[j]
          ? (common[(i + 1) * width + j + 1] as number) + 1
          : Math.max(common[(i + 1) * width + j] as number, common[i * width + j + 1] as number);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push([' ', before[i] as string]);
      i++;
      j++;
    } else if (
      j >= after.length ||
      (i < before.length && (common[(i + 1) * width + j] as number) >= (common[i * width + j + 1] as number))
    ) {
      lines.push(['-', before[i++] as string]);
    } else lines.push(['+', after[j++] as string]);
  }
  return lines;
}
