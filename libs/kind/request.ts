/**
 * Who asks for what, by when, and what is to be said back beside the answer: the first argument of everything on the
 * request path. Made once for a request (`newRequestContext`), never kept after it has been answered.
 */
export interface RequestContext {
  readonly user: UserInfo;
  /** What is asked for, in the words of authorization. */
  readonly attributes: RequestAttributes;
  /** `clock.monotonic()` after which nobody waits for the answer any more; `ends.signal` fires then too. */
  readonly deadlineMs: number;
  /**
   * `ends.signal` is aborted when the client has gone, the deadline has passed or the server stops at once. It is made
   * when somebody asks for it, which most requests end without; a context itself is plain data, and cheap to copy.
   */
  readonly ends: { readonly signal: AbortSignal };
  /** Texts for `Warning` headers, in order, each once. */
  readonly warnings: Warnings;
  /** Annotations for the audit record of this request. */
  readonly audit: AuditAnnotations;
  /** Which step of which component made this request: as its client said in the `baggage` header, which `causeOf` reads. */
  readonly cause: Cause | string | undefined;
  /** W3C trace id, where the client sent one; else an id of the server's own where somebody keeps records of requests. */
  readonly trace: string | undefined;
  /** Everything happens, admission included, but nothing is stored. */
  readonly dryRun: boolean;
  /** Wall time at which the request came, in milliseconds: what strategies write into times. */
  readonly nowMs: number;
  /** Who owns the fields that a write sets; from `fieldManager`, else the first word of the User-Agent, else `unknown`. */
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
}

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  | 'connect'
  | (string & {});

export interface RequestAttributes {
  /** Lower-case; for non-resource requests the HTTP method. */
  readonly verb: Verb;
  /** False for `/healthz`, `/version`, discovery and the like: then only `path` counts. */
  readonly isResourceRequest: boolean;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty for cluster-scoped resources and for requests over all namespaces. */
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** Those of a request that is for no resource. */
export const nonResourceAttributes = (verb: Verb, path: string): RequestAttributes => ({
  verb,
  isResourceRequest: false,
  path,
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
});

export interface Warnings {
  /** Adds a text, unless it is there already. */
  add(text: string): void;
  readonly all: readonly string[];
}

export interface AuditAnnotations {
  set(key: string, value: string): void;
  readonly all: Readonly<Record<string, string>>;
}

/** `{ component: 'deployment', step: 'scale up', object: 'apps/deployments/default/web' }`. */
export interface Cause {
  readonly component: string;
  readonly step: string;
  readonly object?: string;
}

/** The `baggage` member that carries a cause between processes. */
export const CAUSE_BAGGAGE_KEY = 'tutti-cause';

export function formatCause(cause: Cause): string {
  return `${CAUSE_BAGGAGE_KEY}=${encodeURIComponent(JSON.stringify(cause))}`;
}

/** Of a request. Every one has a header and hardly any is asked for its cause, so headers are read then. */
export const causeOf = ({ cause }: Pick<RequestContext, 'cause'>): Cause | undefined =>
  typeof cause === 'string' ? parseCause(cause) : cause;

/** Reads a `baggage` header; undefined when it has no cause, or one that is not well-formed. */
export function parseCause(baggage: string | undefined): Cause | undefined {
  if (baggage === undefined) return undefined;
  for (const member of baggage.split(',')) {
    const [key, value] = member.trim().split('=', 2);
    if (key !== CAUSE_BAGGAGE_KEY || value === undefined || value.length > 1024) continue;
    try {
      const cause: unknown = JSON.parse(decodeURIComponent(value));
      if (typeof cause !== 'object' || cause === null) return undefined;
      const { component, step, object } = cause as Record<string, unknown>;
      if (typeof component !== 'string' || typeof step !== 'string') return undefined;
      return typeof object === 'string' ? { component, step, object } : { component, step };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

export function newWarnings(): Warnings {
  return new Collected();
}

class Collected implements Warnings {
  readonly all: string[] = [];

  add(text: string): void {
    if (!this.all.includes(text)) this.all.push(text);
  }
}

export function newAuditAnnotations(): AuditAnnotations {
  return new Annotations();
}

/** Most requests get none: an object for them is made with the first. */
class Annotations implements AuditAnnotations {
  #all: Map<string, string> | undefined;

  set(key: string, value: string): void {
    this.#all ??= new Map();
    this.#all.set(key, value);
  }

  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#all ?? []);
  }
}
