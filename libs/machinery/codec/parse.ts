/**
 * A strict JSON parser that loses nothing: number literals, duplicate keys, the order of members. It is slower than
 * `JSON.parse` and runs only where that found something odd. Syntax errors are worded as upstream words them. Nesting is
 * bounded by its caller (`precheck`).
 */

/** A number as it stood in the text. */
export class JsonNumber {
  readonly literal: string;
  constructor(literal: string) {
    this.literal = literal;
  }
}

/** An object's members in text order, duplicates included. */
export class JsonMembers {
  readonly keys: string[] = [];
  readonly values: JsonNode[] = [];
}

export type JsonNode = null | boolean | string | JsonNumber | JsonNode[] | JsonMembers;

/** Thrown for text that is no JSON. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

/** Parses a whole text. @throws JsonSyntaxError */
export function parseJson(text: string): JsonNode {
  return new Parser(text).document();
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

const encoder = new TextEncoder();

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonNode {
    const node = this.#value();
    this.#blank();
    if (this.#at < this.#text.length) this.#refuse('after top-level value');
    return node;
  }

  #refuse(where: string): never {
    if (this.#at >= this.#text.length) throw new JsonSyntaxError('unexpected end of JSON input');
    throw new JsonSyntaxError(`invalid character ${quoteByte(this.#text, this.#at)} ${where}`);
  }

  #blank(): void {
    for (;;) {
      const char = this.#text.charCodeAt(this.#at);
      if (char !== 32 && char !== 10 && char !== 13 && char !== 9) return;
      this.#at++;
    }
  }

  #value(): JsonNode {
    this.#blank();
    const char = this.#text[this.#at];
    switch (char) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        if (char === '-' || (char !== undefined && char >= '0' && char <= '9')) return this.#number();
        return this.#refuse('looking for beginning of value');
    }
  }

  #object(): JsonMembers {
    this.#at++;
    const members = new JsonMembers();
    this.#blank();
    if (this.#text[this.#at] !== '}') {
      for (;;) {
        this.#blank();
        if (this.#text[this.#at] !== '"') this.#refuse('looking for beginning of object key string');
        members.keys.push(this.#string());
        this.#blank();
        if (this.#text[this.#at] !== ':') this.#refuse('after object key');
        this.#at++;
        members.values.push(this.#value());
        this.#blank();
        const char = this.#text[this.#at];
        if (char === '}') break;
        if (char !== ',') this.#refuse('after object key:value pair');
        this.#at++;
      }
    }
    this.#at++;
    return members;
  }

  #array(): JsonNode[] {
    this.#at++;
    const items: JsonNode[] = [];
    this.#blank();
    if (this.#text[this.#at] !== ']') {
      for (;;) {
        items.push(this.#value());
        this.#blank();
        const char = this.#text[this.#at];
        if (char === ']') break;
        if (char !== ',') this.#refuse('after array element');
        this.#at++;
      }
    }
    this.#at++;
    return items;
  }

  #literal<T>(word: string, value: T): T {
    for (let i = 1; i < word.length; i++) {
      this.#at++;
      if (this.#text[this.#at] !== word[i]) this.#refuse(`in literal ${word} (expecting '${word[i]}')`);
    }
    this.#at++;
    return value;
  }

  #digits(where: string): void {
    if (!this.#isDigit()) this.#refuse(where);
    while (this.#isDigit()) this.#at++;
  }

  #isDigit(): boolean {
    const char = this.#text.charCodeAt(this.#at);
    return char >= 48 && char <= 57;
  }

  #number(): JsonNumber {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') {
      this.#at++;
      if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at++;
      this.#digits('in exponent of numeric literal');
    }
    return new JsonNumber(this.#text.slice(start, this.#at));
  }

  #string(): string {
    const text = this.#text;
    let out = '';
    let start = ++this.#at;
    for (;;) {
      const char = text.charCodeAt(this.#at);
      if (char === 34) break;
      if (char < 32 || Number.isNaN(char)) this.#refuse('in string literal');
      if (char !== 92) {
        this.#at++;
        continue;
      }
      out += text.slice(start, this.#at++);
      const escape = text[this.#at] as string;
      if (escape === 'u') out += this.#unicode();
      else if (Object.hasOwn(escapes, escape)) {
        out += escapes[escape];
        this.#at++;
      } else this.#refuse('in string escape code');
      start = this.#at;
    }
    out += text.slice(start, this.#at++);
    return out.isWellFormed() ? out : out.toWellFormed();
  }

  /** Stands on the `u`; half of a pair is joined with the next one by being next to it. */
  #unicode(): string {
    for (let i = 0; i < 4; i++) {
      this.#at++;
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) this.#refuse('in \\u hexadecimal character escape');
    }
    this.#at++;
    return String.fromCharCode(Number.parseInt(this.#text.slice(this.#at - 4, this.#at), 16));
  }
}

/** A byte in single quotes, as upstream's scanner, which knows bytes and no characters, cites it. */
function quoteByte(text: string, at: number): string {
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  const byte = encoder.encode(char)[0] as number;
  if (byte === 39) return "'\\''";
  if (byte === 34) return `'"'`;
  if (byte === 92) return "'\\\\'";
  const named: Record<number, string> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' };
  if (named[byte]) return `'${named[byte]}'`;
  if (byte < 32 || byte === 127) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if (byte >= 128 && (byte < 161 || byte === 173)) return `'\\u${byte.toString(16).padStart(4, '0')}'`;
  return `'${String.fromCharCode(byte)}'`;
}
