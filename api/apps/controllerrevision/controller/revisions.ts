import { type ApiObject, apiVersionOf, type Live, type ResourceRef } from '../../../../libs/kind/object.ts';
import { controllerReference } from '../../../../libs/machinery/meta.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { ControllerRevision } from '../../../types/apps/v1.generated.ts';
import { templateHash } from './template-hash.ts';

/** How a kind writes its template down, so that it can be gone back to. */
export interface RevisionForm {
  /** The label with the hash. */
  readonly hashLabel: string;
  readonly data: unknown;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Revisions {
  /** Those that stay, oldest first; the last may be new or may have become the latest again. */
  readonly all: readonly ControllerRevision[];
  readonly update: ControllerRevision;
  readonly change: 'none' | 'create' | 'renumber';
}

export const revisionNumber = (revision: { readonly revision?: number | bigint }): number =>
  Number(revision.revision ?? 0);

/** Finds the revision of the present template among the known ones, or makes it. */
export function revisionsOf<O extends ApiObject>(
  owner: Live<O>,
  ownerRef: ResourceRef<O>,
  known: readonly Live<ControllerRevision>[],
  form: RevisionForm,
  collisionCount = 0,
): Revisions {
  const all = [...known].sort(
    (a, b) => revisionNumber(a as never) - revisionNumber(b as never),
  ) as unknown as ControllerRevision[];
  const latest = all.at(-1);
  const equal = all.findLast(({ data }) => sameValue(data, form.data));
  if (equal && equal === latest) return { all, update: equal, change: 'none' };
  const revision = latest ? revisionNumber(latest as never) + 1 : 1;
  if (equal) {
    const renumbered = { ...equal, revision } as ControllerRevision;
    return { all: [...all.filter((other) => other !== equal), renumbered], update: renumbered, change: 'renumber' };
  }
  const hash = templateHash(form.data, collisionCount);
  const made: ControllerRevision = {
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...form.labels, [form.hashLabel]: hash },
      ...(Object.keys(form.annotations).length > 0 ? { annotations: { ...form.annotations } } : {}),
      ownerReferences: [
        controllerReference(owner as ApiObject, { apiVersion: apiVersionOf(ownerRef), kind: ownerRef.kind }),
      ],
    },
    data: form.data as never,
    revision,
  } as ControllerRevision;
  return { all: [...all, made], update: made, change: 'create' };
}
