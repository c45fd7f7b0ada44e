/** A request as policies and webhooks see it: which resource it is about, and its objects in the version they want. */
import type { DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import {
  type ApiObject,
  apiVersionOf,
  type DeepReadonly,
  type GroupVersionKind,
} from '../../../../libs/kind/object.ts';
import type { KindSet, ServedResource } from '../../registry/kind-set.ts';

/** One version of the resource that a request is about. */
export interface Form {
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  readonly kind: GroupVersionKind;
}

/** The objects of a request in one version; null: there is none. */
export interface Shown {
  readonly object: DeepReadonly<ApiObject> | null;
  readonly oldObject: DeepReadonly<ApiObject> | null;
}

export interface Subject {
  readonly request: DeepReadonlyAdmission;
  /** As it was sent. */
  readonly asSent: Form;
  /** The same resource in its other versions and groups. */
  readonly equivalents: readonly Form[];
  /** Where a webhook converts, it is asked here, before `show`. Throws `ApiError` 500. */
  prepare(form: Form, signal: AbortSignal): Promise<void>;
  show(form: Form): Shown;
  /** What the versions are made of. */
  resourceOf(form: Form): ServedResource | undefined;
}

export function subjectOf(kinds: KindSet, request: DeepReadonlyAdmission): Subject {
  const { kind, gvk, body } = request;
  const formOf = (group: string, version: string): Form => ({
    resource: { group, version, resource: kind.resource },
    kind: body?.gvk ?? { group, version, kind: kind.kind },
  });
  const asSent = formOf(gvk.group, gvk.version);
  const own = kinds.find(gvk.group, gvk.version, kind.resource);
  const equivalents = (own ? kinds.versionsOf(own) : [])
    .filter(({ group, version }) => group !== gvk.group || version !== gvk.version)
    .map(({ group, version }) => formOf(group, version));
  const resourceOf = ({ resource }: Form) => kinds.find(resource.group, resource.version, resource.resource);
  // A draft goes on changing, so the answer is for it as it is now.
  const prepared = new Map<string, readonly (DeepReadonly<ApiObject> | undefined)[]>();
  const convert = (form: Form, at: 0 | 1): DeepReadonly<ApiObject> | null => {
    const object = prepared.get(form.resource.version)?.[at] ?? [request.object, request.oldObject][at];
    if (!object) return null;
    if (body) return body.show ? (body.show(object) as DeepReadonly<ApiObject>) : object;
    const served = resourceOf(form)?.served;
    const shown = served?.fromStorage ? (served.fromStorage(object) as DeepReadonly<ApiObject>) : object;
    return { ...shown, kind: form.kind.kind, apiVersion: apiVersionOf(form.resource) };
  };
  return {
    request,
    asSent,
    equivalents,
    resourceOf,
    async prepare(form, signal) {
      const prepare = body ? undefined : resourceOf(form)?.served.prepare;
      if (!prepare) return;
      const copies = [request.object, request.oldObject].map((object) => object && { ...object });
      prepared.set(form.resource.version, copies);
      await prepare.fromStorage(
        copies.filter((object) => object !== undefined),
        signal,
      );
    },
    show: (form) => ({ object: convert(form, 0), oldObject: convert(form, 1) }),
  };
}
