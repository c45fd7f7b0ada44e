import type { Live } from '../../../libs/kind/object.ts';
import type { Secret } from '../../types/core/v1.generated.ts';

/** Where the Secrets of bootstrap tokens are, and what they are called (API concept "Bootstrap Tokens"). */
export const TOKEN_NAMESPACE = 'kube-system';
export const TOKEN_TYPE = 'bootstrap.kubernetes.io/token';
export const TOKEN_NAME_PREFIX = 'bootstrap-token-';
export const BOOTSTRAPPERS = 'system:bootstrappers';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** `abcdef.0123456789abcdef` in its parts; undefined for any other text. */
export function parseBootstrapToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const match = TOKEN.exec(text);
  return match ? { id: match[1] as string, secret: match[2] as string } : undefined;
}

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
  /** Undefined: it stays good. NaN is not possible: an end that cannot be read has come already (0). */
  readonly expiresMs: number | undefined;
  readonly authenticates: boolean;
  readonly signs: boolean;
  /** Of whoever shows the token; undefined: one of those that are listed is not a group that tokens may give. */
  readonly groups: readonly string[] | undefined;
}

/** The token that a Secret holds; undefined where it holds none, or one under another token's name. */
export function bootstrapTokenOf({ metadata, type, data }: Live<Secret>): BootstrapToken | undefined {
  const text = (key: string) => (data && Object.hasOwn(data, key) ? atob(data[key] as string) : '');
  const token = parseBootstrapToken(`${text('token-id')}.${text('token-secret')}`);
  if (metadata.namespace !== TOKEN_NAMESPACE || type !== TOKEN_TYPE || metadata.deletionTimestamp || !token) return;
  if (metadata.name !== TOKEN_NAME_PREFIX + token.id) return;
  const expiration = text('expiration');
  const extra = text('auth-extra-groups');
  const extras = extra === '' ? [] : [...new Set(extra.split(','))].sort();
  return {
    ...token,
    expiresMs: expiration === '' ? undefined : Date.parse(expiration) || 0,
    authenticates: text('usage-bootstrap-authentication') === 'true',
    signs: text('usage-bootstrap-signing') === 'true',
    groups: extras.every((group) => EXTRA_GROUP.test(group)) ? [BOOTSTRAPPERS, ...extras] : undefined,
  };
}

export const isExpired = ({ expiresMs }: BootstrapToken, nowMs: number): boolean =>
  expiresMs !== undefined && expiresMs <= nowMs;
