import type { Authorizer } from './authorizer.ts';

const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);
/** Questions that are asked by creating an object, which nobody keeps. */
const QUESTIONS: ReadonlySet<string> = new Set(['authorization.k8s.io', 'authentication.k8s.io']);

/** Refuses to everybody, whoever they are, what may change something; the rest is for the next to decide. */
export function readOnlyAuthorizer(reason: string): Authorizer {
  return {
    name: 'ReadOnly',
    authorize: (_user, { verb, group, isResourceRequest }) =>
      READING.has(verb) || (isResourceRequest && QUESTIONS.has(group))
        ? { decision: 'none' }
        : { decision: 'deny', reason },
  };
}
