import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, qualifiedName } from '../../../libs/machinery/names.ts';
import type { Event } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Event>;

const WORD_LENGTH_MAX = 128;
const NOTE_BYTES_MAX = 1024;

/** Events of the core group are taken nearly as they come; the newer group asks for all that makes one useful. */
export function validateEvent(event: Seen, ctx: RequestContext): field.ErrorList {
  const errors = validateNamespace(event);
  return ctx.attributes.group === 'events.k8s.io' ? [...errors, ...validateNewEvent(event)] : errors;
}

export function validateEventUpdate(event: Seen): field.ErrorList {
  return validateNamespace(event);
}

/** An event lies where its object is; those about objects without a namespace in `default`. */
function validateNamespace({ metadata, involvedObject }: Seen): field.ErrorList {
  const [mine, its] = [metadata?.namespace ?? '', involvedObject?.namespace ?? ''];
  if (mine === its || (its === '' && mine === 'default')) return [];
  return [field.invalid('involvedObject.namespace', its, 'does not match event.namespace')];
}

function validateNewEvent(event: Seen): field.ErrorList {
  const errors: field.ErrorList = [];
  const wrong = (name: string, detail: string) => errors.push(field.invalid(name, '', detail));
  const word = (name: string, value: string | undefined) => {
    if (!value) errors.push(field.required(name));
    if ((value?.length ?? 0) > WORD_LENGTH_MAX) wrong(name, `can have at most ${WORD_LENGTH_MAX} characters`);
  };
  const name = event.metadata?.name ?? '';
  for (const text of dns1123Subdomain(name)) errors.push(field.invalid('metadata.name', name, text));
  if (!event.eventTime) errors.push(field.required('eventTime'));
  const controller = event.reportingComponent ?? '';
  if (controller === '') errors.push(field.required('reportingController'));
  for (const text of qualifiedName(controller)) errors.push(field.invalid('reportingController', controller, text));
  word('reportingInstance', event.reportingInstance);
  word('action', event.action);
  word('reason', event.reason);
  if (new TextEncoder().encode(event.message ?? '').length > NOTE_BYTES_MAX) {
    wrong('message', `can have at most ${NOTE_BYTES_MAX} characters`);
  }
  if (event.type !== 'Normal' && event.type !== 'Warning') wrong('type', `has invalid value: ${event.type ?? ''}`);
  if (event.series) {
    if ((event.series.count ?? 0) < 2) wrong('series.count', 'should be at least 2');
    if (!event.series.lastObservedTime) errors.push(field.required('series.lastObservedTime'));
  }
  if (event.firstTimestamp) wrong('firstTimestamp', 'needs to be unset');
  if (event.lastTimestamp) wrong('lastTimestamp', 'needs to be unset');
  if (event.count) wrong('count', 'needs to be unset');
  if (event.source?.component || event.source?.host) wrong('source', 'needs to be unset');
  return errors;
}
