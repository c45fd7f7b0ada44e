/**
 * Replaces `$(NAME)` by what `lookup` gives; a name that it does not know stays as it is written. `$$` is a `$`, so that
 * `$$(NAME)` is `$(NAME)` (API concept "Define dependent environment variables").
 */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    const next = text[i + 1];
    if (char !== '$' || next === undefined) out += char;
    else if (next === '$') {
      out += '$';
      i++;
    } else if (next === '(') {
      const end = text.indexOf(')', i + 2);
      if (end < 0) {
        out += '$(';
        i++;
        continue;
      }
      const name = text.slice(i + 2, end);
      out += lookup(name) ?? `$(${name})`;
      i = end;
    } else {
      out += char + next;
      i++;
    }
  }
  return out;
}
