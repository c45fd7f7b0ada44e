/**
 * Parameters of a request, read and checked as the API does (concept "API options", kinds ListOptions, CreateOptions …
 * of meta.k8s.io). Unknown parameters are ignored, of a repeated one the first counts.
 */

import type { FieldValidation } from '../../libs/kind/request.ts';
import { badRequest, invalid, unclassified } from '../../libs/machinery/errors.ts';
import {
  type ErrorList,
  forbidden,
  invalid as invalidField,
  notSupported,
  omitted,
  path,
  tooLong,
} from '../../libs/machinery/field-errors.ts';
import { type FieldSelector, parseFieldSelector } from '../../libs/machinery/fields.ts';
import { type LabelSelector, parseLabelSelector } from '../../libs/machinery/labels.ts';
import { quote } from '../../libs/machinery/quote.ts';
import { isTrue } from './router.ts';

const META_GROUP = 'meta.k8s.io';
const FIELD_MANAGER_BYTES_MAX = 128;
const UINT64_MAX = 2n ** 64n - 1n;

export interface ListParameters {
  readonly labelSelector: LabelSelector | undefined;
  readonly fieldSelector: FieldSelector | undefined;
  readonly limit: number;
  readonly continue: string;
  /** '' where it was not given. */
  readonly resourceVersion: string;
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan';
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

export function parseListParameters(query: URLSearchParams, watch: boolean): ListParameters {
  const options: ListParameters = {
    labelSelector: parseSelector(query.get('labelSelector'), parseLabelSelector),
    fieldSelector: parseSelector(query.get('fieldSelector'), parseFieldSelector),
    limit: parseInt64(query.get('limit')) ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: (query.get('resourceVersionMatch') ?? '') as ListParameters['resourceVersionMatch'],
    watch,
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: query.has('sendInitialEvents') ? isTrue(query.get('sendInitialEvents')) : undefined,
    timeoutSeconds: parseInt64(query.get('timeoutSeconds')),
  };
  const errors = watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw invalid({ group: META_GROUP, kind: 'ListOptions' }, '', errors);
  return options;
}

function listErrors(options: ListParameters): ErrorList {
  const at = path('resourceVersionMatch');
  const { resourceVersion: version, resourceVersionMatch: match } = options;
  const errors: ErrorList = [];
  if (options.sendInitialEvents !== undefined) {
    errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  }
  if (match === '') return errors;
  if (version === '')
    errors.push(forbidden(at, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
  if (options.continue !== '')
    errors.push(forbidden(at, 'resourceVersionMatch is forbidden when continue is provided'));
  if (match !== 'Exact' && match !== 'NotOlderThan')
    errors.push(notSupported(at, match, ['Exact', 'NotOlderThan', '']));
  if (match === 'Exact' && version === '0') {
    errors.push(forbidden(at, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  return errors;
}

function watchErrors(options: ListParameters): ErrorList {
  const at = path('resourceVersionMatch');
  const match: string = options.resourceVersionMatch;
  const errors: ErrorList = [];
  if (options.continue !== '')
    errors.push(forbidden(at, 'resourceVersionMatch is forbidden when continue is provided'));
  if (options.sendInitialEvents !== undefined) {
    if (match !== 'NotOlderThan') {
      errors.push(forbidden(at, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
    }
    if (match !== '' && match !== 'NotOlderThan') errors.push(notSupported(at, match, ['NotOlderThan']));
  } else if (match !== '') {
    errors.push(forbidden(at, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  }
  return errors;
}

export interface WriteParameters {
  readonly dryRun: boolean;
  /** As it was given; '' where it was not. */
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** Apply patches alone. */
  readonly force: boolean;
}

export type WriteOptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions';

const NOTHING_SAID: WriteParameters = Object.freeze({
  dryRun: false,
  fieldManager: '',
  fieldValidation: 'Warn',
  force: false,
});

/** `apply`: an apply patch, which wants a field manager and may force. */
export function parseWriteParameters(query: URLSearchParams, kind: WriteOptionsKind, apply = false): WriteParameters {
  if (query.size === 0 && !apply) return NOTHING_SAID;
  const errors: ErrorList = [];
  const dryRun = query.getAll('dryRun');
  const fieldManager = query.get('fieldManager') ?? '';
  const fieldValidation = query.get('fieldValidation') ?? '';
  if (kind === 'PatchOptions') {
    if (!apply && query.has('force')) errors.push(forbidden('force', 'may not be specified for non-apply patch'));
    if (apply && fieldManager === '') {
      errors.push({
        type: 'FieldValueRequired',
        field: 'fieldManager',
        value: omitted,
        detail: 'is required for apply patch',
      });
    }
  }
  errors.push(...fieldManagerErrors(fieldManager), ...dryRunErrors(dryRun));
  if (fieldValidation !== '' && !['Ignore', 'Warn', 'Strict'].includes(fieldValidation)) {
    errors.push(notSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length > 0) throw invalid({ group: META_GROUP, kind }, '', errors);
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: (fieldValidation || 'Warn') as FieldValidation,
    force: isTrue(query.get('force')),
  };
}

export function dryRunErrors(dryRun: readonly string[]): ErrorList {
  return dryRun.some((value) => value !== 'All') ? [notSupported('dryRun', dryRun, ['All'])] : [];
}

function fieldManagerErrors(fieldManager: string): ErrorList {
  const errors: ErrorList = [];
  // Letters, digits and punctuation of ASCII need no closer look.
  if (fieldManager.length <= FIELD_MANAGER_BYTES_MAX && /^[ -~]*$/.test(fieldManager)) return errors;
  if (new TextEncoder().encode(fieldManager).length > FIELD_MANAGER_BYTES_MAX) {
    errors.push(tooLong('fieldManager', FIELD_MANAGER_BYTES_MAX));
  }
  let position = 0;
  for (const character of fieldManager) {
    if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character)) {
      const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
      errors.push(invalidField('fieldManager', fieldManager, `invalid character U+${code} (at position ${position})`));
    }
    position += new TextEncoder().encode(character).length;
  }
  return errors;
}

/** Which state a get or list must not be older than: a number, 0 for "any", undefined for "the latest". */
export function parseResourceVersion(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^\d+$/.test(text) || BigInt(text) > UINT64_MAX) {
    const problem = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
    throw new ResourceVersionSyntaxError(
      `resourceVersion: Invalid value: ${quote(text)}: strconv.ParseUint: parsing ${quote(text)}: ${problem}`,
    );
  }
  return Number(text);
}

/** A resourceVersion that is no number: 400 for lists, 500 for get and watch. */
export class ResourceVersionSyntaxError extends Error {}

/** `parseResourceVersion` with the answer that get and watch give to one that is no number. */
export function resourceVersionOrInternal(text: string): number | undefined {
  try {
    return parseResourceVersion(text);
  } catch (error) {
    if (error instanceof ResourceVersionSyntaxError) throw unclassified(error.message);
    throw error;
  }
}

/** `parseResourceVersion` with the answer that lists give. */
export function resourceVersionOrBad(text: string): number | undefined {
  try {
    return parseResourceVersion(text);
  } catch (error) {
    if (error instanceof ResourceVersionSyntaxError) throw badRequest(`invalid resource version: ${error.message}`);
    throw error;
  }
}

/** A whole number of a query; undefined where it was not given. Throws 400 in the words of the API. */
export function parseInt64(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value)
    throw badRequest(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  return Number(value);
}

/** Parses a selector that was given; its parser throws an error whose message is the answer's. */
function parseSelector<S>(text: string | null, parse: (text: string) => S): S | undefined {
  if (text === null || text === '') return undefined;
  try {
    return parse(text);
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}
