// What a machine needs to join a cluster: a bootstrap token, and a pin by which it knows the cluster's authority.

import { parseBootstrapToken } from '../api/core/secret/bootstrap-token.ts';
import type { Keys } from '../libs/base/keys.ts';
import { CommandError } from './errors.ts';

export interface JoinToken {
  /** `abcdef.0123456789abcdef`, as in the API concept "Bootstrap Tokens". */
  readonly bootstrapToken: string;
  /** Base64url of SHA-256 over the public key of the cluster's authority. */
  readonly authorityPin: string;
}

const FORM = /^([a-z0-9]{6}\.[a-z0-9]{16})\.([A-Za-z0-9_-]{43})$/;

/** Both in one word, so that who copies the one has the other: `abcdef.0123456789abcdef.<43 characters>`. */
export const formatJoinToken = ({ bootstrapToken, authorityPin }: JoinToken): string =>
  `${bootstrapToken}.${authorityPin}`;

/** Throws `CommandError` for any other text; the message does not repeat it, as most of it may be a secret. */
export function parseJoinToken(text: string): JoinToken {
  const [, bootstrapToken, authorityPin] = FORM.exec(text.trim()) ?? [];
  if (bootstrapToken && authorityPin) return { bootstrapToken, authorityPin };
  if (parseBootstrapToken(text.trim())) {
    throw new CommandError(
      'The token lacks its last part, by which this machine knows the right cluster; copy the whole word that "tutti token create" prints.',
      2,
    );
  }
  throw new CommandError('--token wants the word that "tutti token create" prints on the server.', 2);
}

/** The pin of an authority by its certificate. It stays when the certificate is renewed, as the key does. */
export const pinOf = (keys: Keys, authorityPem: string): string => keys.importPublicKey(authorityPem).keyId;
