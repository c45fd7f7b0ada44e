import { nodes, pods, secrets, serviceAccounts } from '../../../api/resources.ts';
import type { TokenRequest } from '../../../api/types/authentication/v1.generated.ts';
import { type Clock, formatTime } from '../../../libs/base/clock.ts';
import type { KeyPair, Keys } from '../../../libs/base/keys.ts';
import type { Random } from '../../../libs/base/random.ts';
import { signJwt } from '../../../libs/jwt/jwt.ts';
import { JwtVerifier } from '../../../libs/jwt/jwt-verifier.ts';
import {
  boundTokenClaims,
  matchAudiences,
  type ObjectRef,
  readServiceAccountToken,
  type ServiceAccountToken,
  userOf,
} from '../../../libs/jwt/service-account-token.ts';
import type { ActionSubresource, Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, Live, ResourceRef } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext, UserInfo } from '../../../libs/kind/request.ts';
import { badRequest, conflict, invalid, notFound, unauthorized } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { Authenticator } from './authenticator.ts';

export interface ServiceAccountTokenOptions {
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly signingKey: KeyPair;
  /** `iss` of tokens, and the audience of the API server itself. */
  readonly issuer: string;
}

const SECONDS_MIN = 600;
const SECONDS_MAX = 2 ** 32;
const SECONDS_DEFAULT = 3600;

/** Whom a token stands for, or why it stands for nobody. */
export type TokenVerdict =
  | { readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly problem: string };

/**
 * The tokens of service accounts (KEP "bound service account tokens"): issues them through `serviceaccounts/token` and
 * believes them as long as the account, and the object that a token is bound to, are there with the same uid.
 */
export class ServiceAccountTokens {
  readonly issuer: string;
  readonly #options: ServiceAccountTokenOptions;
  readonly #verifier: JwtVerifier;

  constructor(options: ServiceAccountTokenOptions) {
    this.#options = options;
    this.issuer = options.issuer;
    const { keys, clock, signingKey } = options;
    this.#verifier = new JwtVerifier({ keys, clock, publicKeys: [signingKey] });
  }

  /** Reads `Authorization: Bearer`; `registry` is asked for what tokens are bound to. */
  authenticator(registry: () => Registry): Authenticator {
    return {
      name: 'service account token',
      authenticate: async (request) => {
        const token = bearerToken(request.headers.authorization);
        if (token === undefined) return undefined;
        const verdict = await this.verify(token, [this.issuer], registry());
        if ('problem' in verdict) throw unauthorized();
        return verdict.user;
      },
    };
  }

  /** Whom `token` stands for towards one of `audiences`. */
  async verify(token: string, audiences: readonly string[], registry: Registry): Promise<TokenVerdict> {
    const verdict = this.#verifier.verify(token);
    if (!verdict.ok)
      return {
        problem: verdict.why === 'expired' ? 'invalid bearer token, token lookup failed' : 'invalid bearer token',
      };
    const read = readServiceAccountToken(verdict.claims, [this.issuer]);
    if (!read) return { problem: 'invalid bearer token' };
    const shared = matchAudiences(read, audiences);
    if (shared.length === 0) {
      return {
        problem: `token audiences ${goList(read.audiences)} is invalid for the target audiences ${goList(audiences)}`,
      };
    }
    const problem = await this.#bindingProblem(token, read, registry);
    if (problem) return { problem };
    const { username, uid, groups, extra } = userOf(read);
    return { user: { name: username, uid, groups, extra }, audiences: shared };
  }

  async #bindingProblem(text: string, token: ServiceAccountToken, registry: Registry): Promise<string | undefined> {
    const { kind, namespace, serviceAccount, pod, node, secret } = token;
    const same = async (ref: ResourceRef, where: string, object: ObjectRef) => {
      const found = await registry.get(ref, where, object.name);
      return found !== undefined && found.metadata.uid === object.uid;
    };
    if (!(await same(serviceAccounts, namespace, serviceAccount))) return 'service account token has been invalidated';
    if (pod && !(await same(pods, namespace, pod))) return 'service account token has been invalidated';
    if (kind === 'legacy') {
      // It names its secret by name alone: what is in there must be the very token.
      const found = await registry.get(secrets, namespace, secret?.name ?? '');
      const holds = found && !found.metadata.deletionTimestamp && found.data?.['token'] === btoa(text);
      return holds ? undefined : 'service account token has been invalidated';
    }
    if (secret && !(await same(secrets, namespace, secret))) return 'service account token has been invalidated';
    if (node && !pod && !(await same(nodes, '', node))) return 'service account token has been invalidated';
    return undefined;
  }

  /** `serviceAccount` with its `token` subresource. */
  extend(serviceAccount: Kind): Kind {
    return Object.freeze({
      ...serviceAccount,
      subresources: { ...serviceAccount.subresources, token: this.#subresource() },
    });
  }

  #subresource(): ActionSubresource<TokenRequest> {
    return {
      form: 'action',
      gvk: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
      type: 'authentication.v1.TokenRequest',
      asCreated: true,
      strategy: {
        defaults: (draft) => {
          draft.spec.expirationSeconds ??= SECONDS_DEFAULT;
        },
        validate: ({ spec }) => expirationErrors(Number(spec.expirationSeconds)),
      },
      run: (ctx, registry, body) => this.#issue(ctx, registry, body),
    };
  }

  async #issue(ctx: RequestContext, registry: Registry, body: TokenRequest): Promise<ApiObject> {
    const { namespace, name } = ctx.attributes;
    const { clock, keys, random, signingKey } = this.#options;
    if (body.metadata?.namespace && body.metadata.namespace !== namespace)
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    const given = body.metadata?.name;
    if (given && given !== name) {
      const why = 'must match the service account name if specified';
      const group = 'authentication.k8s.io';
      throw invalid({ group, kind: 'TokenRequest' }, name, [field.invalid('metadata.name', given, why)]);
    }
    const account = await registry.get(serviceAccounts, namespace, name);
    if (!account) throw notFound(serviceAccounts, name);
    const bound = await boundObject(registry, namespace, body.spec.boundObjectRef ?? undefined, name);
    const audiences = body.spec.audiences?.length ? body.spec.audiences : [this.issuer];
    const expirationSeconds = Number(body.spec.expirationSeconds);
    const nowMs = clock.now();
    const order = {
      issuer: this.issuer,
      namespace,
      serviceAccount: { name, uid: account.metadata.uid },
      audiences,
      expirationSeconds,
      id: random.uuid(),
      ...bound,
    };
    const token = signJwt(keys, signingKey, boundTokenClaims(order, nowMs));
    const { boundObjectRef = null } = body.spec;
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { ...body.metadata, name, namespace },
      spec: { audiences, expirationSeconds, boundObjectRef },
      status: { token, expirationTimestamp: formatTime(nowMs + expirationSeconds * 1000) },
    } as ApiObject;
  }
}

function expirationErrors(seconds: number): field.ErrorList {
  const at = 'spec.expirationSeconds';
  if (seconds < SECONDS_MIN) return [field.invalid(at, seconds, 'may not specify a duration less than 10 minutes')];
  if (seconds > SECONDS_MAX) return [field.invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds')];
  return [];
}

type Bound = { pod?: ObjectRef; node?: ObjectRef; secret?: ObjectRef };

async function boundObject(
  registry: Registry,
  namespace: string,
  ref: { kind?: string; apiVersion?: string; name?: string; uid?: string } | undefined,
  account: string,
): Promise<Bound> {
  if (!ref) return {};
  const { kind = '', apiVersion = '', name = '', uid } = ref;
  const find = async (resource: ResourceRef, where: string): Promise<Live<ApiObject>> => {
    const found = await registry.get(resource, where, name);
    if (!found) throw notFound(resource, name);
    if (uid && uid !== found.metadata.uid) {
      throw conflict(
        { group: '', resource: kind },
        name,
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    return found;
  };
  const refOf = (object: Live<ApiObject>) => ({ name, uid: object.metadata.uid });
  if (apiVersion === 'v1' && kind === 'Pod') {
    const pod = await find(pods as ResourceRef, namespace);
    const { spec } = pod as { spec?: { serviceAccountName?: string; nodeName?: string } };
    if (spec?.serviceAccountName !== account) {
      throw badRequest(
        `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`,
      );
    }
    const node = spec.nodeName ? await registry.get(nodes, '', spec.nodeName) : undefined;
    return {
      pod: refOf(pod),
      ...(spec.nodeName ? { node: { name: spec.nodeName, ...(node ? { uid: node.metadata.uid } : {}) } } : {}),
    };
  }
  if (apiVersion === 'v1' && kind === 'Secret') return { secret: refOf(await find(secrets as ResourceRef, namespace)) };
  if (apiVersion === 'v1' && kind === 'Node') return { node: refOf(await find(nodes as ResourceRef, '')) };
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
}

/** The token of a `Bearer` header; undefined where there is none, or another scheme. */
export function bearerToken(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'string' ? header : header?.[0];
  const match = /^bearer (\S+)$/i.exec(text?.trim() ?? '');
  return match?.[1];
}

const goList = (items: readonly string[]) => `[${items.map((item) => JSON.stringify(item)).join(' ')}]`;
