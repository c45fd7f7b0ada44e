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
import type { ApiRequest, ApiResponse, WatchBody, WatchFrame, WatchHandle, WatchSink } from './api.ts';
import { attemptedCredentials } from './audit/attempted.ts';
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
import { RegistryAccess } from './registry/access.ts';
import type { Connector, Engine } from './registry/engine.ts';
import type { KindSet } from './registry/kind-set.ts';
import { handleResource } from './registry/verbs.ts';
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

/** What is known of a request when it has been answered. */
interface Asked {
  readonly request: ApiRequest;
  readonly query: URLSearchParams;
  readonly beganMs: number;
  /** Its own, which tell it from all others. */
  readonly warnings: RequestContext['warnings'];
  /** For its turn. */
  readonly waitedMs: number;
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
      admission,
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
    const query = request.query === '' ? NO_QUERY : new URLSearchParams(request.query);
    const form =
      negotiate(header(request, 'accept'), { allowAs: false, allowYaml: true, pretty: isPretty(request, query) }) ??
      PLAIN_JSON;
    const warnings = newWarnings();
    const beganMs = this.engine.clock.monotonic();
    let attributes: RequestAttributes | undefined;
    let headers: Readonly<Record<string, string>> | undefined;
    try {
      const routed = route(request.method, request.path, query);
      let authenticated: UserInfo;
      try {
        const known = this.authenticate(request);
        authenticated = known instanceof Promise ? await known : known;
        this.#options.observed?.authentication('success');
      } catch (error) {
        this.#options.observed?.authentication(statusOf(error).code === 401 ? 'failure' : 'error');
        this.#auditUnauthenticated(error, request, routed, warnings);
        throw error;
      }
      let refusal: unknown;
      let user = authenticated;
      try {
        const acting = this.#options.impersonate?.(request, authenticated, routed.attributes) ?? authenticated;
        user = acting instanceof Promise ? await acting : acting;
      } catch (error) {
        // Told of like any other refusal.
        refusal = error;
      }
      const deadlineMs = REQUEST_TIMEOUT_MS;
      const longRunning = isLongRunning(routed);
      const deadline = longRunning ? undefined : new Deadline(this.engine.clock, deadlineMs, request);
      attributes = routed.attributes;
      const finished = longRunning ? undefined : this.#options.observed?.begin(routed.attributes);
      let admitted: Admitted | undefined;
      try {
        const ctx = this.#context(
          request,
          routed,
          user,
          warnings,
          deadline ?? request,
          longRunning ? Number.POSITIVE_INFINITY : deadlineMs,
        );
        const run = (turn: Admitted | undefined) => {
          admitted = turn;
          if (admitted) headers = flowHeaders(admitted);
          const dispatch = () => this.#dispatch(ctx, request, routed, query, form);
          const authorized = this.#authorize(ctx);
          return authorized ? authorized.then(dispatch) : dispatch();
        };
        const answer = this.#audited(ctx, request, authenticated, () => {
          if (refusal !== undefined) throw refusal;
          const turn = this.#admit(ctx, routed, query, longRunning);
          return turn instanceof Promise ? turn.then(run) : run(turn);
        });
        const response = answer instanceof Promise ? await answer : answer;
        const asked: Asked = { request, query, beganMs, warnings, waitedMs: admitted?.waitedMs ?? 0 };
        return this.#followed(this.#told(withHeaders(response, headers), routed.attributes, asked), routed, asked);
      } finally {
        admitted?.end();
        finished?.();
        deadline?.[Symbol.dispose]();
      }
    } catch (error) {
      if (error instanceof UnreadablePath) {
        const why = `failed to create RequestInfo: ${error.message}`;
        return textResponse(500, `Internal Server Error: ${JSON.stringify(request.path)}: ${why}\n`);
      }
      if (!isExpected(error))
        this.#options.log.error('a request failed', { method: request.method, path: request.path, error });
      const response = withHeaders(errorResponse(error, form, this.schema, warnings.all), headers);
      return attributes
        ? this.#told(response, attributes, { request, query, beganMs, warnings, waitedMs: 0 })
        : response;
    }
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
    return this.#dispatch(ctx, request, routed, query, PLAIN_JSON);
  }

  /** Waits for the request's turn. A watch has one only until it stands. */
  #admit(
    ctx: RequestContext,
    { attributes }: Route,
    query: URLSearchParams,
    longRunning: boolean,
  ): Promise<Admitted> | Admitted | undefined {
    const { fairness } = this.#options;
    if (!fairness || (longRunning && attributes.verb !== 'watch')) return undefined;
    const { caches, kinds } = this.engine;
    const width = attributes.verb === 'list' ? listWidth(kinds, caches, attributes, query.get('limit')) : 1;
    return fairness.admit(ctx, width);
  }

  /** A watch counts among what is open as long as it is, and its events as they are sent. */
  #followed(response: ApiResponse, { attributes }: Route, { query, beganMs }: Asked): ApiResponse {
    const { observed } = this.#options;
    const { body } = response;
    if (!observed || body.form !== 'watch') return response;
    const isWatchList = query.get('sendInitialEvents') === 'true' && query.get('allowWatchBookmarks') === 'true';
    const listed = () => observed.watchListed(attributes, this.engine.clock.monotonic() - beganMs);
    const open: WatchBody['open'] = (sink) => {
      const watches = observed.longRunning(attributes);
      watches.add(1);
      const counted = new CountedSink(sink, observed.watchEvents(attributes), isWatchList ? listed : undefined);
      return new EndedWatch(body.open(counted), () => watches.add(-1));
    };
    return { ...response, body: { ...body, open } };
  }

  #told(
    response: ApiResponse,
    attributes: RequestAttributes,
    { request, query, beganMs, warnings, waitedMs }: Asked,
  ): ApiResponse {
    const { observed } = this.#options;
    if (!observed) return response;
    const found = attributes.isResourceRequest
      ? this.engine.kinds.find(attributes.group, attributes.version, attributes.resource)
      : undefined;
    const known = found !== undefined;
    if (found?.served.deprecationWarning) observed.deprecated(attributes);
    observed.answered({
      attributes,
      code: response.code,
      durationMs: this.engine.clock.monotonic() - beganMs,
      dryRun: query.has('dryRun'),
      systemClient: systemClientOf(header(request, 'user-agent')),
      elsewhereMs: waitedMs + observed.webhooksMs(warnings),
      known,
    });
    if (attributes.verb !== 'get' && attributes.verb !== 'list') return response;
    return { ...response, sized: (bytes) => observed.sized({ attributes, known }, bytes) };
  }

  #audited(
    ctx: RequestContext,
    request: ApiRequest,
    authenticated: UserInfo,
    answer: () => Promise<ApiResponse> | ApiResponse,
  ): Promise<ApiResponse> | ApiResponse {
    const { audit } = this.#options;
    return audit ? this.#tellOf(audit, ctx, request, authenticated, answer) : answer();
  }

  async #tellOf(
    audit: (record: AuditRecord) => void,
    ctx: RequestContext,
    request: ApiRequest,
    authenticated: UserInfo,
    answer: () => Promise<ApiResponse> | ApiResponse,
  ): Promise<ApiResponse> {
    const id = this.#auditIdOf(ctx);
    const tell = (stage: AuditRecord['stage'], more?: Partial<AuditRecord>) =>
      audit({ timeMs: this.engine.clock.now(), ctx, id, authenticated, request, stage, ...more });
    tell('RequestReceived');
    try {
      const response = await answer();
      const { code, body } = response;
      if (body.form !== 'watch') {
        tell('ResponseComplete', { code, response });
        return response;
      }
      tell('ResponseStarted', { code, response });
      return {
        ...response,
        body: { ...body, open: (sink) => new EndedWatch(body.open(sink), () => tell('ResponseComplete', { code })) },
      };
    } catch (error) {
      const failure = statusOf(error);
      tell('ResponseComplete', { code: failure.code ?? 500, failure });
      throw error;
    }
  }

  /** Who asked is not known: told once, without a user. */
  #auditUnauthenticated(
    error: unknown,
    request: ApiRequest,
    routed: Route,
    warnings: RequestContext['warnings'],
  ): void {
    const { audit } = this.#options;
    const { code = 500 } = statusOf(error);
    if (!audit || code !== 401) return;
    const ctx = this.#context(request, routed, NOBODY, warnings, request, REQUEST_TIMEOUT_MS);
    const failure = { kind: 'Status', message: attemptedCredentials(request) } as const;
    const timeMs = this.engine.clock.now();
    const id = this.#auditIdOf(ctx);
    audit({ timeMs, ctx, id, authenticated: NOBODY, request, stage: 'ResponseStarted', code, failure });
  }

  #auditIdOf({ trace }: RequestContext): () => string {
    let id = trace;
    return () => {
      id ??= this.engine.random.uuid().replaceAll('-', '');
      return id;
    };
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
    request: ApiRequest,
    routed: Route,
    user: UserInfo,
    warnings: RequestContext['warnings'],
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

  #dispatch(
    ctx: RequestContext,
    request: ApiRequest,
    routed: Route,
    query: URLSearchParams,
    form: Representation,
  ): Promise<ApiResponse> | ApiResponse {
    const { aggregator } = this.#options;
    const ours = () =>
      routed.attributes.isResourceRequest
        ? handleResource(this.engine, ctx, request, routed, query, form.pretty)
        : this.#askEndpoints(ctx, request, form);
    if (!aggregator || aggregator.empty) return ours();
    return aggregator.answer(ctx, request).then((answer) => answer ?? ours());
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

/**
 * Counts the events that a sink takes, and tells once when the first state has been sent: a bookmark closes it, the first
 * there is.
 */
class CountedSink implements WatchSink {
  readonly #sink: WatchSink;
  readonly #sent: Cell;
  #listed: (() => void) | undefined;

  constructor(sink: WatchSink, sent: Cell, listed: (() => void) | undefined) {
    this.#sink = sink;
    this.#sent = sent;
    this.#listed = listed;
  }

  event(frame: WatchFrame): boolean {
    this.#sent.add(1);
    const taken = this.#sink.event(frame);
    if (this.#listed && frame.type === 'BOOKMARK') {
      this.#listed();
      this.#listed = undefined;
    }
    return taken;
  }

  room(): Promise<void> | undefined {
    return this.#sink.room?.();
  }

  end(): void {
    this.#sink.end();
  }
}

/**
 * A watch that tells once when it is over. A class, as a cluster opens a hundred watches when it starts: of literals V8 would
 * make all later ones old, and each holds the server (`docs/decisions/closures-that-live-long.md`).
 */
class EndedWatch implements WatchHandle {
  readonly #handle: WatchHandle;
  readonly #over: () => void;
  #told = false;

  constructor(handle: WatchHandle, over: () => void) {
    this.#handle = handle;
    this.#over = over;
  }

  close(): void {
    this.#handle.close();
    if (!this.#told) this.#over();
    this.#told = true;
  }
}

/** By which schema and at which level a request ran. */
const flowHeaders = ({ schemaUid, levelUid }: Admitted): Record<string, string> => ({
  'x-kubernetes-pf-flowschema-uid': schemaUid,
  'x-kubernetes-pf-prioritylevel-uid': levelUid,
});

const withHeaders = (response: ApiResponse, headers: Readonly<Record<string, string>> | undefined): ApiResponse =>
  headers ? { ...response, headers: { ...response.headers, ...headers } } : response;

/** `pretty` as the API reads it: asked for, or a person at a terminal or browser. */
function isPretty(request: ApiRequest, query: URLSearchParams): boolean {
  const pretty = query.get('pretty');
  if (pretty !== null) return pretty !== 'false' && pretty !== '0';
  return /^(curl|Wget|Mozilla\/5\.0)/.test(header(request, 'user-agent') ?? '');
}

function isLongRunning({ attributes }: Route): boolean {
  if (!attributes.isResourceRequest) return false;
  if (attributes.verb === 'watch' || attributes.verb === 'proxy') return true;
  return ['proxy', 'exec', 'attach', 'portforward', 'log'].includes(attributes.subresource);
}

const isExpected = (error: unknown) => error instanceof ApiError;

function withGroup(user: UserInfo, group: string): UserInfo {
  return user.groups.includes(group) || user.groups.includes('system:unauthenticated')
    ? user
    : { ...user, groups: [...user.groups, group] };
}
