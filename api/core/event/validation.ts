import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, qualifiedName } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type { Event } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Event>;

const WORD_LENGTH_MAX = 128;
const NOTE_BYTES_MAX = 1024;

/** Events of the core group are taken nearly as they come; the newer group asks for all that makes one useful. */
export function validateEvent(event: Seen, ctx: RequestContext): field.ErrorList {
  const errors = validateNamespace(event);
  return isNewGroup(ctx) ? [...errors, ...validateNewEvent(event)] : errors;
}

const isNewGroup = ({ attributes }: RequestContext): boolean => attributes.group === 'events.k8s.io';

/** Through the newer group only the series of an event goes on; the older one lets everything be written anew. */
export function validateEventUpdate(event: Seen, old: Seen, ctx: RequestContext): field.ErrorList {
  const errors = validateNamespace(event);
  if (!isNewGroup(ctx)) return errors;
  if (!sameValue(event.series, old.series)) errors.push(...validateSeries(event));
  const fixed = (place: string, value: unknown, was: unknown, shown?: unknown) =>
    errors.push(...validateImmutable(value, was, place, shown));
  const reference = (value: Seen['related']) => value && field.verbatim(internalJson('core.v1.ObjectReference', value));
  fixed('involvedObject', event.involvedObject, old.involvedObject, reference(event.involvedObject));
  fixed('reason', event.reason ?? '', old.reason ?? '');
  fixed('message', event.message ?? '', old.message ?? '');
  const source = ({ component = '', host = '' }: NonNullable<Seen['source']> = {}) => ({
    Component: component,
    Host: host,
  });
  fixed('source', source(event.source), source(old.source));
  fixed('firstTimestamp', event.firstTimestamp ?? null, old.firstTimestamp ?? null);
  fixed('lastTimestamp', event.lastTimestamp ?? null, old.lastTimestamp ?? null);
  fixed('count', event.count ?? 0, old.count ?? 0);
  fixed('type', event.type ?? '', old.type ?? '');
  fixed('eventTime', event.eventTime ?? null, old.eventTime ?? null);
  fixed('action', event.action ?? '', old.action ?? '');
  fixed('related', event.related, old.related, reference(event.related));
  fixed('reportingController', event.reportingComponent ?? '', old.reportingComponent ?? '');
  fixed('reportingInstance', event.reportingInstance ?? '', old.reportingInstance ?? '');
  return errors;
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
  errors.push(...validateSeries(event));
  if (event.firstTimestamp) wrong('firstTimestamp', 'needs to be unset');
  if (event.lastTimestamp) wrong('lastTimestamp', 'needs to be unset');
  if (event.count) wrong('count', 'needs to be unset');
  if (event.source?.component || event.source?.host) wrong('source', 'needs to be unset');
  return errors;
}

function validateSeries({ series }: Seen): field.ErrorList {
  if (!series) return [];
  const errors: field.ErrorList = [];
  if ((series.count ?? 0) < 2) errors.push(field.invalid('series.count', '', 'should be at least 2'));
  if (!series.lastObservedTime) errors.push(field.required('series.lastObservedTime'));
  return errors;
}
