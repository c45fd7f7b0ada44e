/** Events are served in two groups; `events.k8s.io/v1` calls most fields otherwise than the core group, which is stored. */
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Event } from '../../../types/core/v1.generated.ts';

/** Each field that has two names: here, in the core group. */
const NAMES: readonly (readonly [events: string, core: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function renamed(object: Readonly<Record<string, unknown>>, from: 0 | 1): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    const pair = NAMES.find((one) => one[from] === name);
    result[pair ? (from === 0 ? pair[1] : pair[0]) : name] = value;
  }
  return result;
}

export function toCore(object: ApiObject): Event {
  return { ...renamed(object as Record<string, unknown>, 0), apiVersion: 'v1' } as unknown as Event;
}

export function fromCore(event: DeepReadonly<Event>): ApiObject {
  return { ...renamed(event as Readonly<Record<string, unknown>>, 1), apiVersion: 'events.k8s.io/v1' };
}

/** Field selectors of this version, with the core group's labels. */
export const fieldLabels: Readonly<Record<string, string>> = Object.freeze({
  'regarding.kind': 'involvedObject.kind',
  'regarding.namespace': 'involvedObject.namespace',
  'regarding.name': 'involvedObject.name',
  'regarding.uid': 'involvedObject.uid',
  'regarding.apiVersion': 'involvedObject.apiVersion',
  'regarding.resourceVersion': 'involvedObject.resourceVersion',
  'regarding.fieldPath': 'involvedObject.fieldPath',
  reason: 'reason',
  reportingController: 'reportingComponent',
  type: 'type',
});
