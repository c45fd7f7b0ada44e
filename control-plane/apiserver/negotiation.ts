/**
 * Which form a client wants its answer in (`Accept`), and in which one its body is (`Content-Type`). Sources: RFC 9110
 * section 12, and the API concept "Alternate representations of resources".
 */

export type MediaType = 'json' | 'yaml' | 'protobuf';

export interface Representation {
  readonly media: MediaType;
  /** What the answer is turned into; `object` is the thing itself. */
  readonly as: 'object' | 'table' | 'metadata';
  /** `metadata`: of a list, or of one object. */
  readonly asList?: boolean;
  /** `v1` or `v1beta1` of meta.k8s.io, for tables and metadata. */
  readonly asVersion: 'v1' | 'v1beta1';
  /** Spread over lines (`pretty`), JSON alone. */
  readonly pretty: boolean;
}

export const CONTENT_TYPES: Readonly<Record<MediaType, string>> = Object.freeze({
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
});

/** What a watch can be written in, as refusals name it. */
export const STREAM_TYPES: readonly string[] = Object.freeze([
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
]);

export const WATCH_CONTENT_TYPES: Readonly<Record<MediaType, string>> = Object.freeze({
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf;stream=watch',
});

const MEDIA_OF: Readonly<Record<string, MediaType>> = Object.freeze({
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
});

const SERVED: readonly string[] = Object.freeze(Object.keys(MEDIA_OF));

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

export interface NegotiationOptions {
  /** Tables and metadata are for objects, lists and watches of resources alone. */
  readonly allowAs: boolean;
  /** YAML cannot be streamed. */
  readonly allowYaml: boolean;
  /** Objects of custom resources have no protobuf form; their metadata has. Default true. */
  readonly allowProtobuf?: boolean;
  readonly pretty: boolean;
}

const PLAIN: Representation = Object.freeze({ media: 'json', as: 'object', asVersion: 'v1', pretty: false });
const PRETTY: Representation = Object.freeze({ ...PLAIN, pretty: true });

/** The best of what the client accepts, or undefined: 406. A header that is absent or empty accepts everything. */
export function negotiate(accept: string | undefined, options: NegotiationOptions): Representation | undefined {
  if (accept === undefined || accept === CONTENT_TYPES.json || accept === '*/*' || accept.trim() === '')
    return options.pretty ? PRETTY : PLAIN;
  for (const clause of parseAccept(accept)) {
    const media = mediaOf(clause.type, options.allowYaml);
    if (media === undefined) continue;
    const chosen = representationOf(clause, media, options);
    if (chosen) return chosen;
  }
  return undefined;
}

/** Whether any type of the header, its parameters aside, is one that is served: `application/*` is not among them. */
export function isKnownMedia(accept: string | undefined, served: readonly string[] = SERVED): boolean {
  if (accept === undefined || accept === '' || accept === CONTENT_TYPES.json) return true;
  return accept.split(',').some((clause) => {
    const type = withoutParameters(clause).trim();
    return type === '*/*' || served.includes(type);
  });
}

function mediaOf(type: string, allowYaml: boolean): MediaType | undefined {
  if (type === '*/*' || type === 'application/*') return 'json';
  const media = Object.hasOwn(MEDIA_OF, type) ? MEDIA_OF[type] : undefined;
  return media === 'yaml' && !allowYaml ? undefined : media;
}

function representationOf(clause: Clause, media: MediaType, options: NegotiationOptions): Representation | undefined {
  const pretty = options.pretty || clause.parameters.get('pretty') === '1';
  const as = clause.parameters.get('as');
  if (as === undefined && media === 'protobuf' && options.allowProtobuf === false) return undefined;
  if (as === undefined) return { media, as: 'object', asVersion: 'v1', pretty };
  if (!options.allowAs) return undefined;
  const [group, version] = [clause.parameters.get('g'), clause.parameters.get('v')];
  if (group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') return media === 'protobuf' ? undefined : { media, as: 'table', asVersion: version, pretty };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
    return { media, as: 'metadata', asList: as.endsWith('List'), asVersion: version, pretty };
  return undefined;
}

/** The clauses by falling quality, equal ones in their order, more specific ones first as RFC 9110 asks. */
function parseAccept(accept: string): Clause[] {
  const clauses: Clause[] = [];
  for (const text of accept.split(',')) {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim());
    if (type === '') continue;
    const parameters = new Map<string, string>();
    for (const part of rest) {
      const at = part.indexOf('=');
      if (at > 0) parameters.set(part.slice(0, at).toLowerCase(), part.slice(at + 1).replace(/^"|"$/g, ''));
    }
    const quality = Number(parameters.get('q') ?? 1);
    clauses.push({ type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 1 });
  }
  const specificity = (c: Clause) => (c.type === '*/*' ? 0 : c.type.endsWith('/*') ? 1 : 2);
  return clauses.filter((c) => c.quality > 0).sort((a, b) => b.quality - a.quality || specificity(b) - specificity(a));
}

export type PatchMediaType = 'json' | 'merge' | 'strategic' | 'apply';

const PATCH_TYPES: Readonly<Record<string, PatchMediaType>> = Object.freeze({
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
});

/** The body's form of a write; JSON where nothing is said; undefined: 415. Case counts, as upstream. */
export function bodyMediaType(contentType: string | undefined): MediaType | undefined {
  if (contentType === undefined || contentType === '') return 'json';
  const type = withoutParameters(contentType);
  return Object.hasOwn(MEDIA_OF, type) ? MEDIA_OF[type] : undefined;
}

/** The patch's form; undefined: 415. */
export function patchMediaType(contentType: string | undefined): PatchMediaType | undefined {
  const type = withoutParameters(contentType ?? '');
  return Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type] : undefined;
}

function withoutParameters(contentType: string): string {
  const at = contentType.indexOf(';');
  return (at < 0 ? contentType : contentType.slice(0, at)).trim();
}
