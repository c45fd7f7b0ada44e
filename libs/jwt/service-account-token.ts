/**
 * The tokens of service accounts: which claims they carry, and what those say about a user. The forms are upstream's
 * (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/): bound tokens keep theirs below
 * `kubernetes.io`; legacy ones, which lie in Secrets and never expire, have one flat claim for each.
 */
import { audiencesOf, type JwtClaims } from './jwt.ts';

/** A name and, where it is known, the uid of the very object. */
export interface ObjectRef {
  readonly name: string;
  readonly uid?: string;
}

/** What a token says once its signature and times are verified. */
export interface ServiceAccountToken {
  readonly kind: 'bound' | 'legacy';
  readonly namespace: string;
  readonly serviceAccount: ObjectRef;
  /** Empty for legacy tokens: they are for the API server. */
  readonly audiences: readonly string[];
  /** The object that the token dies with: its pod, its node or its secret. A pod's token may name the node as well. */
  readonly pod?: ObjectRef;
  readonly node?: ObjectRef;
  readonly secret?: ObjectRef;
  /** Undefined for legacy tokens. */
  readonly id?: string;
  readonly expiresAtMs?: number;
  /** Who still uses the token after this should be told: it should have been renewed. */
  readonly warnAfterMs?: number;
}

export interface TokenOrder {
  readonly issuer: string;
  readonly namespace: string;
  readonly serviceAccount: ObjectRef;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  /** At most one of these, but for `pod` with `node`. */
  readonly pod?: ObjectRef;
  readonly node?: ObjectRef;
  readonly secret?: ObjectRef;
  readonly warnAfterSeconds?: number;
  /** A UUID, which audit logs name the token by. */
  readonly id: string;
}

const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const LEGACY = Object.freeze({
  namespace: 'kubernetes.io/serviceaccount/namespace',
  secretName: 'kubernetes.io/serviceaccount/secret.name',
  name: 'kubernetes.io/serviceaccount/service-account.name',
  uid: 'kubernetes.io/serviceaccount/service-account.uid',
});

/** `system:serviceaccount:<namespace>:<name>`, the user that a service account is. */
export function serviceAccountUsername(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** The claims of a bound token, valid from `nowMs` on. Throws `RangeError` for a token bound to two things at once. */
export function boundTokenClaims(order: TokenOrder, nowMs: number): JwtClaims {
  const { pod, node, secret, namespace, serviceAccount, warnAfterSeconds } = order;
  if (secret !== undefined && (pod !== undefined || node !== undefined)) {
    throw new RangeError('a token can be bound to one object only');
  }
  const now = Math.floor(nowMs / 1000);
  return {
    aud: [...order.audiences],
    exp: now + order.expirationSeconds,
    iat: now,
    iss: order.issuer,
    jti: order.id,
    'kubernetes.io': {
      namespace,
      ...(node && { node: refOf(node) }),
      ...(pod && { pod: refOf(pod) }),
      ...(secret && { secret: refOf(secret) }),
      serviceaccount: refOf(serviceAccount),
      ...(warnAfterSeconds !== undefined && { warnafter: now + warnAfterSeconds }),
    },
    nbf: now,
    sub: serviceAccountUsername(namespace, serviceAccount.name),
  };
}

/** The claims of the token in a Secret of type `kubernetes.io/service-account-token`. */
export function legacyTokenClaims(namespace: string, serviceAccount: ObjectRef, secretName: string): JwtClaims {
  return {
    iss: LEGACY_ISSUER,
    [LEGACY.namespace]: namespace,
    [LEGACY.secretName]: secretName,
    [LEGACY.name]: serviceAccount.name,
    [LEGACY.uid]: serviceAccount.uid ?? '',
    sub: serviceAccountUsername(namespace, serviceAccount.name),
  };
}

/**
 * Reads the claims of a verified token. Undefined for one that is no service account's: of another issuer, without the
 * claims, or with a subject that is not the account that it names.
 */
export function readServiceAccountToken(
  claims: JwtClaims,
  issuers: readonly string[],
): ServiceAccountToken | undefined {
  const { iss } = claims;
  if (iss === undefined) return undefined;
  // Our own issuer may have the legacy name, too; only the claims tell then.
  const token = (issuers.includes(iss) && readBound(claims)) || (iss === LEGACY_ISSUER && readLegacy(claims));
  if (!token || claims.sub !== serviceAccountUsername(token.namespace, token.serviceAccount.name)) return undefined;
  return token;
}

/** Whether a token may be one of ours, before its signature is verified: who else might know it is asked otherwise. */
export function isServiceAccountIssuer(issuer: string | undefined, issuers: readonly string[]): boolean {
  return issuer !== undefined && (issuer === LEGACY_ISSUER || issuers.includes(issuer));
}

/** The audiences of a token that are among those accepted; a token without any is for all of `accepted`. */
export function matchAudiences(token: ServiceAccountToken, accepted: readonly string[]): readonly string[] {
  if (token.kind === 'legacy') return accepted;
  return token.audiences.filter((audience) => accepted.includes(audience));
}

/** Whom a token makes its bearer, as a UserInfo has it. */
export interface ServiceAccountUser {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export function userOf({ namespace, serviceAccount, pod, node, id }: ServiceAccountToken): ServiceAccountUser {
  const extra = {
    'credential-id': id && `JTI=${id}`,
    'node-name': node?.name,
    'node-uid': node?.uid,
    'pod-name': pod?.name,
    'pod-uid': pod?.uid,
  };
  return {
    username: serviceAccountUsername(namespace, serviceAccount.name),
    uid: serviceAccount.uid ?? '',
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: Object.fromEntries(
      Object.entries(extra).flatMap(([key, value]) =>
        value ? [[`authentication.kubernetes.io/${key}`, [value]]] : [],
      ),
    ),
  };
}

function readBound(claims: JwtClaims): ServiceAccountToken | undefined {
  const own = claims['kubernetes.io'];
  if (!isObject(own)) return undefined;
  const { namespace, warnafter } = own;
  const serviceAccount = readRef(own.serviceaccount);
  if (typeof namespace !== 'string' || namespace === '' || serviceAccount === undefined) return undefined;
  const [pod, node, secret] = [readRef(own.pod), readRef(own.node), readRef(own.secret)];
  return {
    kind: 'bound',
    namespace,
    serviceAccount,
    audiences: audiencesOf(claims),
    ...(pod && { pod }),
    ...(node && { node }),
    ...(secret && { secret }),
    ...(claims.jti !== undefined && { id: claims.jti }),
    ...(claims.exp !== undefined && { expiresAtMs: claims.exp * 1000 }),
    ...(typeof warnafter === 'number' && { warnAfterMs: warnafter * 1000 }),
  };
}

function readLegacy(claims: JwtClaims): ServiceAccountToken | undefined {
  const [namespace, secret, name, uid] = [LEGACY.namespace, LEGACY.secretName, LEGACY.name, LEGACY.uid].map((key) => {
    const value = claims[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  });
  if (namespace === undefined || secret === undefined || name === undefined || uid === undefined) return undefined;
  return { kind: 'legacy', namespace, serviceAccount: { name, uid }, secret: { name: secret }, audiences: [] };
}

const refOf = ({ name, uid }: ObjectRef): ObjectRef => (uid ? { name, uid } : { name });

function readRef(value: unknown): ObjectRef | undefined {
  if (!isObject(value)) return undefined;
  const { name, uid } = value;
  if (typeof name !== 'string' || name === '') return undefined;
  return typeof uid === 'string' && uid !== '' ? { name, uid } : { name };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
