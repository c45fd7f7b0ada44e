import type { FlowSchema } from '../../../api/types/flowcontrol/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';

export const CONSUMER = 'api-priority-and-fairness-config-consumer-v1';
export const PRODUCER = 'api-priority-and-fairness-config-producer-v1';

/**
 * What a schema's status is to say of the level that it names, as an apply configuration of the status; undefined where it
 * says so already.
 */
export function danglingStatus(schema: DeepReadonly<FlowSchema>, levels: ReadonlySet<string>, nowMs: number) {
  const level = schema.spec.priorityLevelConfiguration.name;
  const there = levels.has(level);
  const status = there ? 'False' : 'True';
  const message = there
    ? `This FlowSchema references the PriorityLevelConfiguration object named "${level}" and it exists`
    : `This FlowSchema references the PriorityLevelConfiguration object named "${level}" but there is no such object`;
  const known = schema.status?.conditions?.find(({ type }) => type === 'Dangling');
  if (known?.status === status && known.message === message) return undefined;
  const condition = {
    type: 'Dangling',
    status,
    lastTransitionTime: formatTime(nowMs),
    reason: there ? 'Found' : 'NotFound',
    message,
  };
  return {
    kind: 'FlowSchema',
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    metadata: { name: schema.metadata.name, uid: schema.metadata.uid },
    status: { conditions: [condition] },
  };
}
