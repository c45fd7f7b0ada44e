import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';

/** `none`: this authorizer has nothing to say, ask the next; in the end that means no. */
export type Decision = 'allow' | 'deny' | 'none';

/**
 * Says whether a user may do something. Authorizers are asked in turn (Node, then RBAC); the first that allows or
 * denies decides. `reason` says why not, for the message of the 403 and for reviews.
 */
export interface Authorizer {
  readonly name: string;
  authorize(user: UserInfo, attributes: RequestAttributes): Promise<Verdict> | Verdict;
}

export interface Verdict {
  readonly decision: Decision;
  readonly reason?: string;
  /** Something could not be looked at (a role that does not exist). */
  readonly error?: string;
}
