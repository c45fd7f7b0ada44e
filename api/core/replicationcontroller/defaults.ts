import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { defaultPodSpec } from '../pod/spec-defaults.ts';

/** The template's labels stand in where the controller itself has none, or no selector. */
export function defaultReplicationController({ metadata, spec }: ReplicationController): void {
  if (!spec) return;
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(labels).length > 0) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (metadata && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  }
  spec.replicas ??= 1;
  if (spec.template?.spec) defaultPodSpec(spec.template.spec);
}
