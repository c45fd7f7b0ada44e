/** URLs: `url(text)` and its parts. */
import { quote } from '../../machinery/quote.ts';
import { declare, type Library } from '../declare.ts';
import { EvaluationError, ListValue, MapValue, Opaque, type Value } from '../values.ts';

class Url extends Opaque {
  readonly type = 'kubernetes.URL';
  readonly parts: Parts;
  constructor(parts: Parts) {
    super();
    this.parts = parts;
  }

  equals(other: Opaque): boolean {
    return other instanceof Url && other.parts.text === this.parts.text;
  }
}

interface Parts {
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

/** A URL as in the first line of a request: absolute, or an absolute path. The text of what is wrong otherwise. */
function parseUrl(text: string): Parts | string {
  const wrong = (why: string) => `URL parse error during conversion from string: parse ${quote(text)}: ${why}`;
  if (/[\x00-\x1f\x7f]/.test(text)) return wrong('net/url: invalid control character in URL');
  if (text === '') return wrong('empty url');
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1] ?? '';
  if (scheme === '' && text.startsWith(':')) return wrong('missing protocol scheme');
  const rest = scheme === '' ? text : text.slice(scheme.length + 1);
  const [beforeQuery = '', ...queries] = rest.split('?');
  const query = queries.join('?');
  if (!beforeQuery.startsWith('/')) {
    // An opaque URL (mailto:…) is fine; a relative reference is none.
    if (scheme === '') return wrong('invalid URI for request');
    return { text, scheme: scheme.toLowerCase(), host: '', path: '', query };
  }
  const authority = /^\/\/([^/]*)(.*)$/s.exec(beforeQuery);
  const host = (scheme !== '' || beforeQuery.startsWith('//')) && authority ? hostOf(authority[1] as string) : '';
  const path = host === '' && !authority ? beforeQuery : (authority?.[2] ?? '');
  if (host === undefined || /[\s<>"]/.test(host))
    return wrong(`invalid character ${quote(/[\s<>"]/.exec(host ?? ' ')?.[0] ?? ' ')} in host name`);
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path);
  if (escape) return wrong(`invalid URL escape ${quote(escape[0])}`);
  const port = /:([^\]:]*)$/.exec(host)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) return wrong(`invalid port ${quote(`:${port}`)} after host`);
  return { text, scheme: scheme.toLowerCase(), host, path, query };
}

const hostOf = (authority: string): string => authority.slice(authority.lastIndexOf('@') + 1);

/** Characters that a path may hold as they are; all others are written as bytes. */
function escapedPath(path: string): string {
  if (/^[A-Za-z0-9\-._~!$&'()*+,;=:@/[\]%]*$/.test(path)) return path;
  return encodeURI(decodeURI(path));
}

function queryOf(query: string): MapValue {
  const found = new Map<string, Value[]>();
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue;
    const at = pair.indexOf('=');
    const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));
    try {
      const key = decode(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? '' : decode(pair.slice(at + 1));
      found.set(key, [...(found.get(key) ?? []), value]);
    } catch {
      // A pair that cannot be read is left out, as in Go.
    }
  }
  return new MapValue([...found].map(([key, values]) => [key, new ListValue(values)] as const));
}

const portOf = (host: string): string => /:(\d*)$/.exec(host.replace(/^\[[^\]]*\]/, ''))?.[1] ?? '';

function hostname(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return bracketed ? (bracketed[1] as string) : host.replace(/:\d*$/, '');
}

const member = (fn: string, read: (parts: Parts) => Value): Library =>
  declare(fn, [
    `kubernetes.URL.() ${fn === 'getQuery' ? 'map(string, list(string))' : 'string'}`,
    `url_${fn}`,
    ({ parts }: Url) => read(parts),
  ]);

export const urlLibrary: Library = [
  ...declare('url', [
    '(string) kubernetes.URL',
    'string_to_url',
    (text: string) => {
      const parts = parseUrl(text);
      if (typeof parts === 'string') throw new EvaluationError(parts);
      return new Url(parts);
    },
  ]),
  ...declare('isURL', ['(string) bool', 'is_url_string', (text: string) => typeof parseUrl(text) !== 'string']),
  ...member('getScheme', ({ scheme }) => scheme),
  ...member('getHost', ({ host }) => host),
  ...member('getHostname', ({ host }) => hostname(host)),
  ...member('getPort', ({ host }) => portOf(host)),
  ...member('getEscapedPath', ({ path }) => escapedPath(path)),
  ...member('getQuery', ({ query }) => queryOf(query)),
];
