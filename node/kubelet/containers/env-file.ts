import { ConfigError } from './errors.ts';

/**
 * A file of variables, as an init container may leave one for those that follow (API concept "EnvFiles"):
 *
 *     # a comment
 *     NAME='a value, over several lines where it needs them'
 *
 * Values stand in single quotes and nothing in them is special. Of a name that stands twice, the last counts. Throws
 * `ConfigError`, with the number of the line, for what is none of these.
 */
export function parseEnvFile(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = 0;
  let line = 1;
  const refuse = (why: string) => new ConfigError(`invalid environment file: line ${line}: ${why}`);
  while (at < text.length) {
    const end = endOfLine(text, at);
    const row = text.slice(at, end);
    if (row.trim() === '' || row.trimStart().startsWith('#')) {
      at = end + 1;
      line++;
      continue;
    }
    const [head, name = ''] = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*/.exec(row) ?? [];
    if (head === undefined) throw refuse("it is not of the form NAME='value'");
    const opening = at + head.length;
    if (text[opening] !== "'") throw refuse(`the value of ${name} must be in single quotes`);
    const closing = text.indexOf("'", opening + 1);
    if (closing < 0) throw refuse(`the value of ${name} has no closing quote`);
    const value = text.slice(opening + 1, closing);
    const rest = text.slice(closing + 1, endOfLine(text, closing)).trim();
    if (rest !== '' && !rest.startsWith('#')) throw refuse(`there is more after the value of ${name}`);
    found.set(name, value);
    line += value.split('\n').length;
    at = endOfLine(text, closing) + 1;
  }
  return found;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
