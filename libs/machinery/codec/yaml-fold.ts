/**
 * Long lines of block YAML, folded as upstream's writer folds them: a text goes on in the next line, two columns further
 * in than what holds it, at the first single space beyond the 80th column. What is read back is the same.
 */
const COLUMNS = 80;
const LONG_LINE = new RegExp(`[^\\n]{${COLUMNS + 2}}`);
/** Where a node begins in its line: after blanks, and the dashes of the lists that it is the first of an item of. */
const BEGINNING = /^ *(?:- )*/;
const KEY = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^"'|>[{?][^:]*(?::(?! |$)[^:]*)*): /;
const BLOCK = /^[|>][-+0-9]*$/;

/** `text`: as js-yaml writes it, each text in one line unless it is a block (`|`). */
export function foldLines(text: string): string {
  if (!LONG_LINE.test(text)) return text;
  const out: string[] = [];
  /** Within a block of lines that stand as they are: the column of what holds it. */
  let block: number | undefined;
  for (const line of text.split('\n')) {
    const beginning = (BEGINNING.exec(line) as RegExpExecArray)[0];
    if (block !== undefined) {
      if (line.trim() === '' || leading(line) > block) {
        out.push(line);
        continue;
      }
      block = undefined;
    }
    const rest = line.slice(beginning.length);
    const key = KEY.exec(rest)?.[0] ?? '';
    const value = rest.slice(key.length);
    // An item that is a text is held by its dash, a value by its key.
    const column = key === '' ? Math.max(0, beginning.length - 2) : beginning.length;
    if (BLOCK.test(value)) block = column;
    if (line.length <= COLUMNS + 1 || BLOCK.test(value)) out.push(line);
    else out.push(foldScalar(beginning + key, value, column + 2));
  }
  return out.join('\n');
}

const leading = (line: string): number => line.length - line.trimStart().length;

function foldScalar(before: string, value: string, indent: number): string {
  const quote = value[0] === '"' || value[0] === "'" ? value[0] : '';
  const characters = [...value];
  const [from, to] = quote ? [2, characters.length - 2] : [0, characters.length];
  let out = before;
  let column = [...before].length;
  for (const [i, character] of characters.entries()) {
    const breakable = character === ' ' && column > COLUMNS && characters[i - 1] !== ' ' && i >= from && i < to;
    const spaceNext = characters[i + 1] === ' ';
    if (!breakable || (spaceNext && quote !== '"')) {
      out += character;
      column++;
      continue;
    }
    out += `\n${' '.repeat(indent)}`;
    column = indent;
    if (spaceNext) {
      out += '\\';
      column++;
    }
  }
  return out;
}
