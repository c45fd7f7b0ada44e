/** Whether the names that a definition asks for are free, and whether it may be served (its conditions). */
import type { CustomResourceDefinition } from '../../../api/types/apiextensions/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import type { Definition } from './custom-kind.ts';

type Status = NonNullable<CustomResourceDefinition['status']>;
type Names = NonNullable<Status['acceptedNames']>;
export type Condition = NonNullable<Status['conditions']>[number];

export function conditionOf(definition: Definition, type: string): DeepReadonly<Condition> | undefined {
  return definition.status?.conditions?.find((condition) => condition.type === type);
}

export const isTrue = (definition: Definition, type: string): boolean =>
  conditionOf(definition, type)?.status === 'True';

/** Writes a condition; the time of its transition moves only when its status does. */
export function setCondition(status: Status, condition: Omit<Condition, 'lastTransitionTime'>, now: string): void {
  const conditions = (status.conditions ??= []);
  const there = conditions.find((one) => one.type === condition.type);
  if (!there) {
    conditions.push({ type: condition.type, status: condition.status, lastTransitionTime: now, ...rest(condition) });
    return;
  }
  if (there.status !== condition.status) there.lastTransitionTime = now;
  Object.assign(there, { status: condition.status }, rest(condition));
}

const rest = ({ reason, message }: Omit<Condition, 'lastTransitionTime'>) => ({ reason, message });

/** What the names of a group come to, seen from one definition of it. */
export interface NamingVerdict {
  readonly acceptedNames: Names;
  readonly conditions: readonly Omit<Condition, 'lastTransitionTime'>[];
}

/**
 * Decides about the names of `definition`; `others` are the accepted names of the other definitions of its group. A name
 * that it holds already stays its own; a free one becomes it; of those that are taken the first is told.
 */
export function decideNames(definition: Definition, others: readonly DeepReadonly<Names>[]): NamingVerdict {
  const wanted = definition.spec.names;
  const held = definition.status?.acceptedNames;
  const resources = new Set(
    others.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...(shortNames ?? [])]),
  );
  const kinds = new Set(others.flatMap(({ kind, listKind }) => [kind, listKind]));
  const conflicts: { reason: string; message: string }[] = [];

  const accept = (reason: string, name: string | undefined, mine: string | undefined, taken: ReadonlySet<unknown>) => {
    if ((name ?? '') === (mine ?? '') || !taken.has(name)) return name;
    conflicts.push({ reason, message: `${quote(name ?? '')} is already in use` });
    return mine;
  };
  const plural = accept('PluralConflict', wanted.plural, held?.plural, resources) ?? '';
  const singular = accept('SingularConflict', wanted.singular, held?.singular, resources);
  let shortNames = wanted.shortNames;
  if (!sameJson(wanted.shortNames ?? [], held?.shortNames ?? [])) {
    const mine = new Set(held?.shortNames);
    const taken = (wanted.shortNames ?? []).filter((name) => !mine.has(name) && resources.has(name));
    if (taken.length > 0) {
      const texts = taken.map((name) => `${quote(name)} is already in use`);
      conflicts.push({
        reason: 'ShortNamesConflict',
        message: texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`,
      });
      shortNames = held?.shortNames;
    }
  }
  const kind = accept('KindConflict', wanted.kind, held?.kind, kinds) ?? '';
  const listKind = accept('ListKindConflict', wanted.listKind, held?.listKind, kinds);

  const acceptedNames: Names = { plural, kind };
  if (singular) acceptedNames.singular = singular;
  if (shortNames?.length) acceptedNames.shortNames = [...shortNames];
  if (listKind) acceptedNames.listKind = listKind;
  if (wanted.categories?.length) acceptedNames.categories = [...wanted.categories];
  return { acceptedNames, conditions: conditionsOf(definition, conflicts.at(-1)) };
}

function conditionsOf(definition: Definition, conflict: { reason: string; message: string } | undefined) {
  const named = conflict
    ? { type: 'NamesAccepted', status: 'False', ...conflict }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  if (isTrue(definition, 'Established')) return [named];
  const established = conflict
    ? { status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
    : { status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' };
  return [named, { type: 'Established', ...established }];
}
