import { encodeBase64 } from '../../../../libs/base/base64.ts';
import type { KeyPair } from '../../../../libs/base/keys.ts';
import { signJwt } from '../../../../libs/jwt/jwt.ts';
import { legacyTokenClaims } from '../../../../libs/jwt/service-account-token.ts';
import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  type Plan,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { secrets, serviceAccounts } from '../../../resources.ts';
import type { Secret, ServiceAccount } from '../../../types/core/v1.generated.ts';

export interface TokensSettings {
  /** Signs the tokens; the API server believes what it signs. */
  readonly signingKey: KeyPair;
  /** The cluster's authority, which goes with every token. */
  readonly rootAuthorityPem: string;
}

export interface Observed {
  readonly secret: Live<Secret>;
  /** The account that the Secret names, if it is still the same one. */
  readonly account: Live<ServiceAccount> | undefined;
  readonly rootAuthorityPem: string;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'delete' }
  | { readonly type: 'fill'; readonly data: Readonly<Record<string, string>>; readonly needsToken: boolean }
);

const TYPE = 'kubernetes.io/service-account-token';
const NAME = 'kubernetes.io/service-account.name';
const UID = 'kubernetes.io/service-account.uid';

const encode = (text: string): string => encodeBase64(text);

/** A Secret for an account gets what it lacks: authority, namespace, a token that never ends. Without its account it goes. */
export function plan({ secret, account, rootAuthorityPem }: Observed): Plan<Action> {
  if (secret.metadata.deletionTimestamp) return { actions: [] };
  if (!account) return { actions: [{ type: 'delete', reason: 'its account is gone' }] };
  const wanted = { 'ca.crt': encode(rootAuthorityPem), namespace: encode(secret.metadata.namespace ?? '') };
  const data = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => secret.data?.[key] !== value));
  const needsToken = !secret.data?.['token'];
  const isMarked = secret.metadata.annotations?.[UID] === account.metadata.uid;
  if (Object.keys(data).length === 0 && !needsToken && isMarked) return { actions: [] };
  return { actions: [{ type: 'fill', data, needsToken, reason: 'it lacks what its account gives' }] };
}

/** Fills Secrets of the type `kubernetes.io/service-account-token`, which users make for accounts, and clears them away. */
export function tokensController({ signingKey, rootAuthorityPem }: TokensSettings): Reconciler<Observed, Action> {
  return {
    name: 'serviceaccount-token-controller',
    watches: [
      watching(secrets, (secret) => (accountKeys(secret).length > 0 ? [keyOf(secret)] : [])),
      watching(serviceAccounts, (account, { informers }) =>
        byAccount(informers).by('account', keyOf(account)).map(keyOf),
      ),
    ],
    observe({ informers }, key) {
      const secret = byAccount(informers).get(key);
      const [accountKey] = secret ? accountKeys(secret) : [];
      if (!secret || !accountKey) return undefined;
      const account = informers.informer(serviceAccounts).get(accountKey);
      const uid = secret.metadata.annotations?.[UID];
      return { secret, rootAuthorityPem, account: uid && account?.metadata.uid !== uid ? undefined : account };
    },
    plan,
    async apply(env, action, { secret, account }): Promise<readonly Written[]> {
      const { namespace = '', name, uid } = secret.metadata;
      const client = env.client.resource(secrets).namespace(namespace);
      if (action.type === 'delete') {
        if (!(await isReallyGone(env, secret))) throw new Error('the account is there, but not to be seen yet');
        await client.delete(name, { preconditions: { uid } }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        return [];
      }
      if (!account) return [];
      const data: Record<string, string> = { ...secret.data, ...action.data };
      if (action.needsToken) {
        const claims = legacyTokenClaims(namespace, { name: account.metadata.name, uid: account.metadata.uid }, name);
        data['token'] = encode(signJwt(env.keys, signingKey, claims));
      }
      const annotations = { ...secret.metadata.annotations, [UID]: account.metadata.uid };
      const filled = { ...secret, metadata: { ...secret.metadata, annotations }, data } as unknown as Secret;
      const { metadata } = await client.update(filled);
      return [{ ref: secrets, resourceVersion: metadata.resourceVersion }];
    },
  };
}

/** What is deleted cannot be brought back, and the two informers may be apart: the server is asked. */
async function isReallyGone({ client }: ControllerEnvironment, { metadata }: Live<Secret>): Promise<boolean> {
  const { namespace = '', annotations = {} } = metadata;
  try {
    const account = await client
      .resource(serviceAccounts)
      .namespace(namespace)
      .get(annotations[NAME] ?? '');
    return annotations[UID] !== undefined && annotations[UID] !== account.metadata.uid;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

function byAccount(informers: ControllerEnvironment['informers']) {
  const informer = informers.informer(secrets);
  informer.index('account', accountKeys);
  return informer;
}

function accountKeys({ type, metadata }: Live<Secret>): readonly string[] {
  const name = metadata.annotations?.[NAME];
  return type === TYPE && name ? [`${metadata.namespace}/${name}`] : [];
}
