import type { CustomResourceDefinition } from '../../types/apiextensions/v1.generated.ts';

/** Names that follow from the kind, and how versions are converted where nothing is said. */
export function defaults(draft: CustomResourceDefinition): void {
  const { spec } = draft;
  if (!spec) return;
  if (spec.names) {
    if (spec.names.kind) spec.names.singular ||= spec.names.kind.toLowerCase();
    if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  // What is stored as nothing else can only be stored in the version that is the storage version now.
  const stored = spec.versions?.find((version) => version.storage)?.name;
  if (draft.status && !draft.status.storedVersions?.length && stored) draft.status.storedVersions = [stored];
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}
