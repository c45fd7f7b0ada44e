/**
 * What a program behind `proxy` says of its own addresses, told as addresses of the API server (API concept "Proxies in
 * Kubernetes"): it believes that it stands at `/`, its readers know it under the path of its pod, service or node.
 *
 *     const led = linksOf({ prefix: '/api/v1/namespaces/a/pods/web/proxy', own: '10.0.0.7:80', asked: 'api:6443' });
 *     led('/style.css')                    '/api/v1/namespaces/a/pods/web/proxy/style.css'
 *     led('http://10.0.0.7:80/style.css')  the same
 *     led('style.css')                     as it is: it leads there by itself
 *     led('https://example.com/style.css') as it is: it is somebody else's
 */

export interface Place {
  /** The API's path up to where the program's own begins, without a slash at its end. */
  readonly prefix: string;
  /** `host:port` of the program. */
  readonly own: string;
  /** The `Host` that the request was for. */
  readonly asked: string;
}

export type Links = (url: string) => string;

const LINK = /^\s*((?:[a-z][a-z\d+.-]*:)?\/\/([^/?#]*))?(\/.*)$/is;

export function linksOf({ prefix, own, asked }: Place): Links {
  return (url) => {
    const found = LINK.exec(url);
    if (!found) return url;
    const [, origin = '', host = '', path = ''] = found;
    if (host !== '' && host !== own && host !== asked) return url;
    const there = host !== '' && host === asked ? origin : '';
    return path.startsWith(prefix) ? there + path : there + prefix + path;
  };
}

/** Which attributes of HTML's elements hold one address. */
const LINK_ATTRIBUTES: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    a: ['href'],
    applet: ['codebase'],
    area: ['href'],
    audio: ['src'],
    base: ['href'],
    blockquote: ['cite'],
    body: ['background'],
    button: ['formaction'],
    command: ['icon'],
    del: ['cite'],
    embed: ['src'],
    form: ['action'],
    frame: ['longdesc', 'src'],
    head: ['profile'],
    html: ['manifest'],
    iframe: ['longdesc', 'src'],
    img: ['longdesc', 'src', 'usemap'],
    input: ['src', 'usemap', 'formaction'],
    ins: ['cite'],
    link: ['href'],
    object: ['classid', 'codebase', 'data', 'usemap'],
    q: ['cite'],
    script: ['src'],
    source: ['src'],
    video: ['poster', 'src'],
  }),
);

/** Elements in which nothing is a tag but their own end. */
const TEXT_ELEMENTS = new Set('iframe noembed noframes noscript script style textarea title xmp'.split(' '));

const TAG = /<([a-z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/iy;
const ATTRIBUTE = /([^\s"'<>/=]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/** A tag or comment that is longer is passed on as it is, so that little is ever held back. */
const HELD_MAX = 16 * 1024;

/**
 * HTML with its links led. Bytes that are no link stay what they are, whatever their encoding: it must only write ASCII
 * as ASCII. Chunks come and go as they come, but for a tag that is not complete yet.
 */
export async function* ledHtml(chunks: AsyncIterable<Uint8Array>, links: Links): AsyncIterable<Uint8Array> {
  const scanner = new Scanner(links);
  for await (const chunk of chunks) {
    const text = scanner.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1'));
    if (text !== '') yield Buffer.from(text, 'latin1');
  }
  const text = scanner.end();
  if (text !== '') yield Buffer.from(text, 'latin1');
}

/** Up to where an element's text goes; of what may be the beginning of its end nothing is told before it is known. */
function endOfText(text: string, from: number, name: string, last: boolean): { at: number; found: boolean } {
  const end = new RegExp(`</${name}[\\s/>]`, 'gi');
  end.lastIndex = from;
  const found = end.exec(text);
  if (found) return { at: found.index, found: true };
  return { at: last ? text.length : Math.max(from, text.length - name.length - 2), found: false };
}

class Scanner {
  readonly #links: Links;
  #held = '';
  /** The name of the element whose content is mere text. */
  #within: string | undefined;

  constructor(links: Links) {
    this.#links = links;
  }

  push(text: string): string {
    return this.#scan(this.#held + text, false);
  }

  end(): string {
    return this.#scan(this.#held, true);
  }

  #scan(text: string, last: boolean): string {
    let out = '';
    let at = 0;
    while (at < text.length) {
      if (this.#within !== undefined) {
        const end = endOfText(text, at, this.#within, last);
        out += text.slice(at, end.at);
        at = end.at;
        if (end.found) this.#within = undefined;
        else break;
        continue;
      }
      const begin = text.indexOf('<', at);
      const upTo = begin < 0 ? text.length : begin;
      out += text.slice(at, upTo);
      at = upTo;
      if (begin < 0) break;
      const piece = this.#piece(text, at);
      if (piece === undefined && !last && text.length - at < HELD_MAX) break;
      // What never ends is none.
      const [end, words] = piece ?? [at + 1, '<'];
      out += words;
      at = end;
    }
    this.#held = text.slice(at);
    return out;
  }

  /** Where what begins at `at` ends, and what is to be said instead; undefined where its end is not there. */
  #piece(text: string, at: number): readonly [end: number, words: string] | undefined {
    const upTo = (end: string): readonly [number, string] | undefined => {
      const found = text.indexOf(end, at);
      return found < 0 ? undefined : [found + end.length, text.slice(at, found + end.length)];
    };
    if (text.startsWith('<!--', at)) return upTo('-->');
    // Too short to tell what it is going to be.
    if ('<!--'.startsWith(text.slice(at))) return undefined;
    if (/[!?/]/.test(text[at + 1] as string)) return upTo('>');
    if (!/[a-z]/i.test(text[at + 1] as string)) return [at + 1, '<'];
    TAG.lastIndex = at;
    const tag = TAG.exec(text);
    if (!tag) return undefined;
    const [whole, name = '', attributes = ''] = tag;
    const element = name.toLowerCase();
    if (TEXT_ELEMENTS.has(element) && !attributes.endsWith('/')) this.#within = element;
    const names = LINK_ATTRIBUTES.get(element);
    return [at + whole.length, names ? `<${name}${this.#led(attributes, names)}>` : whole];
  }

  #led(attributes: string, names: readonly string[]): string {
    return attributes.replace(ATTRIBUTE, (whole, name: string, equals: string, ...values: (string | undefined)[]) => {
      if (!names.includes(name.toLowerCase())) return whole;
      const url = (values[0] ?? values[1] ?? values[2] ?? '').replaceAll('&amp;', '&');
      const led = this.#links(url);
      if (led === url) return whole;
      return `${name}${equals}"${led.replaceAll('&', '&amp;').replaceAll('"', '&#34;')}"`;
    });
  }
}
