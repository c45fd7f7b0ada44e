import { nonResourceAttributes, type RequestAttributes, type Verb } from '../../libs/kind/request.ts';

/** A path that starts as a resource's and cannot be read as one. */
export class UnreadablePath extends Error {}

/** What a request's method and path say, before anybody asks whether such a thing exists. */
export interface Route {
  readonly attributes: RequestAttributes;
  /** Decoded segments after the subresource: `proxy/a/b` → `a/b`, with its leading slash. */
  readonly rest: string;
  /** A namespace segment was there but empty. */
  readonly namespaceMissing: boolean;
}

const METHOD_VERBS: Readonly<Record<string, Verb>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * Reads a path in the form that authorization speaks of (the API concept "Request verbs"):
 *
 *     GET  /api/v1/namespaces/a/pods/b/log    get pods/log, namespace a, name b
 *     GET  /apis/apps/v1/deployments?watch=1  watch deployments in all namespaces
 *     GET  /healthz                           not a resource request: verb get, path /healthz
 *
 * Throws `UnreadablePath` for `watch` and `proxy` of nothing. `query` decides between list and watch and, through a field selector on `metadata.name`, gives lists a name.
 */
export function route(method: string, path: string, query: URLSearchParams): Route {
  // The first is what stands before the first slash: nothing.
  const segments = path.split('/');
  if (segments.at(-1) === '') segments.pop();
  const decoded = path.includes('%') ? segments.map(decodeSegment) : segments;
  let at: number;
  let group: string;
  if (segments[1] === 'api') {
    group = '';
    at = 2;
  } else if (segments[1] === 'apis') {
    group = decoded[2] ?? '';
    at = 3;
  } else return nonResource(method, path);
  const version = decoded[at++] ?? '';
  if (version === '' || segments[at] === undefined) return nonResource(method, path);

  let verb: Verb = (Object.hasOwn(METHOD_VERBS, method) && METHOD_VERBS[method]) || '';
  const legacy = segments[at];
  if (legacy === 'watch' || legacy === 'proxy') {
    if (segments[at + 1] === undefined)
      throw new UnreadablePath(`unable to determine kind and namespace from url, ${path}`);
    verb = legacy;
    at++;
  }

  let namespace = '';
  let namespaceMissing = false;
  if (at + 1 < segments.length && (decoded[at] ?? '') === 'namespaces') {
    namespace = decoded[at + 1] ?? '';
    if (at + 2 < segments.length && !isOfNamespaces(decoded[at + 2])) {
      namespaceMissing = namespace === '';
      at += 2;
    }
  }
  const resource = decoded[at] ?? '';
  const name = decoded[at + 1] ?? '';
  const subresource = decoded[at + 2] ?? '';

  const fieldSelector = query.size > 0 ? query.get('fieldSelector') : null;
  let selectedName = name;
  if (name === '') {
    if (verb === 'get') verb = isTrue(query.get('watch')) ? 'watch' : 'list';
    else if (verb === 'delete') verb = 'deletecollection';
    if (verb === 'list' || verb === 'watch' || verb === 'deletecollection') {
      selectedName = nameOf(fieldSelector) ?? '';
    }
  }
  const attributes: { -readonly [K in keyof RequestAttributes]: RequestAttributes[K] } = {
    verb,
    isResourceRequest: true,
    path: decodeSegment(path),
    group,
    version,
    resource,
    subresource,
    namespace,
    name: selectedName,
  };
  if (query.size > 0) {
    const labelSelector = query.get('labelSelector');
    if (labelSelector) attributes.labelSelector = labelSelector;
    if (fieldSelector) attributes.fieldSelector = fieldSelector;
  }
  let rest = '';
  for (let i = at + 3; i < segments.length; i++) rest += `/${decoded[i] ?? ''}`;
  if (path.endsWith('/') && subresource !== '') rest += '/';
  return { attributes, rest, namespaceMissing };
}

/** Subresources of namespaces: not resources in a namespace. */
const isOfNamespaces = (name: string | undefined): boolean => name === 'status' || name === 'finalize';

const nonResource = (method: string, path: string): Route => ({
  attributes: nonResourceAttributes(method.toLowerCase(), decodeSegment(path)),
  rest: '',
  namespaceMissing: false,
});

/** Whether every `%` of a path stands before two hexadecimal digits; a path without that is none (RFC 3986). */
export function isWellEscaped(path: string): boolean {
  return !path.includes('%') || !/%(?![\da-fA-F]{2})/.test(path);
}

/** A boolean parameter as the API reads it: there and neither `false` nor `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}

function nameOf(fieldSelector: string | null): string | undefined {
  const match = /(?:^|,)metadata\.name==?([^,!=\\]+)(?:,|$)/.exec(fieldSelector ?? '');
  return match?.[1];
}

/** What a path's segment says; itself where its bytes are no UTF-8. */
export function decodeSegment(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
