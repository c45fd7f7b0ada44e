import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

/** Makes the draft the old pod again, but for who owns its fields and which version the writer meant. */
export function restoreAllBut(draft: Pod, old: DeepReadonly<Pod>): void {
  const { managedFields, resourceVersion } = draft.metadata;
  const copy = structuredClone(old) as Pod;
  draft.spec = copy.spec;
  if (copy.status) draft.status = copy.status;
  else delete draft.status;
  draft.metadata = copy.metadata;
  if (managedFields) draft.metadata.managedFields = managedFields;
  else delete draft.metadata.managedFields;
  if (resourceVersion !== undefined) draft.metadata.resourceVersion = resourceVersion;
}
