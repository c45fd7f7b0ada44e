import { apiService as apiServiceKind } from '../../../api/apiregistration/apiservice/kind.ts';
import { service as serviceKind } from '../../../api/core/service/kind.ts';
import { endpointSlice as endpointSliceKind } from '../../../api/discovery/endpointslice/kind.ts';
import type { APIService } from '../../../api/types/apiregistration/v1.generated.ts';
import type { Service } from '../../../api/types/core/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import { formatTime, withTimeout } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestAttributes, RequestContext, UserInfo } from '../../../libs/kind/request.ts';
import type { GroupDescription } from '../../../libs/machinery/discovery/discovery.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { headersOf } from '../authn/request-header.ts';
import type { Caches } from '../cache/caches.ts';
import { objectKey } from '../cache/keys.ts';
import { textResponse } from '../responses.ts';
import type { ServiceResolver } from '../service-resolver.ts';
import { describeRemote, type RemoteResources } from './remote-discovery.ts';
import { type RemoteOpenApi, urlInIndex } from './remote-openapi.ts';

/** A request that is carried on to an extension API server, with the proxy's own client certificate. */
export interface ProxyCall {
  readonly host: string;
  readonly port: number;
  /** What its certificate must be for. */
  readonly serverName: string;
  /** Who must have signed it; undefined: the platform's authorities, unless `insecure`. */
  readonly authorityPem: string | undefined;
  readonly insecure: boolean;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
  /** What is carried on; undefined where the server asks for itself. */
  readonly request?: ApiRequest;
}

/** Carries such a request. Rejects with an Error that says why there is no answer. */
export interface ProxyTransport {
  send(call: ProxyCall): Promise<ApiResponse>;
}

/** Reaches nothing: for servers that were given no transport. */
export const NO_AGGREGATION: ProxyTransport = Object.freeze({
  send: () => Promise.reject(new Error('this API server was started without a way to reach others')),
});

export interface AggregatorOptions {
  readonly transport: ProxyTransport;
  readonly clock: Clock;
  readonly log: Logger;
  caches(): Caches;
  registry(): Registry;
  /** Where Services lead. */
  readonly resolve: ServiceResolver;
  /** Sends a request as the server itself. */
  ask(method: string, target: string, contentType: string, value: unknown): Promise<unknown>;
  /** Told when an APIService is available no longer. */
  readonly lost?: (name: string, reason: string) => void;
}

type Remote = DeepReadonly<APIService>;

interface Verdict {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const CHECK_MS = 5000;
const HEALTHY_MS = 30_000;
const UNHEALTHY_MS = 5000;
const SELF: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'], extra: {} };
/** What belongs to one connection, or would let a client say who it is. */
const NOT_FORWARDED =
  /^(?:authorization|connection|content-length|host|keep-alive|te|transfer-encoding|upgrade|x-remote-.*|impersonate-.*)$/;

/**
 * API aggregation (API concept "Kubernetes API Aggregation Layer"): a group's version whose `APIService` names a Service is
 * served by what stands behind it. Requests go there as they came, with the user in headers; whether it answers is looked
 * at now and then, and told in the condition `Available`.
 */
export class Aggregator {
  readonly #options: AggregatorOptions;
  readonly #resources = new Map<string, RemoteResources>();
  readonly #openApi = new Map<string, RemoteOpenApi>();
  #remotes = new Map<string, Remote>();
  #toldOpenApi: readonly RemoteOpenApi[] | undefined;
  #version = -1;
  #timer: Timer | undefined;
  #checking = false;
  #again = false;
  #stopped = false;

  constructor(options: AggregatorOptions) {
    this.#options = options;
  }

  /** The groups that others serve, as discovery tells them. */
  get groups(): GroupDescription[] {
    this.#refresh();
    return describeRemote([...this.#remotes.values()], this.#resources, isAvailable);
  }

  /** All APIServices, those of this server too, and whether they answer. */
  get availability(): readonly (readonly [name: string, available: boolean])[] {
    return this.#options
      .caches()
      .resource(apiServiceKind as unknown as Kind)
      .all()
      .map((one) => [one.name, isAvailable(one.object() as Remote)]);
  }

  /** What others tell of their groups in OpenAPI, as it was heard last; the same array until something changes. */
  get openApi(): readonly RemoteOpenApi[] {
    this.#refresh();
    this.#toldOpenApi ??= [...this.#openApi.values()];
    return this.#toldOpenApi;
  }

  /** The v3 document of a group and version that somebody else serves; undefined: nobody has told of one. */
  async openApiPart(ctx: RequestContext, request: ApiRequest, groupVersion: string): Promise<ApiResponse | undefined> {
    const [name, remote] = [...this.#remotes].find(([, one]) => groupVersionOf(one) === groupVersion) ?? [];
    if (name === undefined || !remote || this.#openApi.get(name)?.v3Url === undefined) return undefined;
    return this.#carry(remote, ctx, request);
  }

  /** Whether anybody else serves anything. */
  get empty(): boolean {
    this.#refresh();
    return this.#remotes.size === 0;
  }

  /** Whether a path is of a group and version that somebody else serves. */
  serves(path: string): boolean {
    const match = /^\/apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(path);
    if (!match) return false;
    this.#refresh();
    return this.#remotes.has(`${match[2]}.${match[1]}`);
  }

  /** The answer of who else serves this group and version; undefined: nobody else does. */
  async answer(ctx: RequestContext, request: ApiRequest): Promise<ApiResponse | undefined> {
    this.#refresh();
    const remote = this.#remotes.get(nameOf(ctx.attributes));
    if (!remote) return undefined;
    return isAvailable(remote) ? this.#carry(remote, ctx, request) : textResponse(503, 'service unavailable\n');
  }

  async #carry(remote: Remote, ctx: RequestContext, request: ApiRequest): Promise<ApiResponse> {
    const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] => {
      if (value === undefined || NOT_FORWARDED.test(name)) return [];
      return (typeof value === 'string' ? [value] : value).map((one): [string, string] => [name, one]);
    });
    const { body } = request;
    const bytes = body && ('bytes' in body ? body.bytes : new TextEncoder().encode(JSON.stringify(body.value)));
    const path = request.query === '' ? request.path : `${request.path}?${request.query}`;
    try {
      return await this.#send(remote, ctx.user, {
        method: request.method,
        path,
        headers,
        body: bytes,
        signal: ctx.ends.signal,
        request,
      });
    } catch (error) {
      const { message } = error as Error;
      this.#options.log.warn('an extension API server did not answer', { name: remote.metadata.name, message });
      return textResponse(503, `error trying to reach service: ${message}\n`);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #send(
    remote: Remote,
    user: UserInfo,
    call: Pick<ProxyCall, 'method' | 'path' | 'headers' | 'body' | 'signal' | 'request'>,
  ): Promise<ApiResponse> {
    const { service, caBundle, insecureSkipTLSVerify = false } = remote.spec ?? {};
    const { name = '', namespace = '', port = 443 } = service ?? {};
    const { transport, registry, resolve } = this.#options;
    return transport.send({
      ...call,
      ...(await resolve(registry(), namespace, name, port)),
      serverName: `${name}.${namespace}.svc`,
      authorityPem: caBundle ? new TextDecoder().decode(decodeBase64(caBundle)) : undefined,
      insecure: insecureSkipTLSVerify,
      headers: [...call.headers, ...headersOf(user)],
    });
  }

  /** Reads the stored APIServices again where they have changed; then all of them are checked. */
  #refresh(): void {
    const caches = this.#options.caches();
    const cache = caches.resource(apiServiceKind as unknown as Kind);
    const version = cache.changed;
    if (version === this.#version) return;
    this.#version = version;
    const all = cache.all().map((encoded) => encoded.object() as unknown as Remote);
    this.#remotes = new Map(
      all.filter(({ spec }) => spec?.service).map((remote) => [remote.metadata.name ?? '', remote]),
    );
    for (const name of this.#resources.keys()) if (!this.#remotes.has(name)) this.#resources.delete(name);
    for (const name of this.#openApi.keys()) {
      if (!this.#remotes.has(name) && this.#openApi.delete(name)) this.#toldOpenApi = undefined;
    }
    if (this.#remotes.size > 0) void this.check();
  }

  /** Looks whether all of them answer, and says so in their conditions. Never rejects. */
  async check(): Promise<void> {
    if (this.#checking) {
      this.#again = true;
      return;
    }
    this.#checking = true;
    this.#timer?.cancel();
    let healthy = true;
    do {
      this.#again = false;
      const verdicts = await Promise.all([...this.#remotes.values()].map((remote) => this.#checkOne(remote)));
      healthy = verdicts.every(({ status }) => status === 'True');
    } while (this.#again && !this.#stopped);
    this.#checking = false;
    if (this.#stopped || this.#remotes.size === 0) return;
    const [delayMs, upkeep] = healthy ? ([HEALTHY_MS, 'check'] as const) : [UNHEALTHY_MS];
    this.#timer = this.#options.clock.setTimer(() => void this.check(), delayMs, { upkeep });
  }

  async #checkOne(remote: Remote): Promise<Verdict> {
    const verdict = this.#missing(remote) ?? (await this.#discover(remote));
    const known = remote.status?.conditions?.find(({ type }) => type === 'Available');
    if (known?.status === verdict.status && known.reason === verdict.reason && known.message === verdict.message)
      return verdict;
    const { clock, log, ask, lost } = this.#options;
    if (known?.status === 'True' && verdict.status === 'False') lost?.(remote.metadata.name ?? '', verdict.reason);
    const lastTransitionTime = known?.status === verdict.status ? known.lastTransitionTime : formatTime(clock.now());
    const target = `/apis/apiregistration.k8s.io/v1/apiservices/${encodeURIComponent(remote.metadata.name ?? '')}/status`;
    const status = { conditions: [{ type: 'Available', ...verdict, lastTransitionTime }] };
    try {
      await ask('PATCH', target, 'application/merge-patch+json', { status });
    } catch (error) {
      log.warn('an APIService was not told whether it is available', { name: remote.metadata.name, error });
    }
    return verdict;
  }

  #missing(remote: Remote): Verdict | undefined {
    const { name = '', namespace = '', port = 443 } = remote.spec?.service ?? {};
    const found = this.#service(namespace, name);
    const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
    const place = `service/${name} in "${namespace}"`;
    if (!found) return no('ServiceNotFound', `${place} is not present`);
    const portName = found.spec?.ports?.find((one) => one.port === port)?.name ?? '';
    if (!found.spec?.ports?.some((one) => one.port === port)) {
      return no('ServicePortError', `${place} is not listening on port ${port}`);
    }
    const slices = this.#options
      .caches()
      .resource(endpointSliceKind as unknown as Kind)
      .all()
      .filter((one) => one.namespace === namespace && one.labels['kubernetes.io/service-name'] === name)
      .map(
        (one) => one.object() as { ports?: { name?: string }[]; endpoints?: { conditions?: { ready?: boolean } }[] },
      );
    if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${place}`);
    const ready = slices.some(
      ({ ports, endpoints }) =>
        ports?.some((one) => (one.name ?? '') === portName) &&
        endpoints?.some(({ conditions }) => conditions?.ready !== false),
    );
    return ready
      ? undefined
      : no('MissingEndpoints', `endpointslices for ${place} have no addresses with port name "${portName}"`);
  }

  /** Asks for its resources: who tells them is well. */
  async #discover(remote: Remote): Promise<Verdict> {
    const path = `/apis/${groupVersionOf(remote)}`;
    using deadline = withTimeout(this.#options.clock, CHECK_MS, new AbortController().signal);
    let why: string;
    try {
      const { code, text } = await this.#get(remote, path, deadline.signal);
      if (code >= 200 && code < 300) {
        this.#resources.set(remote.metadata.name ?? '', JSON.parse(text) as RemoteResources);
        await this.#readOpenApi(remote);
        return { status: 'True', reason: 'Passed', message: 'all checks passed' };
      }
      why = `bad status from ${path}: ${code}`;
    } catch (error) {
      why = (error as Error).message;
    }
    return { status: 'False', reason: 'FailedDiscoveryCheck', message: `failing or missing response: ${why}` };
  }

  /** What it does not tell in OpenAPI is left out; it is no less available. */
  async #readOpenApi(remote: Remote): Promise<void> {
    using deadline = withTimeout(this.#options.clock, CHECK_MS, new AbortController().signal);
    const read = async (path: string): Promise<unknown> => {
      try {
        const { code, text } = await this.#get(remote, path, deadline.signal);
        return code === 200 ? JSON.parse(text) : undefined;
      } catch {
        return undefined;
      }
    };
    const groupVersion = groupVersionOf(remote);
    const [v3, v2] = await Promise.all([read('/openapi/v3'), read('/openapi/v2')]);
    const document = typeof v2 === 'object' && v2 !== null ? (v2 as RemoteOpenApi['v2']) : undefined;
    const now: RemoteOpenApi = { groupVersion, v3Url: urlInIndex(v3, groupVersion), v2: document };
    const name = remote.metadata.name ?? '';
    if (sameValue(this.#openApi.get(name), now)) return;
    this.#openApi.set(name, now);
    this.#toldOpenApi = undefined;
  }

  async #get(remote: Remote, path: string, signal: AbortSignal): Promise<{ code: number; text: string }> {
    const headers = [['accept', 'application/json']] as const;
    const { code, body } = await this.#send(remote, SELF, { method: 'GET', path, headers, body: undefined, signal });
    return { code, text: await textOf(body) };
  }

  #service(namespace: string, name: string): DeepReadonly<Service> | undefined {
    const kind = serviceKind as unknown as Kind;
    return this.#options
      .caches()
      .resource(kind)
      .get(objectKey(kind, namespace, name))
      ?.object() as DeepReadonly<Service> | undefined;
  }
}

const groupVersionOf = ({ spec }: Remote): string => `${spec?.group ?? ''}/${spec?.version ?? ''}`;

/** `v1.example.com` of a resource's path, or of `/apis/example.com/v1`. */
function nameOf({ isResourceRequest, group, version, path }: RequestAttributes): string {
  if (isResourceRequest) return `${version}.${group}`;
  const match = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(path);
  return match ? `${match[2]}.${match[1]}` : '';
}

const isAvailable = ({ status }: Remote): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True') ?? false;

async function textOf(body: ApiResponse['body']): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  if (body.form === 'whole') for (const piece of body.bytes()) text += decoder.decode(piece, { stream: true });
  if (body.form === 'stream') {
    for await (const piece of body.chunks) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > 4 * 1024 * 1024) throw new Error('the answer is too large');
    }
  }
  return text + decoder.decode();
}
