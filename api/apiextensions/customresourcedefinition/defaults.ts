import type { CustomResourceDefinition } from '../../types/apiextensions/v1.generated.ts';

/** Names that follow from the kind, and how versions are converted where nothing is said. */
export function defaults(draft: CustomResourceDefinition): void {
  const { spec } = draft;
  if (!spec) return;
  if (spec.names) {
    spec.names.singular ||= spec.names.kind.toLowerCase();
    if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
}
