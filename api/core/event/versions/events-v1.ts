/** Events are served in two groups; `events.k8s.io/v1` calls most fields otherwise than the core group, which is stored. */
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Event } from '../../../types/core/v1.generated.ts';

/** Each field that has two names: by the one here that of the core group. */
const CORE_NAMES: ReadonlyMap<string, string> = new Map([
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
]);
const OWN_NAMES: ReadonlyMap<string, string> = new Map(Array.from(CORE_NAMES, ([own, core]) => [core, own]));

function renamed(
  object: Readonly<Record<string, unknown>>,
  names: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(object)) result[names.get(name) ?? name] = object[name];
  return result;
}

export function toCore(object: ApiObject): Event {
  return { ...renamed(object as Record<string, unknown>, CORE_NAMES), apiVersion: 'v1' } as unknown as Event;
}

export function fromCore(event: DeepReadonly<Event>): ApiObject {
  return { ...renamed(event as Readonly<Record<string, unknown>>, OWN_NAMES), apiVersion: 'events.k8s.io/v1' };
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
