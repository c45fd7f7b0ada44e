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

/**
 * Asks authorizers in turn; the first that allows or denies decides, and the reasons of the others add up. The answer is
 * there at once unless one of them needs time: every request comes by here, and hardly any has to wait.
 */
export function authorizeInTurn(
  authorizers: readonly Authorizer[],
  user: UserInfo,
  attributes: RequestAttributes,
): Promise<Verdict> | Verdict {
  return askFrom(0, authorizers, user, attributes, '');
}

/** `known`: of those that were asked already; `answered`: what the first has said, where it had to be waited for. */
function askFrom(
  first: number,
  authorizers: readonly Authorizer[],
  user: UserInfo,
  attributes: RequestAttributes,
  known: string,
  answered?: Verdict,
): Promise<Verdict> | Verdict {
  let reasons = known;
  for (let at = first; at < authorizers.length; at++) {
    const verdict = at === first && answered ? answered : (authorizers[at] as Authorizer).authorize(user, attributes);
    if (verdict instanceof Promise) return goOn(at, authorizers, user, attributes, reasons, verdict);
    if (verdict.decision === 'allow') return verdict;
    if (verdict.reason) reasons = reasons === '' ? verdict.reason : `${reasons}, ${verdict.reason}`;
    if (verdict.decision === 'deny') return { ...verdict, reason: reasons };
  }
  return { decision: 'none', ...(reasons === '' ? {} : { reason: reasons }) };
}

/** By itself: who has not to wait makes no function. */
function goOn(
  at: number,
  authorizers: readonly Authorizer[],
  user: UserInfo,
  attributes: RequestAttributes,
  known: string,
  answer: Promise<Verdict>,
): Promise<Verdict> {
  return answer.then((answered) => askFrom(at, authorizers, user, attributes, known, answered));
}

/**
 * As `authorizeInTurn`, for who cannot wait (expressions of admission policies): an authorizer that needs time has no
 * opinion there, and `error` says so.
 */
export function decideAtOnce(
  authorizers: readonly Authorizer[],
  user: UserInfo,
  attributes: RequestAttributes,
): Verdict {
  const reasons: string[] = [];
  let error: string | undefined;
  for (const authorizer of authorizers) {
    const verdict = authorizer.authorize(user, attributes);
    if (verdict instanceof Promise) {
      error = `${authorizer.name} cannot answer at once`;
      continue;
    }
    if (verdict.decision === 'allow') return verdict;
    if (verdict.reason) reasons.push(verdict.reason);
    if (verdict.decision === 'deny') return { ...verdict, reason: reasons.join(', ') };
  }
  const said = reasons.length > 0 ? { reason: reasons.join(', ') } : {};
  return { decision: 'none', ...said, ...(error === undefined ? {} : { error }) };
}
