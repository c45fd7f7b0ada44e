import type { TokenReview } from '../../../api/types/authentication/v1.generated.ts';
import { type Clock, formatTime } from '../../../libs/base/clock.ts';
import { defineKind, type Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import { badRequest } from '../../../libs/machinery/errors.ts';
import type { ServiceAccountTokens } from '../authn/service-account-tokens.ts';

const GROUP = 'authentication.k8s.io';

/** Whom a token stands for that is no service account's; undefined: it is not known here. */
export type OtherTokens = (token: string, registry: Registry) => Promise<UserInfo | undefined>;

/** Who am I, and whose token is this: the two reviews of authentication.k8s.io. */
export function identityReviewKinds(tokens: ServiceAccountTokens, clock: Clock, others: OtherTokens): Kind[] {
  return [selfSubjectReview(clock), tokenReview(tokens, others)];
}

function selfSubjectReview(clock: Clock): Kind {
  return defineKind<ApiObject>({
    group: GROUP,
    kind: 'SelfSubjectReview',
    resource: 'selfsubjectreviews',
    namespaced: false,
    versions: [{ version: 'v1', type: 'authentication.v1.SelfSubjectReview' }],
    virtual: {
      async create(ctx, _registry, body) {
        const metadata = { ...body.metadata, creationTimestamp: formatTime(clock.now()) };
        return { ...body, metadata, status: { userInfo: shown(ctx.user) } } as ApiObject;
      },
    },
  });
}

function tokenReview(tokens: ServiceAccountTokens, others: OtherTokens): Kind {
  return defineKind<TokenReview>({
    group: GROUP,
    kind: 'TokenReview',
    resource: 'tokenreviews',
    namespaced: false,
    versions: [{ version: 'v1', type: 'authentication.v1.TokenReview' }],
    virtual: {
      async create(_ctx, registry, body) {
        const { token = '', audiences } = body.spec;
        if (token === '') throw badRequest('token is required for TokenReview in authentication');
        const wanted = audiences?.length ? audiences : [tokens.issuer];
        // Other tokens are for the API server alone.
        const other = wanted.includes(tokens.issuer) ? await others(token, registry) : undefined;
        const verdict = other
          ? { user: other, audiences: [tokens.issuer] }
          : await tokens.verify(token, wanted, registry);
        const status =
          'problem' in verdict
            ? { user: {}, error: told(verdict.problem) }
            : {
                authenticated: true,
                user: shown({ ...verdict.user, groups: [...verdict.user.groups, 'system:authenticated'] }),
                audiences: verdict.audiences,
              };
        return { ...body, status } as ApiObject;
      },
    },
  }) as unknown as Kind;
}

/** One that is known and no longer holds was no other kind of token either: both are told. */
const told = (problem: string) =>
  problem === 'service account token has been invalidated' ? `[invalid bearer token, ${problem}]` : problem;

function shown({ name, uid, groups, extra }: UserInfo) {
  return {
    username: name,
    ...(uid ? { uid } : {}),
    ...(groups.length > 0 ? { groups } : {}),
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
}
