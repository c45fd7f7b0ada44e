import type { Live } from '../../../../libs/kind/object.ts';
import type { Job } from '../../../types/batch/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

export interface Verdict {
  readonly action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count';
  readonly message: string;
}

/** What a Job's policy makes of a failed pod: the first rule that matches says it; without one the failure counts. */
export function verdictOf(job: Live<Job>, pod: Live<Pod>): Verdict {
  const { namespace, name } = pod.metadata;
  for (const [at, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    if (pod.status?.phase !== 'Failed') break;
    const action = rule.action as Verdict['action'];
    const which = `${namespace}/${name}`;
    if (rule.onExitCodes) {
      const { containerName, operator, values } = rule.onExitCodes;
      const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
      for (const status of statuses) {
        const code = status.state?.terminated?.exitCode;
        if (code === undefined || code === 0 || (containerName && containerName !== status.name)) continue;
        if (values.includes(code) !== (operator === 'In')) continue;
        const message = `Container ${status.name} for pod ${which} failed with exit code ${code} matching ${action} rule at index ${at}`;
        return { action, message };
      }
    }
    for (const pattern of rule.onPodConditions ?? []) {
      const wanted = pattern.status ?? 'True';
      const condition = pod.status.conditions?.find(({ type, status }) => type === pattern.type && status === wanted);
      if (!condition) continue;
      return { action, message: `Pod ${which} has condition ${pattern.type} matching ${action} rule at index ${at}` };
    }
  }
  return { action: 'Count', message: '' };
}
