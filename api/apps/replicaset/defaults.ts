import { defaultPodSpec } from '../../core/pod/spec-defaults.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';

export function defaultReplicaSet({ spec }: ReplicaSet): void {
  if (!spec) return;
  spec.replicas ??= 1;
  if (spec.template?.spec) defaultPodSpec(spec.template.spec);
}
