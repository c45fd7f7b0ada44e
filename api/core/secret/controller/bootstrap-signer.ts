import { encodeBase64Url } from '../../../../libs/base/base64.ts';
import type { Keys } from '../../../../libs/base/keys.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { configMaps, secrets } from '../../../resources.ts';
import type { ConfigMap } from '../../../types/core/v1.generated.ts';
import { type BootstrapToken, bootstrapTokenOf, isExpired, TOKEN_NAMESPACE } from '../bootstrap-token.ts';

const NAMESPACE = 'kube-public';
const NAME = 'cluster-info';
const KEY = `${NAMESPACE}/${NAME}`;
const SIGNED = 'kubeconfig';
const SIGNATURE_PREFIX = 'jws-kubeconfig-';
const LOOK_MS_MAX = 24 * 3_600_000;

export interface Observed {
  readonly info: Live<ConfigMap>;
  readonly tokens: readonly BootstrapToken[];
  sign(content: string, token: BootstrapToken): string;
}

export interface Action {
  readonly type: 'update';
  readonly reason: string;
  readonly data: Readonly<Record<string, string>>;
}

/** The cluster's description carries one signature for each token that may sign, and no other. */
export function plan({ info, tokens, sign }: Observed, nowMs: number): Plan<Action> {
  const content = info.data?.[SIGNED];
  if (!content) return { actions: [] };
  const kept = Object.entries(info.data ?? {}).filter(([key]) => !key.startsWith(SIGNATURE_PREFIX));
  const signing = tokens.filter((token) => token.signs && !isExpired(token, nowMs));
  const signatures = signing.map((token) => [SIGNATURE_PREFIX + token.id, sign(content, token)]);
  const data: Record<string, string> = Object.fromEntries([...kept, ...signatures]);
  const ends = signing.flatMap(({ expiresMs }) => (expiresMs === undefined ? [] : [expiresMs - nowMs]));
  return {
    actions: sameValue(data, info.data) ? [] : [{ type: 'update', data, reason: 'tokens or content have changed' }],
    ...(ends.length > 0 ? { againAfterMs: Math.min(...ends, LOOK_MS_MAX) } : {}),
  };
}

/**
 * A JWS (RFC 7515, appendix F) without its content, HMAC-SHA-256 with the token's secret: who knows the token can tell
 * that the cluster's description comes from somebody who knows it too.
 */
export function detachedSignature(keys: Keys, content: string, { id, secret }: Pick<BootstrapToken, 'id' | 'secret'>) {
  const header = encodeBase64Url(JSON.stringify({ alg: 'HS256', kid: id }));
  const signature = keys.hmac(new TextEncoder().encode(secret), `${header}.${encodeBase64Url(content)}`);
  return `${header}..${encodeBase64Url(signature)}`;
}

/** Signs `kube-public/cluster-info` for who joins with a bootstrap token. */
export const bootstrapSignerController: Reconciler<Observed, Action> = {
  name: 'bootstrap-signer-controller',
  concurrency: 1,
  watches: [
    watching(configMaps, ({ metadata }) => (metadata.name === NAME && metadata.namespace === NAMESPACE ? [KEY] : [])),
    watching(secrets, (secret) => (bootstrapTokenOf(secret) ? [KEY] : [])),
  ],
  observe({ informers, keys }) {
    const info = informers.informer(configMaps).get(KEY);
    if (!info) return undefined;
    const tokens = informers
      .informer(secrets)
      .list(TOKEN_NAMESPACE)
      .flatMap((secret) => bootstrapTokenOf(secret) ?? []);
    return { info, tokens, sign: (content, token) => detachedSignature(keys, content, token) };
  },
  plan,
  async apply({ client }, { data }, { info }) {
    const maps = client.resource(configMaps).namespace(NAMESPACE);
    const { metadata } = await maps.update({ ...info, data } as unknown as ConfigMap);
    return [{ ref: configMaps, resourceVersion: metadata.resourceVersion }];
  },
};
