import type { ServedVersion } from '../../../libs/kind/kind.ts';
import { FieldSelector } from '../../../libs/machinery/fields.ts';
import type { CachedObject } from '../cache/cached-object.ts';

/** How many objects one question to a webhook is about. */
const QUESTION_OBJECTS = 500;

/**
 * The part of a field selector that only a webhook's answer can decide: fields of a version that objects are not stored
 * in. What an object shows in them is asked once and then known for as long as its handle lives.
 */
export class ConvertedFields {
  readonly #selector: FieldSelector;
  readonly #prepare: NonNullable<ServedVersion['prepare']>;

  constructor(selector: FieldSelector, prepare: NonNullable<ServedVersion['prepare']>) {
    this.#selector = selector;
    this.#prepare = prepare;
  }

  /** Those of the objects that match, in their order. Throws `ApiError` 500 where the webhook fails. */
  async matching(objects: readonly CachedObject[], signal: AbortSignal): Promise<CachedObject[]> {
    const labels = this.#selector.requirements.map(({ field }) => field);
    const unknown = objects.filter((object) => labels.some((label) => !object.knowsField(label)));
    for (let at = 0; at < unknown.length; at += QUESTION_OBJECTS) {
      const asked = unknown.slice(at, at + QUESTION_OBJECTS);
      // Held until the fields are read: the answers go with them.
      const held = asked.map((object) => object.object());
      await this.#prepare.fromStorage(held, signal);
      asked.forEach((object, i) => {
        if (held[i]) for (const label of labels) object.field(label);
      });
    }
    return objects.filter((object) =>
      this.#selector.matches(Object.fromEntries(labels.map((label) => [label, object.field(label) ?? '']))),
    );
  }
}

/** A selector in the storage version's labels, in two: what every handle can answer, and what has to be asked. */
export function splitFields(
  { prepare }: ServedVersion,
  selector: FieldSelector | undefined,
): { readonly fields: FieldSelector | undefined; readonly converted: ConvertedFields | undefined } {
  const isMetadata = ({ field }: { readonly field: string }) => field.startsWith('metadata.');
  const rest = selector?.requirements.filter((requirement) => !isMetadata(requirement)) ?? [];
  if (!selector || !prepare || rest.length === 0) return { fields: selector, converted: undefined };
  return {
    fields: new FieldSelector(selector.requirements.filter(isMetadata)),
    converted: new ConvertedFields(new FieldSelector(rest), prepare),
  };
}
