import type { UserInfo } from '../../../libs/kind/request.ts';
import type { ApiRequest } from '../api.ts';

/**
 * Says who sent a request. One authenticator looks at one kind of credential: client certificate, ServiceAccount token,
 * bootstrap token. They are asked in turn; the first that knows the credential decides.
 *
 * undefined: the request carries no credential of this kind. Throws `ApiError` 401 for one that is of this kind and wrong
 * (expired, bad signature, revoked), so that a bad credential never falls through to anonymous.
 */
export interface Authenticator {
  readonly name: string;
  authenticate(request: ApiRequest): Promise<UserInfo | undefined> | UserInfo | undefined;
}

export const ANONYMOUS: UserInfo = Object.freeze({
  name: 'system:anonymous',
  groups: Object.freeze(['system:unauthenticated']),
  extra: Object.freeze({}),
});
