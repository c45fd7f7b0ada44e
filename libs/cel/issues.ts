/** What is wrong with an expression: messages with the place they speak of. */

export interface Issue {
  /** In characters from the beginning. */
  readonly at: number;
  readonly message: string;
}

/** An expression that cannot be compiled. The message has all issues, each with its line and a mark below it. */
export class CompileError extends Error {
  override readonly name = 'CompileError';
  readonly issues: readonly Issue[];

  constructor(source: string, issues: readonly Issue[]) {
    super(formatIssues(source, issues));
    this.issues = issues;
  }
}

/** `ERROR: <input>:1:5: undefined field 'nope'`, the line, and a mark below the place. */
export function formatIssues(source: string, issues: readonly Issue[]): string {
  // Of nothing no place can be shown.
  if (source === '') return issues.map(({ message }) => `ERROR: <input>:1:0: ${message}`).join('\n');
  const lines = source.split('\n').map((line) => [...line]);
  const sorted = [...issues].sort((a, b) => a.at - b.at);
  const unique = new Set(
    sorted.map(({ at, message }) => {
      let line = 0;
      let column = at;
      while (line < lines.length - 1 && column > (lines[line] as string[]).length) {
        column -= (lines[line] as string[]).length + 1;
        line++;
      }
      const text = (lines[line] ?? []).join('').replaceAll('\t', ' ');
      const before = [...text].slice(0, column).map((char) => (isWide(char) ? '．' : '.'));
      const mark = isWide([...text][column] ?? '') ? '＾' : '^';
      return `ERROR: <input>:${line + 1}:${column + 1}: ${message}\n | ${text}\n | ${before.join('')}${mark}`;
    }),
  );
  return [...unique].join('\n');
}

const isWide = (char: string): boolean => (char.codePointAt(0) ?? 0) > 0x7f;
