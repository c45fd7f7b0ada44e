import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { badRequest } from '../../../libs/machinery/errors.ts';
import { json } from '../../../libs/machinery/quote.ts';
import type { ApiRequest } from '../api.ts';
import type { Verdict } from '../authz/authorizer.ts';
import { forbiddenTo } from '../authz/forbidden.ts';

export type Authorize = (user: UserInfo, attributes: RequestAttributes) => Promise<Verdict>;

const EXTRA_PREFIX = 'impersonate-extra-';
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * Acting as somebody else (API concept "User impersonation"): each thing that is claimed (name, groups, uid, extra) wants
 * the right to impersonate just that. Gives the claimed user, or the request's own where nothing is claimed.
 */
export async function impersonate(request: ApiRequest, user: UserInfo, authorize: Authorize): Promise<UserInfo> {
  const claim = claimOf(request);
  if (!claim) return user;
  for (const wanted of wantedRights(claim)) {
    const attributes = impersonating(wanted);
    const verdict = await authorize(user, attributes);
    if (verdict.decision !== 'allow') throw forbiddenTo({ user, attributes }, verdict.reason ?? '');
  }
  return claimedUser(claim);
}

interface Claim {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

function claimOf({ headers }: ApiRequest): Claim | undefined {
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

function impersonating({ group, resource, subresource = '', namespace = '', name }: WantedRight): RequestAttributes {
  return {
    verb: 'impersonate',
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
