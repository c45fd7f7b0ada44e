import { subjectAccessReviews, tokenReviews } from '../../../api/resources.ts';
import type { SubjectAccessReview } from '../../../api/types/authorization/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { Client } from '../../../libs/kind/client.ts';
import { RequestError } from './errors.ts';

/** Who asks, as a certificate or the API server's review of a token says. */
export interface KubeletUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface KubeletAccessOptions {
  /** Asks for reviews; undefined: only `allowed` may do anything. */
  readonly client: Client | undefined;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly nodeName: string;
  /** Who may do all that the server offers, without being asked about. */
  readonly allowed: { readonly users: readonly string[]; readonly groups: readonly string[] };
}

const TOKEN_MS = 120_000;
const ALLOWED_MS = 300_000;
const DENIED_MS = 30_000;
const CACHED_MAX = 1_000;

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * The subresources of `nodes` any of which lets one ask for `path`: a fine one, where there is one, and `proxy`, which
 * is all (API concept "Kubelet authentication/authorization").
 */
export function subresourcesOf(path: string): string[] {
  const first = path.split('/')[1] ?? '';
  switch (first) {
    case 'stats':
    case 'metrics':
      return [first];
    case 'logs':
      return ['log'];
    case 'checkpoint':
      return ['checkpoint'];
    case 'pods':
    case 'runningpods':
      return ['pods', 'proxy'];
    case 'healthz':
    case 'configz':
      return [first, 'proxy'];
    default:
      return ['proxy'];
  }
}

/** Decides who may ask a kubelet for what: certificates and tokens in, `RequestError` with 401 or 403 out. */
export class KubeletAccess {
  readonly #options: KubeletAccessOptions;
  readonly #tokens: Remembered<KubeletUser | undefined>;
  readonly #decisions: Remembered<boolean>;

  constructor(options: KubeletAccessOptions) {
    this.#options = options;
    this.#tokens = new Remembered(options.clock);
    this.#decisions = new Remembered(options.clock);
  }

  async check(request: {
    readonly method: string;
    readonly path: string;
    /** What a certificate says that the server has verified. */
    readonly certificate?: KubeletUser | undefined;
    readonly authorization?: string | undefined;
  }): Promise<KubeletUser> {
    const user = request.certificate ?? (await this.#byToken(request.authorization));
    if (!user) throw new RequestError(401, 'Unauthorized');
    const { users, groups } = this.#options.allowed;
    if (users.includes(user.name) || user.groups.some((group) => groups.includes(group))) return user;
    const verb = VERBS[request.method] ?? '';
    const subresources = subresourcesOf(request.path);
    for (const subresource of subresources) if (await this.#may(user, verb, subresource, request.path)) return user;
    const { nodeName } = this.#options;
    const what = `resource=nodes, subresource(s)=[${subresources.join(' ')}]`;
    throw new RequestError(403, `Forbidden (user=${user.name}, verb=${verb}, ${what}, name=${nodeName})\n`);
  }

  async #byToken(authorization: string | undefined): Promise<KubeletUser | undefined> {
    const { client, keys } = this.#options;
    const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || !client) return undefined;
    // What is remembered is not the token itself.
    const key = keys.digest('sha256', token).toString();
    return this.#tokens.of(key, async () => {
      const { status } = await client
        .resource(tokenReviews)
        .create({ metadata: {}, spec: { token } })
        .catch(unanswered);
      const { username, uid, groups, extra } = status?.user ?? {};
      if (!status?.authenticated || !username) return { value: undefined, forMs: 0 };
      const user = { name: username, groups: groups ?? [], ...(uid && { uid }), ...(extra && { extra }) };
      return { value: user as KubeletUser, forMs: TOKEN_MS };
    });
  }

  #may(user: KubeletUser, verb: string, subresource: string, path: string): Promise<boolean> {
    const { client, nodeName } = this.#options;
    if (!client) return Promise.resolve(false);
    const attributes = { verb, resource: 'nodes', subresource, name: nodeName, group: '', version: 'v1' };
    const key = JSON.stringify([user, verb, subresource, subresource === 'proxy' ? path.split('/')[1] : '']);
    return this.#decisions.of(key, async () => {
      const { name, uid, groups, extra } = user;
      const spec = {
        user: name,
        groups: [...groups],
        ...(uid && { uid }),
        ...(extra && { extra: structuredClone(extra) as Record<string, string[]> }),
        resourceAttributes: attributes,
      };
      const review: SubjectAccessReview = { metadata: {}, spec };
      const { status } = await client.resource(subjectAccessReviews).create(review).catch(unanswered);
      const value = status?.allowed === true && status.denied !== true;
      return { value, forMs: value ? ALLOWED_MS : DENIED_MS };
    });
  }
}

const unanswered = (error: unknown): never => {
  throw new RequestError(500, `the API server could not be asked who this is: ${(error as Error).message}`);
};

/** Answers that are good for a while; bounded. */
class Remembered<T> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: T; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async of(key: string, ask: () => Promise<{ value: T; forMs: number }>): Promise<T> {
    const known = this.#entries.get(key);
    if (known && this.#clock.monotonic() < known.untilMs) return known.value;
    this.#entries.delete(key);
    const { value, forMs } = await ask();
    if (forMs > 0) this.#entries.set(key, { value, untilMs: this.#clock.monotonic() + forMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > CACHED_MAX && oldest !== undefined) this.#entries.delete(oldest);
    return value;
  }
}
