import type { Clock } from '../../libs/base/clock.ts';
import { Deadline } from '../../libs/base/clock.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { AdmissionPlugin } from '../../libs/kind/admission.ts';
import type { Allocator } from '../../libs/kind/allocator.ts';
import type { Documentation } from '../../libs/kind/column.ts';
import type { Kind } from '../../libs/kind/kind.ts';
import {
  newAuditAnnotations,
  newWarnings,
  type RequestAttributes,
  type RequestContext,
  type UserInfo,
} from '../../libs/kind/request.ts';
import { ApiError, type Status, statusOf } from '../../libs/machinery/errors.ts';
import type { SchemaSet } from '../../libs/machinery/schema/ir.ts';
import type { Cell, MetricSet } from '../../libs/metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { Aggregator } from './aggregation/aggregator.ts';
import type { ApiRequest, ApiResponse } from './api.ts';
import { attemptedCredentials } from './audit/attempted.ts';
import { AuditTrail } from './audit/trail.ts';
import { ANONYMOUS, type Authenticator } from './authn/authenticator.ts';
import { type Authorizer, authorizeInTurn, type Verdict } from './authz/authorizer.ts';
import { forbiddenTo } from './authz/forbidden.ts';
import { Caches } from './cache/caches.ts';
import type { WatchLimits } from './cache/watcher.ts';
import type { Admitted, Fairness } from './fairness/fairness.ts';
import { listWidth } from './fairness/list-width.ts';
import { header, managerOf } from './headers.ts';
import { negotiate, type Representation } from './negotiation.ts';
import { type Observed, systemClientOf } from './observed.ts';
import { FollowedBody } from './opened-watch.ts';
import { RegistryAccess } from './registry/access.ts';
import type { Connector, Engine } from './registry/engine.ts';
import type { KindSet } from './registry/kind-set.ts';
import { handleResource } from './registry/verbs.ts';
import type { RequestFigures } from './request-figures.ts';
import { errorResponse, PLAIN_JSON, textResponse } from './responses.ts';
import { isWellEscaped, type Route, route, UnreadablePath } from './router.ts';
import { systemContext } from './system-context.ts';

/** How long a request that is not a watch may take, when the client does not say less. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The built-in schema. */
  readonly schema: SchemaSet;
  /** Where the kinds go; made by the caller, so that endpoints can look at it too. */
  readonly kinds: KindSet;
  /** The published words about fields, where they are at hand. */
  readonly documentation?: Documentation;
  /** Of watches. Default: bookmarks each minute, 30 s for a reader that takes nothing. */
  readonly watch?: Partial<WatchLimits>;
  /** The kinds that are there from the start. */
  readonly builtin: readonly Kind[];
  /** Asked in turn; who none of them knows is anonymous. */
  readonly authenticators: readonly Authenticator[];
  /** Gives the user that `user` acts as (`Impersonate-User` …), or throws 403; without it those headers mean nothing. */
  readonly impersonate?: (
    request: ApiRequest,
    user: UserInfo,
    attributes: RequestAttributes,
  ) => Promise<UserInfo> | UserInfo;
  /** Decides who may run now and who waits; without it nobody does. */
  readonly fairness?: Fairness;
  /** Knows which groups others serve, and asks them. */
  readonly aggregator?: Aggregator;
  /** Counts what is answered. */
  readonly observed?: Observed;
  /** Asked in turn; what none of them allows is forbidden. */
  readonly authorizers: readonly Authorizer[];
  readonly admission: readonly AdmissionPlugin[];
  /** Told of every request that got as far as being understood. Must be quick and must not throw. */
  readonly audit?: (record: AuditRecord) => void;
  /** Makes what the cluster must have, before the first request is answered. */
  readonly bootstrap?: (engine: Engine, ctx: RequestContext) => Promise<void>;
  /** Called when the server stops, before its watches end. */
  readonly stopping?: () => void;
  readonly connector?: Connector;
  /** Who gives out addresses and ports; default nobody. */
  readonly allocators?: (caches: Caches) => readonly Allocator[];
  /** What is served beside resources: `/version`, `/healthz`, discovery, OpenAPI. Asked in turn. */
  readonly endpoints: readonly Endpoint[];
}

/**
 * What happened with one request: that it came (`RequestReceived`), that a watch or a stream began (`ResponseStarted`),
 * that it was answered (`ResponseComplete`).
 */
export interface AuditRecord {
  /** Wall time of the stage. */
  readonly timeMs: number;
  readonly ctx: RequestContext;
  /** What the request is called in all its records: as its trace is, or drawn once somebody asks. */
  readonly id: () => string;
  /** Who asked, without a name where nobody knew them; `ctx.user` is another one where they act as that one. */
  readonly authenticated: UserInfo;
  readonly stage: 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete';
  readonly request: ApiRequest;
  /** Not before there is an answer. */
  readonly code?: number;
  readonly response?: ApiResponse;
  /** Of a request that failed. */
  readonly failure?: Pick<Status, 'kind' | 'message'> & Partial<Status>;
}

/** What is known of one request while it is answered. */
class Asked {
  readonly request: ApiRequest;
  readonly query: URLSearchParams;
  readonly pretty: boolean;
  readonly beganMs: number;
  /** Its own, which tell it from all others. */
  readonly warnings = newWarnings();
  /** Once it is known who asks for what. */
  ctx: RequestContext | undefined;
  trail: AuditTrail | undefined;
  /** Counts it among what is under way. */
  inFlight: Cell | undefined;
  deadline: Deadline | undefined;
  /** Once it may run. */
  turn: Admitted | undefined;

  constructor(request: ApiRequest, beganMs: number) {
    this.request = request;
    this.query = request.query === '' ? NO_QUERY : new URLSearchParams(request.query);
    this.pretty = isPretty(request, this.query);
    this.beganMs = beganMs;
  }

  /** How an answer is written that is no resource's. */
  get form(): Representation {
    const options = { allowAs: false, allowYaml: true, pretty: this.pretty };
    return negotiate(header(this.request, 'accept'), options) ?? PLAIN_JSON;
  }

  end(): void {
    this.turn?.end();
    this.inFlight?.add(-1);
    this.deadline?.[Symbol.dispose]();
  }
}

/** Something served under a path that is no resource. undefined: not mine. */
export interface Endpoint {
  handle(
    server: ApiServer,
    ctx: RequestContext,
    request: ApiRequest,
    form: Representation,
  ): Promise<ApiResponse | undefined> | ApiResponse | undefined;
}

/**
 * The API server without its sockets: what comes in is an `ApiRequest`, what goes out an `ApiResponse`. `serve/` puts it
 * on the network, `in-process.ts` gives it to clients of the same process.
 *
 *     const server = new ApiServer({ store, kinds, … });
 *     await server.start();                 // reads what is stored
 *     const answer = await server.handle(request);
 *     await server.stop();                  // ends watches; the store is the caller's
 */
export class ApiServer {
  readonly engine: Engine;
  readonly schema: SchemaSet;
  readonly #options: ApiServerOptions;
  readonly #authenticated = new WeakMap<UserInfo, UserInfo>();
  #shuttingDown = false;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.schema = options.schema;
    const { store, clock, random, log, admission } = options;
    const { kinds } = options;
    const caches = new Caches({
      store,
      clock,
      log,
      documentation: options.documentation,
      ...(options.watch && { watch: options.watch }),
    });
    for (const kind of options.builtin) {
      kinds.add(kind, options.schema);
      if (!kind.virtual) caches.add(kind, options.schema);
    }
    const engine = {
      store,
      caches,
      kinds,
      schema: options.schema,
      mutating: admission.filter((plugin) => plugin.admit),
      validating: admission.filter((plugin) => plugin.validate),
      clock,
      random,
      log,
      connector: options.connector,
      allocators: options.allocators?.(caches) ?? [],
      observed: options.observed,
      authorize: async (ctx: RequestContext, attributes: RequestAttributes) => this.#authorize({ ...ctx, attributes }),
    };
    this.engine = Object.assign(engine, { registry: new RegistryAccess(engine) });
  }

  /** Resolves when reads can be served. */
  async start(): Promise<void> {
    await this.engine.caches.start();
    await this.#options.bootstrap?.(this.engine, systemContext(this.engine.clock, 'bootstrap'));
  }

  /** What `/metrics` tells, where the server counts; other components of the process may add theirs. */
  get metrics(): MetricSet | undefined {
    return this.#options.observed?.metrics;
  }

  /** Whether it has been told to take no more work; `/readyz` says so, everything goes on. */
  get shuttingDown(): boolean {
    return this.#shuttingDown;
  }

  shutDown(): void {
    this.#shuttingDown = true;
  }

  /** Ends all watches. Requests under way come to their end. */
  async stop(): Promise<void> {
    this.#shuttingDown = true;
    this.#options.stopping?.();
    this.#options.aggregator?.stop();
    this.engine.caches.stop();
  }

  /**
   * Answers a request; never throws: what goes wrong is a Status. What a step knows at once it says at once, here and
   * below: every request comes by, and each turn that it would wait costs as much as many a step.
   */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    if (!isWellEscaped(request.path)) return textResponse(400, '400 Bad Request');
    const asked = new Asked(request, this.engine.clock.monotonic());
    try {
      const routed = route(request.method, request.path, asked.query);
      const known = this.#identify(asked, routed);
      const authenticated = known instanceof Promise ? await known : known;
      let refusal: unknown;
      let user = authenticated;
      try {
        const acting = this.#options.impersonate?.(request, authenticated, routed.attributes) ?? authenticated;
        user = acting instanceof Promise ? await acting : acting;
      } catch (error) {
        // Told of like any other refusal.
        refusal = error;
      }
      const ctx = this.#begin(asked, routed, user, authenticated);
      if (refusal !== undefined) throw refusal;
      const turn = this.#admit(ctx, asked);
      asked.turn = turn instanceof Promise ? await turn : turn;
      const allowed = this.#authorize(ctx);
      if (allowed) await allowed;
      const answer = this.#dispatch(ctx, asked, routed);
      const response = answer instanceof Promise ? await answer : answer;
      asked.trail?.answered(response);
      return this.#told(response, asked, ctx);
    } catch (error) {
      return this.#failed(asked, error);
    } finally {
      asked.end();
    }
  }

  /** From here on the request is one that is told of, and that is under way. */
  #begin(asked: Asked, routed: Route, user: UserInfo, authenticated: UserInfo): RequestContext {
    const { audit, observed } = this.#options;
    const { request } = asked;
    const longRunning = isLongRunning(routed.attributes);
    if (!longRunning) {
      asked.deadline = new Deadline(this.engine.clock, REQUEST_TIMEOUT_MS, request);
      asked.inFlight = observed?.inFlight(routed.attributes.verb);
      asked.inFlight?.add(1);
    }
    const timeoutMs = longRunning ? Number.POSITIVE_INFINITY : REQUEST_TIMEOUT_MS;
    const ctx = this.#context(asked, routed, user, asked.deadline ?? request, timeoutMs);
    asked.ctx = ctx;
    if (audit) {
      asked.trail = new AuditTrail(audit, this.engine, ctx, request, authenticated);
      asked.trail.received();
    }
    return ctx;
  }

  #failed(asked: Asked, error: unknown): ApiResponse {
    const { request, ctx } = asked;
    asked.trail?.failed(error);
    if (error instanceof UnreadablePath) {
      const why = `failed to create RequestInfo: ${error.message}`;
      return textResponse(500, `Internal Server Error: ${JSON.stringify(request.path)}: ${why}\n`);
    }
    if (!isExpected(error))
      this.#options.log.error('a request failed', { method: request.method, path: request.path, error });
    const response = errorResponse(error, asked.form, this.schema, asked.warnings.all);
    return ctx ? this.#told(response, asked, ctx) : response;
  }

  /** Whether others serve what is at this path. */
  isElsewhere(path: string): boolean {
    return this.#options.aggregator?.serves(path) ?? false;
  }

  /** Rejects with `ApiError` 401 or 403 unless who sent a request may do what it says, whoever serves that. */
  async mustAllow(request: ApiRequest): Promise<void> {
    const { attributes } = route(request.method, request.path, new URLSearchParams(request.query));
    const user = await this.authenticate(request);
    await this.#authorize({ ...systemContext(this.engine.clock, 'ask'), user, attributes });
  }

  /** Something that the server asks of itself, as a client would: neither identified, authorized nor limited. */
  async asItself(method: string, target: string, contentType: string, value: unknown): Promise<ApiResponse> {
    const [path = '', search = ''] = target.split('?', 2);
    const query = new URLSearchParams(search);
    const routed = route(method, path, query);
    const ctx = { ...systemContext(this.engine.clock, 'self'), attributes: routed.attributes };
    const request: ApiRequest = {
      method,
      path,
      query: search,
      headers: { 'content-type': contentType },
      body: { value },
      peer: { address: '' },
      signal: ctx.ends.signal,
    };
    return this.#dispatch(ctx, new Asked(request, this.engine.clock.monotonic()), routed);
  }

  /** Waits for the request's turn. A watch has one only until it stands. */
  #admit(ctx: RequestContext, { query }: Asked): Promise<Admitted> | Admitted | undefined {
    const { fairness } = this.#options;
    const { attributes } = ctx;
    if (!fairness || (isLongRunning(attributes) && attributes.verb !== 'watch')) return undefined;
    const { caches, kinds } = this.engine;
    const width = attributes.verb === 'list' ? listWidth(kinds, caches, attributes, query.get('limit')) : 1;
    return fairness.admit(ctx, width);
  }

  /** Counts an answer, and says with it what the server has to say of it. */
  #told(response: ApiResponse, asked: Asked, { attributes }: RequestContext): ApiResponse {
    const { observed } = this.#options;
    const { query, turn } = asked;
    const { code, cookies, warnings } = response;
    const headers = turn ? allHeaders(response.headers, turn.headers) : response.headers;
    if (!observed) return { ...response, headers, body: this.#followed(response, asked, undefined) };
    const found = attributes.isResourceRequest
      ? this.engine.kinds.find(attributes.group, attributes.version, attributes.resource)
      : undefined;
    if (found?.served.deprecationWarning) observed.deprecated(attributes);
    const figures = observed.requests.of(attributes, found !== undefined, query.has('dryRun'));
    const tookMs = this.engine.clock.monotonic() - asked.beganMs;
    const elsewhereMs = (turn?.waitedMs ?? 0) + observed.webhooksMs(asked.warnings);
    figures.answered(code, systemClientOf(header(asked.request, 'user-agent')), tookMs, elsewhereMs);
    const body = this.#followed(response, asked, figures);
    const sized =
      attributes.verb === 'get' || attributes.verb === 'list' ? (bytes: number) => figures.sized(bytes) : undefined;
    return { code, headers, cookies, warnings, body, sized };
  }

  /** Follows a watch: it counts among what is open as long as it is, its events as they are sent, and its end is told. */
  #followed({ code, body }: ApiResponse, asked: Asked, figures: RequestFigures | undefined): ApiResponse['body'] {
    if (body.form !== 'watch') return body;
    const { clock } = this.engine;
    const { query, trail, beganMs } = asked;
    const isWatchList = query.get('sendInitialEvents') === 'true' && query.get('allowWatchBookmarks') === 'true';
    const listed = figures && isWatchList ? () => figures.watchListed(clock.monotonic() - beganMs) : undefined;
    const over = trail && (() => trail.ended(code));
    return new FollowedBody(body, figures, listed, over);
  }

  /** Who sent a request; where that is not known, it is told of once, without a user. */
  #identify(asked: Asked, routed: Route): Promise<UserInfo> | UserInfo {
    const unknown = (error: unknown): never => {
      const { code = 500 } = statusOf(error);
      this.#options.observed?.authentication(code === 401 ? 'failure' : 'error');
      const { audit } = this.#options;
      if (audit && code === 401) {
        const ctx = this.#context(asked, routed, NOBODY, asked.request, REQUEST_TIMEOUT_MS);
        const trail = new AuditTrail(audit, this.engine, ctx, asked.request, NOBODY);
        trail.refused(code, { kind: 'Status', message: attemptedCredentials(asked.request) });
      }
      throw error;
    };
    const identified = (user: UserInfo): UserInfo => {
      this.#options.observed?.authentication('success');
      return user;
    };
    try {
      const known = this.authenticate(asked.request);
      return known instanceof Promise ? known.then(identified, unknown) : identified(known);
    } catch (error) {
      return unknown(error);
    }
  }

  /**
   * Who sent a request, whoever they act as; `first` is the authenticator that is asked first. Throws, or rejects with,
   * `ApiError` 401 for credentials that are wrong.
   */
  authenticate(request: ApiRequest, first = 0): Promise<UserInfo> | UserInfo {
    const { authenticators } = this.#options;
    for (let i = first; i < authenticators.length; i++) {
      const known = (authenticators[i] as Authenticator).authenticate(request);
      if (known instanceof Promise)
        return known.then((user) => (user ? this.#withGroup(user) : this.authenticate(request, i + 1)));
      if (known) return this.#withGroup(known);
    }
    return ANONYMOUS;
  }

  /** The same user for the same answer: authenticators remember whom they know. */
  #withGroup(user: UserInfo): UserInfo {
    let known = this.#authenticated.get(user);
    if (!known) this.#authenticated.set(user, (known = withGroup(user, 'system:authenticated')));
    return known;
  }

  #context(
    { request, warnings }: Asked,
    routed: Route,
    user: UserInfo,
    ends: { readonly signal: AbortSignal },
    timeoutMs: number,
  ): RequestContext {
    const { clock } = this.engine;
    return {
      user,
      attributes: routed.attributes,
      deadlineMs: clock.monotonic() + timeoutMs,
      ends,
      warnings,
      audit: newAuditAnnotations(),
      cause: header(request, 'baggage'),
      trace: traceOf(header(request, 'traceparent')),
      dryRun: false,
      nowMs: clock.now(),
      fieldManager: managerOf(header(request, 'user-agent')),
      fieldValidation: 'Warn',
    };
  }

  /** Throws, or rejects with, `ApiError` 403. */
  #authorize(ctx: RequestContext): Promise<void> | undefined {
    const decide = (verdict: Verdict): void => {
      if (verdict.decision !== 'allow') throw forbiddenTo(ctx, verdict.reason ?? '');
    };
    const verdict = authorizeInTurn(this.#options.authorizers, ctx.user, ctx.attributes);
    if (verdict instanceof Promise) return verdict.then(decide);
    decide(verdict);
    return undefined;
  }

  #dispatch(ctx: RequestContext, asked: Asked, routed: Route): Promise<ApiResponse> | ApiResponse {
    const { aggregator } = this.#options;
    if (!aggregator || aggregator.empty) return this.#answer(ctx, asked, routed);
    return aggregator.answer(ctx, asked.request).then((answer) => answer ?? this.#answer(ctx, asked, routed));
  }

  #answer(ctx: RequestContext, asked: Asked, routed: Route): Promise<ApiResponse> | ApiResponse {
    const { request, query, pretty } = asked;
    return routed.attributes.isResourceRequest
      ? handleResource(this.engine, ctx, request, routed, query, pretty)
      : this.#askEndpoints(ctx, request, asked.form);
  }

  async #askEndpoints(ctx: RequestContext, request: ApiRequest, form: Representation): Promise<ApiResponse> {
    for (const endpoint of this.#options.endpoints) {
      const answer = await endpoint.handle(this, ctx, request, form);
      if (answer) return answer;
    }
    return textResponse(404, '404 page not found\n');
  }
}

/** The trace that a client says its request belongs to (W3C Trace Context). */
function traceOf(parent: string | undefined): string | undefined {
  return parent === undefined ? undefined : /^[\da-f]{2}-([\da-f]{32})-/.exec(parent)?.[1];
}

/** Of a request without parameters; nobody adds any. */
const NO_QUERY = new URLSearchParams();

const NOBODY: UserInfo = Object.freeze({ name: '', groups: Object.freeze([]), extra: Object.freeze({}) });

/** Most answers have none of their own. */
function allHeaders(own: ApiResponse['headers'], more: ApiResponse['headers']): ApiResponse['headers'] {
  for (const _ in own) return { ...own, ...more };
  return more;
}

/** `pretty` as the API reads it: asked for, or a person at a terminal or browser. */
function isPretty(request: ApiRequest, query: URLSearchParams): boolean {
  const pretty = query.get('pretty');
  if (pretty !== null) return pretty !== 'false' && pretty !== '0';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(header(request, 'user-agent') ?? '');
}

const STREAMS: readonly string[] = ['proxy', 'exec', 'attach', 'portforward', 'log'];

function isLongRunning({ isResourceRequest, verb, subresource }: RequestAttributes): boolean {
  if (!isResourceRequest) return false;
  return verb === 'watch' || verb === 'proxy' || (subresource !== '' && STREAMS.includes(subresource));
}

const isExpected = (error: unknown) => error instanceof ApiError;

function withGroup(user: UserInfo, group: string): UserInfo {
  return user.groups.includes(group) || user.groups.includes('system:unauthenticated')
    ? user
    : { ...user, groups: [...user.groups, group] };
}
