import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { badRequest } from '../../../libs/machinery/errors.ts';
import { json } from '../../../libs/machinery/quote.ts';
import type { ApiRequest } from '../api.ts';
import type { Verdict } from '../authz/authorizer.ts';
import { forbiddenTo } from '../authz/forbidden.ts';

export type Authorize = (user: UserInfo, attributes: RequestAttributes) => Promise<Verdict> | Verdict;

const EXTRA_PREFIX = 'impersonate-extra-';
const NODE = /^system:node:(.+)$/;
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Whose right to impersonate was found where is remembered for this many users. */
const REMEMBERED_MAX = 1024;

/**
 * Acting as somebody else (API concept "User impersonation"): gives the claimed user, or the request's own where nothing is
 * claimed. There are several ways to have the right, tried in turn. The constrained ones want the right to do what is asked
 * for in that way (`impersonate-on:user-info:list`) and the right to be that identity (`impersonate:user-info`); the
 * unconstrained one wants just the right to impersonate each thing that is claimed: name, groups, uid, extra.
 *
 * Where none is enough, the refusal of the first is told; first comes the way by which the same user came through last.
 */
export function impersonation(
  authorize: Authorize,
): (request: ApiRequest, user: UserInfo, attributes: RequestAttributes) => Promise<UserInfo> | UserInfo {
  const lastWays = new Map<string, string>();
  const impersonate = async (claim: Claim, user: UserInfo, attributes: RequestAttributes): Promise<UserInfo> => {
    const last = lastWays.get(user.name);
    const ways = waysOf(claim);
    const sorted = [...ways.filter((way) => way === last), ...ways.filter((way) => way !== last)];
    let first: Error | undefined;
    for (const way of sorted) {
      const refusal = await tryWay(way, claim, user, attributes, authorize);
      if (refusal) {
        first ??= refusal;
        continue;
      }
      lastWays.delete(user.name);
      lastWays.set(user.name, way);
      if (lastWays.size > REMEMBERED_MAX) lastWays.delete(lastWays.keys().next().value as string);
      return claimedUser(claim);
    }
    throw first ?? forbiddenTo({ user, attributes }, '');
  };
  return (request, user, attributes) => {
    const claim = claimOf(request);
    return claim ? impersonate(claim, user, attributes) : user;
  };
}

const UNCONSTRAINED = 'impersonate';

/** The ways that fit who is claimed, in their order. */
function waysOf({ name }: Claim): readonly string[] {
  const constrained = ACCOUNT.test(name) ? 'serviceaccount' : NODE.test(name) ? 'arbitrary-node' : 'user-info';
  return [constrained, UNCONSTRAINED];
}

/** Undefined where the user may; otherwise the refusal. */
async function tryWay(
  way: string,
  claim: Claim,
  user: UserInfo,
  request: RequestAttributes,
  authorize: Authorize,
): Promise<Error | undefined> {
  const wanted =
    way === UNCONSTRAINED
      ? [...wantedRights(claim)].map((right) => impersonating(UNCONSTRAINED, right))
      : [
          { ...request, verb: `impersonate-on:${way}:${request.verb}` },
          ...[...constrainedRights(way, claim)].map((right) => impersonating(`impersonate:${way}`, right)),
        ];
  for (const attributes of wanted) {
    const verdict = await authorize(user, attributes);
    if (verdict.decision !== 'allow') return forbiddenTo({ user, attributes }, verdict.reason ?? '');
  }
  return undefined;
}

function* constrainedRights(way: string, claim: Claim): Generator<WantedRight> {
  const group = 'authentication.k8s.io';
  const node = way === 'arbitrary-node' ? NODE.exec(claim.name)?.[1] : undefined;
  if (node !== undefined) yield { group, resource: 'nodes', name: node };
  for (const right of wantedRights(claim)) {
    if (node === undefined || right.resource !== 'users') yield { ...right, group };
  }
}

interface Claim {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

const IMPERSONATE = 'impersonate-';

function claimsAnything(headers: ApiRequest['headers']): boolean {
  for (const name in headers) if (name.startsWith(IMPERSONATE)) return true;
  return false;
}

function claimOf({ headers }: ApiRequest): Claim | undefined {
  if (!claimsAnything(headers)) return undefined;
  const list = (name: string) => {
    const value = headers[name];
    return value === undefined ? [] : typeof value === 'string' ? [value] : [...value];
  };
  const name = list('impersonate-user')[0] ?? '';
  const uid = list('impersonate-uid')[0] ?? '';
  const groups = list('impersonate-group');
  const extra: Record<string, string[]> = {};
  for (const header of Object.keys(headers)) {
    if (header.startsWith(EXTRA_PREFIX)) extra[decodeKey(header.slice(EXTRA_PREFIX.length))] = list(header);
  }
  if (name !== '') return { name, uid, groups, extra };
  if (uid === '' && groups.length === 0 && Object.keys(extra).length === 0) return undefined;
  const goGroups = groups.length === 0 ? '[]string(nil)' : `[]string{${groups.map(json).join(', ')}}`;
  const goExtra =
    Object.keys(extra).length === 0
      ? 'map[string][]string(nil)'
      : `map[string][]string{${Object.entries(extra)
          .map(([key, values]) => `${json(key)}:[]string{${values.map(json).join(', ')}}`)
          .join(', ')}}`;
  throw badRequest(
    `requested &user.DefaultInfo{Name:"", UID:${json(uid)}, Groups:${goGroups}, Extra:${goExtra}} without impersonating a user name`,
  );
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface WantedRight {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

function* wantedRights({ name, uid, groups, extra }: Claim): Generator<WantedRight> {
  const account = ACCOUNT.exec(name);
  if (account)
    yield { group: '', resource: 'serviceaccounts', namespace: account[1] as string, name: account[2] as string };
  else yield { group: '', resource: 'users', name };
  for (const group of groups) yield { group: '', resource: 'groups', name: group };
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values)
      yield { group: 'authentication.k8s.io', resource: 'userextras', subresource: key, name: value };
  }
  if (uid !== '') yield { group: 'authentication.k8s.io', resource: 'uids', name: uid };
}

function impersonating(
  verb: string,
  { group, resource, subresource = '', namespace = '', name }: WantedRight,
): RequestAttributes {
  return {
    verb,
    isResourceRequest: true,
    path: '',
    group,
    version: '',
    resource,
    subresource,
    namespace,
    name,
  };
}

function claimedUser({ name, uid, groups, extra }: Claim): UserInfo {
  const all = [...groups];
  const account = ACCOUNT.exec(name);
  if (account && groups.length === 0) all.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  const known = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated';
  if (!all.includes(known)) all.push(known);
  return { name, ...(uid ? { uid } : {}), groups: all, extra };
}
