import { defaultPodSpec } from '../../core/pod/spec-defaults.ts';
import type { DaemonSet } from '../../types/apps/v1.generated.ts';

/** How often the template has changed: a field once, an annotation since apps/v1. */
export const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

export function defaultDaemonSet({ metadata, spec }: DaemonSet): void {
  if (metadata) metadata.annotations = { [TEMPLATE_GENERATION]: '0', ...metadata.annotations };
  if (!spec) return;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  if (spec.template?.spec) defaultPodSpec(spec.template.spec);
}
