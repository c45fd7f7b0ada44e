import type { SubjectAccessReview, SubjectAccessReviewSpec } from '../../../api/types/authorization/v1.generated.ts';
import { defineKind, type Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { nonResourceAttributes, type RequestAttributes, type UserInfo } from '../../../libs/kind/request.ts';
import { badRequest, invalid } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { json } from '../../../libs/machinery/quote.ts';
import type { Verdict } from '../authz/authorizer.ts';
import type { Rule } from '../authz/rbac.ts';
import { selectorErrors, selectorsOf } from './selectors.ts';

export interface AccessReviewOptions {
  authorize(user: UserInfo, attributes: RequestAttributes): Promise<Verdict> | Verdict;
  /** Everything that a user may do in a namespace, as far as rules say it. */
  rulesOf(user: UserInfo, namespace: string): readonly Rule[];
}

const GROUP = 'authorization.k8s.io';
type Spec = DeepReadonly<SubjectAccessReviewSpec>;

/** `kubectl auth can-i` and what components ask: the four reviews of authorization.k8s.io. Nothing of them is stored. */
export function accessReviewKinds(options: AccessReviewOptions): Kind[] {
  return [
    review(options, 'LocalSubjectAccessReview', 'localsubjectaccessreviews', true, (_ctx, spec) => userIn(spec)),
    review(options, 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', false, (user) => user),
    rulesReview(options),
    review(options, 'SubjectAccessReview', 'subjectaccessreviews', false, (_ctx, spec) => userIn(spec)),
  ];
}

function review(
  { authorize }: AccessReviewOptions,
  kind: string,
  resource: string,
  namespaced: boolean,
  subject: (user: UserInfo, spec: Spec) => UserInfo,
): Kind {
  const self = kind === 'SelfSubjectAccessReview';
  return defineKind<SubjectAccessReview>({
    group: GROUP,
    kind,
    resource,
    namespaced,
    versions: [{ version: 'v1', type: `authorization.v1.${kind}` }],
    virtual: {
      async create(ctx, _registry, body) {
        const { namespace } = ctx.attributes;
        const errors = [
          ...specErrors(body.spec, self),
          ...metadataErrors(body, namespaced),
          ...(namespaced ? localErrors(body.spec, namespace) : []),
        ];
        if (errors.length > 0) throw invalidReview(errors);
        const { said, problems } = selectorsOf(body.spec.resourceAttributes ?? {});
        const verdict = await authorize(subject(ctx.user, body.spec), { ...attributesIn(body.spec), ...said });
        const evaluationErrors = [...(verdict.error ? [verdict.error] : []), ...problems];
        return {
          ...body,
          status: {
            allowed: verdict.decision === 'allow',
            ...(verdict.decision === 'deny' ? { denied: true } : {}),
            ...(verdict.reason ? { reason: verdict.reason } : {}),
            ...(evaluationErrors.length > 0 ? { evaluationError: evaluationErrors.join(', ') } : {}),
          },
        } as ApiObject;
      },
    },
  }) as unknown as Kind;
}

function specErrors(spec: Spec, self: boolean): field.ErrorList {
  const at = field.path('spec');
  const { resourceAttributes, nonResourceAttributes } = spec;
  const errors: field.ErrorList = [];
  if (resourceAttributes && nonResourceAttributes) {
    const { path = '', verb = '' } = nonResourceAttributes;
    const shown = field.verbatim(JSON.stringify({ Path: path, Verb: verb }));
    errors.push(
      field.invalid(
        at.child('nonResourceAttributes'),
        shown,
        'cannot be specified in combination with resourceAttributes',
      ),
    );
  } else if (!resourceAttributes && !nonResourceAttributes) {
    const shown = field.verbatim('null');
    errors.push(
      field.invalid(
        at.child('resourceAttributes'),
        shown,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  }
  if (resourceAttributes) errors.push(...selectorErrors(resourceAttributes, at.child('resourceAttributes')));
  if (!self && !spec.user && !spec.groups?.length) {
    errors.push(field.invalid(at.child('user'), spec.user ?? '', 'at least one of user or group must be specified'));
  }
  return errors;
}

/** A review is no object: it has no name, no labels, nothing. */
function metadataErrors({ metadata = {} }: ApiObject, namespaced: boolean): field.ErrorList {
  const { managedFields, namespace, ...rest } = metadata;
  const others = Object.keys(rest).length + (namespace && !namespaced ? 1 : 0);
  if (others === 0) return [];
  const why = namespaced ? 'must be empty except for namespace' : 'must be empty';
  return [field.invalid('metadata', field.verbatim(json(metadata)), why)];
}

/** A LocalSubjectAccessReview is about its own namespace alone. */
function localErrors({ resourceAttributes, nonResourceAttributes }: Spec, namespace: string): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  if (resourceAttributes && (resourceAttributes.namespace ?? '') !== namespace) {
    const why = 'must match metadata.namespace';
    errors.push(field.invalid(at.child('resourceAttributes', 'namespace'), resourceAttributes.namespace ?? '', why));
  }
  if (nonResourceAttributes) {
    const { path = '', verb = '' } = nonResourceAttributes;
    const shown = field.verbatim(json({ Path: path, Verb: verb }));
    errors.push(field.invalid(at.child('nonResourceAttributes'), shown, 'disallowed on this kind of request'));
  }
  return errors;
}

/** As upstream words it: with the group and without the kind. */
function invalidReview(errors: field.ErrorList): Error {
  return invalid({ group: GROUP, kind: '' }, '', errors);
}

function userIn(spec: Spec): UserInfo {
  return {
    name: spec.user ?? '',
    ...(spec.uid ? { uid: spec.uid } : {}),
    groups: spec.groups ?? [],
    extra: spec.extra ?? {},
  };
}

function attributesIn({ resourceAttributes: r, nonResourceAttributes: n }: Spec): RequestAttributes {
  if (n) return nonResourceAttributes(n.verb ?? '', n.path ?? '');
  return {
    path: '',
    verb: r?.verb ?? '',
    isResourceRequest: true,
    group: r?.group ?? '',
    version: r?.version ?? '',
    resource: r?.resource ?? '',
    subresource: r?.subresource ?? '',
    namespace: r?.namespace ?? '',
    name: r?.name ?? '',
  };
}

function rulesReview({ rulesOf }: AccessReviewOptions): Kind {
  return defineKind<ApiObject & { spec?: { namespace?: string } }>({
    group: GROUP,
    kind: 'SelfSubjectRulesReview',
    resource: 'selfsubjectrulesreviews',
    namespaced: false,
    versions: [{ version: 'v1', type: 'authorization.v1.SelfSubjectRulesReview' }],
    virtual: {
      async create(ctx, _registry, body) {
        const namespace = body.spec?.namespace ?? '';
        if (namespace === '') throw badRequest('no namespace on request');
        const rules = rulesOf(ctx.user, namespace);
        const resourceRules = rules
          .filter((rule) => rule.resources?.length)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            apiGroups,
            resources,
            ...(resourceNames?.length ? { resourceNames } : {}),
          }));
        const nonResourceRules = rules
          .filter((rule) => rule.nonResourceURLs?.length)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }));
        // Nodes may more than rules say.
        const isNode = ctx.user.groups.includes('system:nodes') && ctx.user.name.startsWith('system:node:');
        const known = isNode
          ? { incomplete: true, evaluationError: 'node authorizer does not support user rule resolution' }
          : { incomplete: false };
        return { ...body, metadata: {}, spec: {}, status: { resourceRules, nonResourceRules, ...known } } as ApiObject;
      },
    },
  }) as unknown as Kind;
}
