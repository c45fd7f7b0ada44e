/**
 * Field selectors: `metadata.name=a,status.phase!=Running`. Only `=`, `==` and `!=`; a field that an object lacks counts
 * as empty. In values `\`, `,` and `=` are written with a backslash.
 */

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** Thrown for text that is no field selector; the message is the one clients see. */
export class FieldSelectorError extends Error {
  override readonly name = 'FieldSelectorError';
}

export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  /** Whether it matches everything. */
  get empty(): boolean {
    return this.requirements.length === 0;
  }

  /** `fields` holds the values of all selectable fields. */
  matches(fields: Readonly<Record<string, string>>): boolean {
    for (const { field, operator, value } of this.requirements) {
      const actual = Object.hasOwn(fields, field) ? fields[field] : '';
      if ((actual === value) !== (operator === '=')) return false;
    }
    return true;
  }

  /** The value that the field must have; undefined where others are allowed too. */
  exactMatch(field: string): string | undefined {
    return this.requirements.find((term) => term.field === field && term.operator === '=')?.value;
  }

  /**
   * Renames fields or rewrites values, as a served version may call them otherwise. `convert` throws what the client is
   * to be told of a field that cannot be selected.
   */
  convert(convert: (field: string, value: string) => { field: string; value: string }): FieldSelector {
    return new FieldSelector(
      this.requirements.map(({ field, operator, value }) => ({ operator, ...convert(field, value) })),
    );
  }

  toString(): string {
    return this.requirements
      .map(({ field, operator, value }) => `${field}${operator}${escapeFieldValue(value)}`)
      .join(',');
  }
}

/** Matches all objects. */
export const everyField: FieldSelector = new FieldSelector([]);

/** Puts a backslash before what has a meaning in a field selector. */
export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, '\\$&');
}

function unescaped(value: string): string {
  let out = '';
  for (let i = 0; i < value.length; i++) {
    const char = value[i] as string;
    if (char === '\\') {
      const next = String.fromCodePoint(...[value.codePointAt(++i)].filter((code) => code !== undefined));
      if (next === '' || !'\\,='.includes(next)) {
        throw new FieldSelectorError(`invalid field selector: invalid escape sequence: \\${next}`);
      }
      out += next;
    } else if (char === ',' || char === '=') {
      throw new FieldSelectorError(`invalid field selector: unescaped character in value: ${char.charCodeAt(0)}`);
    } else out += char;
  }
  return out;
}

/** Cuts at commas that no backslash precedes. */
function terms(text: string): string[] {
  const found: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      found.push(text.slice(start, i));
      start = i + 1;
    }
  }
  found.push(text.slice(start));
  return found.filter((term) => term !== '');
}

/**
 * Reads a field selector. Whether the fields exist is not its business.
 *
 * @throws FieldSelectorError
 */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements = terms(text).map((term): FieldRequirement => {
    const operator = /!=|==|=/.exec(term);
    if (operator === null) {
      throw new FieldSelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    }
    return {
      field: term.slice(0, operator.index),
      operator: operator[0] === '!=' ? '!=' : '=',
      value: unescaped(term.slice(operator.index + operator[0].length)),
    };
  });
  return requirements.length === 0 ? everyField : new FieldSelector(requirements);
}

/** `field=value`. */
export function fieldEquals(field: string, value: string): FieldSelector {
  return new FieldSelector([{ field, operator: '=', value }]);
}
