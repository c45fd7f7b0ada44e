/** The request part of an AdmissionReview, `admission.k8s.io/v1`. */
import type { ApiObject, DeepReadonly, GroupVersionKind } from '../../../../libs/kind/object.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import type { Form, Subject } from './subject.ts';

export interface ReviewRequest {
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly resource: Form['resource'];
  readonly subResource?: string;
  readonly requestKind: GroupVersionKind;
  readonly requestResource: Form['resource'];
  readonly requestSubResource?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly operation: string;
  readonly userInfo: {
    readonly username: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly object: DeepReadonly<ApiObject> | null;
  readonly oldObject: DeepReadonly<ApiObject> | null;
  readonly dryRun: boolean;
  readonly options: DeepReadonly<ApiObject> | null;
}

/** `form`: the version by which a rule matched, in which the objects are shown. Empty texts are left out. */
export function reviewOf(ctx: RequestContext, subject: Subject, form: Form, uid: string): ReviewRequest {
  const { request, asSent } = subject;
  const { user } = ctx;
  const name = request.name || request.object?.metadata?.name || '';
  const namespace = isNamespace(subject) ? name : request.namespace;
  return {
    uid,
    kind: form.kind,
    resource: form.resource,
    ...(request.subresource ? { subResource: request.subresource } : {}),
    requestKind: asSent.kind,
    requestResource: asSent.resource,
    ...(request.subresource ? { requestSubResource: request.subresource } : {}),
    ...(name ? { name } : {}),
    ...(namespace ? { namespace } : {}),
    operation: request.operation,
    userInfo: {
      username: user.name,
      ...(user.uid ? { uid: user.uid } : {}),
      ...(user.groups.length > 0 ? { groups: user.groups } : {}),
      ...(Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    },
    ...subject.show(form),
    dryRun: ctx.dryRun,
    options: request.options ?? null,
  };
}

const isNamespace = ({ asSent: { resource } }: Subject) => resource.group === '' && resource.resource === 'namespaces';
