import type { Literal } from './ast.ts';
import type { Issue } from './issues.ts';

export interface Token {
  readonly k: 'ident' | 'literal' | 'op' | 'end';
  /** As written. */
  readonly text: string;
  readonly at: number;
  readonly value?: Literal;
  /** A name in backquotes: for fields alone. */
  readonly quoted?: boolean;
}

const OPERATORS = [
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
  '.',
  ',',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '?',
  ':',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '%',
  '!',
];
const ESCAPES: Readonly<Record<string, string>> = Object.freeze({
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
});

/** Cuts an expression into tokens; the last one is `end`. What is no token is an issue and left out. */
export function tokenize(source: string, issues: Issue[]): Token[] {
  return new Lexer(source, issues).all();
}

class Lexer {
  /** Characters, not UTF-16 units: places are counted in them. */
  readonly #chars: readonly string[];
  readonly #issues: Issue[];
  #at = 0;

  constructor(source: string, issues: Issue[]) {
    this.#chars = [...source];
    this.#issues = issues;
  }

  all(): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      this.#skipBlanks();
      if (this.#at >= this.#chars.length) break;
      const token = this.#next();
      if (token) tokens.push(token);
    }
    tokens.push({ k: 'end', text: '<EOF>', at: this.#chars.length });
    return tokens;
  }

  #char(offset = 0): string {
    return this.#chars[this.#at + offset] ?? '';
  }

  #skipBlanks(): void {
    for (; this.#at < this.#chars.length; this.#at++) {
      if (this.#char() === '/' && this.#char(1) === '/') {
        while (this.#at < this.#chars.length && this.#char() !== '\n') this.#at++;
      } else if (!/[\t\n\f\r ]/.test(this.#char())) return;
    }
  }

  #next(): Token | undefined {
    const at = this.#at;
    const char = this.#char();
    const prefix = /^(?:[rR][bB]?|[bB][rR]?)$/;
    for (const length of [2, 1, 0]) {
      const letters = this.#chars.slice(at, at + length).join('');
      const quote = this.#char(length);
      if ((length === 0 || prefix.test(letters)) && (quote === '"' || quote === "'")) return this.#text(letters);
    }
    if (char === '`') return this.#quotedName();
    if (/[0-9]/.test(char) || (char === '.' && /[0-9]/.test(this.#char(1)))) return this.#number();
    if (/[a-zA-Z_]/.test(char)) {
      while (/[a-zA-Z0-9_]/.test(this.#char())) this.#at++;
      const text = this.#slice(at);
      if (text === 'true' || text === 'false') return { k: 'literal', text, at, value: text === 'true' };
      return text === 'null'
        ? { k: 'literal', text, at, value: null }
        : { k: text === 'in' ? 'op' : 'ident', text, at };
    }
    const operator = OPERATORS.find((one) => this.#chars.slice(at, at + one.length).join('') === one);
    if (operator) {
      this.#at += operator.length;
      return { k: 'op', text: operator, at };
    }
    this.#at++;
    this.#issues.push({ at, message: `Syntax error: token recognition error at: '${char}'` });
    return undefined;
  }

  #slice(from: number): string {
    return this.#chars.slice(from, this.#at).join('');
  }

  #quotedName(): Token | undefined {
    const at = this.#at++;
    while (this.#at < this.#chars.length && /[a-zA-Z0-9_.\-/ ]/.test(this.#char())) this.#at++;
    if (this.#char() !== '`') {
      this.#issues.push({ at, message: `Syntax error: token recognition error at: '${this.#slice(at)}'` });
      return undefined;
    }
    this.#at++;
    return { k: 'ident', text: this.#slice(at).slice(1, -1), at, quoted: true };
  }

  #number(): Token {
    const at = this.#at;
    const rest = this.#chars.slice(at).join('');
    const hex = /^0[xX][0-9a-fA-F]+/.exec(rest);
    const float = hex ? null : /^(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/.exec(rest);
    const text = (hex ?? float ?? (/^\d+/.exec(rest) as RegExpExecArray))[0];
    this.#at += text.length;
    if (float) return { k: 'literal', text, at, value: Number(text) };
    if (/[uU]/.test(this.#char())) {
      this.#at++;
      return { k: 'literal', text: `${text}u`, at, value: { uint: BigInt(text) } };
    }
    return { k: 'literal', text, at, value: BigInt(text) };
  }

  #text(letters: string): Token | undefined {
    const at = this.#at;
    const raw = /r/i.test(letters);
    const bytes = /b/i.test(letters);
    this.#at += letters.length;
    const char = this.#char();
    const triple = this.#char(1) === char && this.#char(2) === char;
    const quote = triple ? char.repeat(3) : char;
    this.#at += quote.length;
    const start = this.#at;
    while (
      !this.#chars
        .slice(this.#at, this.#at + quote.length)
        .join('')
        .startsWith(quote)
    ) {
      if (this.#at >= this.#chars.length || (!triple && /[\n\r]/.test(this.#char()))) {
        const seen = this.#slice(at);
        this.#issues.push({ at, message: `Syntax error: token recognition error at: '${seen}'` });
        return undefined;
      }
      this.#at += !raw && this.#char() === '\\' ? 2 : 1;
    }
    const body = this.#slice(start);
    this.#at += quote.length;
    const text = this.#slice(at);
    try {
      return { k: 'literal', text, at, value: bytes ? unescapeBytes(body, raw) : raw ? body : unescapeText(body) };
    } catch (error) {
      this.#issues.push({ at, message: `Syntax error: ${(error as Error).message}` });
      return { k: 'literal', text, at, value: '' };
    }
  }
}

/** What stands behind a backslash, as a code and how many characters it takes. */
function escapeAt(text: string, at: number): { code: number; length: number; isText: boolean } {
  const letter = text[at] ?? '';
  const numeric = /^(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))/.exec(text.slice(at));
  if (numeric) {
    const digits = numeric[1] ?? numeric[2] ?? numeric[3];
    const code = digits === undefined ? Number.parseInt(numeric[4] as string, 8) : Number.parseInt(digits, 16);
    return { code, length: numeric[0].length, isText: numeric[2] !== undefined || numeric[3] !== undefined };
  }
  const simple = ESCAPES[letter];
  if (simple === undefined) throw new Error(`unable to unescape string`);
  return { code: simple.charCodeAt(0), length: 1, isText: true };
}

function unescapeText(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      out += text[i];
      continue;
    }
    const { code, length } = escapeAt(text, i + 1);
    out += String.fromCodePoint(code);
    i += length;
  }
  return out;
}

function unescapeBytes(text: string, raw: boolean): Uint8Array {
  const encoder = new TextEncoder();
  const out: number[] = [];
  for (let i = 0; i < text.length; ) {
    if (raw || text[i] !== '\\') {
      const char = String.fromCodePoint(text.codePointAt(i) as number);
      out.push(...encoder.encode(char));
      i += char.length;
      continue;
    }
    const { code, length, isText } = escapeAt(text, i + 1);
    if (isText) out.push(...encoder.encode(String.fromCodePoint(code)));
    else out.push(code);
    i += length + 1;
  }
  return Uint8Array.from(out);
}
