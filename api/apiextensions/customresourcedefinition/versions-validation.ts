/**
 * The versions of a definition. The API's inner form keeps what all versions have in common once, at the top; errors name
 * that place: `spec.validation.openAPIV3Schema` instead of `spec.versions[0].schema.openAPIV3Schema`.
 */
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1035Label } from '../../../libs/machinery/names.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import type { Schema } from '../../../libs/structural-schema/schema.ts';
import { validateColumn } from './columns-validation.ts';
import { validateSchema } from './schema-validation.ts';
import { validateSelectableFields } from './selectable-fields-validation.ts';
import { validateSubresources } from './subresources-validation.ts';
import type { Definition } from './validation.ts';

type Version = Definition['spec']['versions'][number];

const SPEC = field.path('spec');

/** What is the same in all versions. */
interface Hoisted {
  readonly schema: boolean;
  readonly subresources: boolean;
  readonly columns: boolean;
  readonly selectableFields: boolean;
}

function hoistedOf(versions: readonly Version[]): Hoisted {
  const [first] = versions;
  const same = (key: keyof Version) =>
    first !== undefined && versions.every((version) => sameJson(version[key], first[key]));
  return {
    schema: same('schema'),
    subresources: same('subresources'),
    columns: same('additionalPrinterColumns'),
    selectableFields: same('selectableFields'),
  };
}

/** `each`: errors of the versions one by one; `all`: of what they share, which are told after those of the names. */
export function validateVersions({ spec }: Definition): {
  readonly each: field.ErrorList;
  readonly all: field.ErrorList;
} {
  const versions = spec.versions ?? [];
  const at = SPEC.child('versions');
  const hoisted = hoistedOf(versions);
  const each: field.ErrorList = [];
  const [first] = versions;
  if (!(hoisted.schema && first?.schema?.openAPIV3Schema)) {
    versions.forEach((version, i) => {
      if (!version.schema?.openAPIV3Schema) each.push(field.required(at.index(i).child('schema', 'openAPIV3Schema')));
    });
  }
  versions.forEach((version, i) => {
    const problems = dns1035Label(version.name ?? '');
    if (problems.length > 0) each.push(field.invalid(at.index(i).child('name'), version.name, problems.join(',')));
    each.push(...validateVersion(version, at.index(i), hoisted));
  });
  const shown = () => (spec.versions ? spec.versions.map((version) => shownVersion(version, hoisted)) : null);
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    each.push(field.invalid(at, shown(), 'must contain unique version names'));
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    each.push(field.invalid(at, shown(), 'must have exactly one version marked as storage version'));
  }
  if (!first) return { each, all: [] };
  const problems = dns1035Label(first.name ?? '');
  if (problems.length > 0) each.push(field.invalid(SPEC.child('version'), first.name, problems.join(',')));
  const places: Places = {
    schema: hoisted.schema ? SPEC.child('validation', 'openAPIV3Schema') : undefined,
    subresources: hoisted.subresources ? SPEC.child('subresources') : undefined,
    columns: hoisted.columns ? SPEC.child('additionalPrinterColumns') : undefined,
    selectableFields: hoisted.selectableFields ? SPEC.child('selectableFields') : undefined,
    isShared: true,
  };
  const anyStatus = versions.some(({ subresources }) => subresources?.status !== undefined);
  return { each, all: validateParts(first, places, anyStatus) };
}

/** Where parts of a version stand; undefined for those that stand elsewhere. */
interface Places {
  readonly schema: field.Path | undefined;
  readonly subresources: field.Path | undefined;
  readonly columns: field.Path | undefined;
  readonly selectableFields: field.Path | undefined;
  /** They are of all versions. */
  readonly isShared: boolean;
}

function validateVersion(version: Version, at: field.Path, hoisted: Hoisted): field.ErrorList {
  const { deprecationWarning } = version;
  const errors = deprecationProblems(version).map((problem) =>
    field.invalid(at.child('deprecationWarning'), deprecationWarning, problem),
  );
  const places: Places = {
    schema: hoisted.schema ? undefined : at.child('schema', 'openAPIV3Schema'),
    subresources: hoisted.subresources ? undefined : at.child('subresources'),
    columns: hoisted.columns ? undefined : at.child('additionalPrinterColumns'),
    selectableFields: hoisted.selectableFields ? undefined : at.child('selectableFields'),
    isShared: false,
  };
  return [...errors, ...validateParts(version, places, version.subresources?.status !== undefined)];
}

function validateParts(version: Version, places: Places, hasStatus: boolean): field.ErrorList {
  const errors: field.ErrorList = [];
  const schema = version.schema?.openAPIV3Schema as Schema | undefined;
  if (schema && places.schema) errors.push(...validateSchema(schema, places.schema, hasStatus));
  if (places.subresources) errors.push(...validateSubresources(version.subresources, places.subresources));
  const { columns } = places;
  if (columns) {
    version.additionalPrinterColumns?.forEach((column, i) => errors.push(...validateColumn(column, columns.index(i))));
  }
  if (places.selectableFields && version.selectableFields?.length) {
    if (schema) errors.push(...validateSelectableFields(version.selectableFields, schema, places.selectableFields));
    else {
      // The API says it so, in each of the two places.
      const why = places.isShared
        ? 'may only be set when validations.schema is included'
        : 'may only be set when `version.schema.openAPIV3Schema` is not included';
      errors.push(field.invalid(places.selectableFields, '', why));
    }
  }
  return errors;
}

const encoder = new TextEncoder();

function deprecationProblems({ deprecated, deprecationWarning: warning }: Version): string[] {
  if (warning === undefined) return [];
  if (!deprecated) return ['can only be set for deprecated versions'];
  const problems: string[] = [];
  if (encoder.encode(warning).length > 256) problems.push('must be <= 256 characters long');
  if (warning === '') problems.push('must not be an empty string');
  const wrong = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (wrong) {
    // The place is told in bytes.
    const at = encoder.encode(warning.slice(0, wrong.index)).length;
    problems.push(`must only contain printable UTF-8 characters; non-printable character found at index ${at}`);
  }
  return problems;
}

/** A version as messages show it: in the inner form. */
function shownVersion(version: Version, hoisted: Hoisted): object {
  return {
    Name: version.name ?? '',
    Served: version.served ?? false,
    Storage: version.storage ?? false,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: (hoisted.schema ? null : version.schema) ?? null,
    Subresources: (hoisted.subresources ? null : version.subresources) ?? null,
    AdditionalPrinterColumns: (hoisted.columns ? null : version.additionalPrinterColumns) ?? null,
    SelectableFields: (hoisted.selectableFields ? null : version.selectableFields) ?? null,
  };
}
