/**
 * Which texts may name what: objects, labels, ports, environment variables, headers. Each check answers the list of
 * what is wrong, in upstream's words, empty where the text is fine; callers wrap each in a field error.
 *
 * Checks of objects' names take `prefix`: true for a `generateName`, to which letters will be added.
 */
import type { Random } from '../base/random.ts';
import { inOnePiece } from '../base/text.ts';

type Messages = string[];

/** Says which form is expected: the rule, examples and the regular expression, as upstream words it. */
function formText(rule: string, form: string, ...examples: string[]): string {
  if (examples.length === 0) return `${rule} (regex used for validation is '${form}')`;
  const list = examples.map((example) => `'${example}'`).join(',  or ');
  return `${rule} (e.g. ${list}, regex used for validation is '${form}')`;
}

export const EMPTY = 'must be non-empty';

/** `must be no more than 63 characters` */
export function maxLengthText(length: number): string {
  return `must be no more than ${length} characters`;
}

/** `must be between 1 and 65535, inclusive` */
export function rangeText(least: number, most: number): string {
  return `must be between ${least} and ${most}, inclusive`;
}

const encoder = new TextEncoder();
const ascii = /^[\x00-\x7f]*$/;
/** Limits count bytes of UTF-8. */
const byteLength = (text: string): number => (ascii.test(text) ? text.length : encoder.encode(text).length);
/** No letter has more than three bytes a unit, and most names are short. */
const isLonger = (text: string, bytesMax: number): boolean => text.length * 3 > bytesMax && byteLength(text) > bytesMax;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const underscored = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const oldLabel = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

interface Form {
  readonly pattern: RegExp;
  readonly message: string;
}

const form = (source: string, rule: string, ...examples: string[]): Form => ({
  pattern: new RegExp(`^${source}$`),
  message: formText(rule, source, ...examples),
});

const forms = {
  label: form(
    label,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    'my-name',
    '123-abc',
  ),
  subdomain: form(
    subdomain,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    'example.com',
  ),
  underscored: form(
    `${underscored}(\\.${underscored})*`,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
    'example.com',
  ),
  wildcard: form(
    `\\*\\.${subdomain}`,
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    '*.example.com',
  ),
  label1035: form(
    oldLabel,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    'my-name',
    'abc-123',
  ),
  qualified: form(
    qualified,
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    'MyName',
    'my.name',
    '123-abc',
  ),
  labelValue: form(
    `(${qualified})?`,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    'MyValue',
    'my_value',
    '12345',
  ),
  configKey: form(
    '[-._a-zA-Z0-9]+',
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    'key.name',
    'KEY_NAME',
    'key-name',
  ),
  cIdentifier: form(
    '[A-Za-z_][A-Za-z0-9_]*',
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
    'my_name',
    'MY_NAME',
    'MyName',
  ),
  header: form('[-A-Za-z0-9]+', "a valid HTTP header must consist of alphanumeric characters or '-'", 'X-Header-Name'),
  percent: form('[0-9]+%', "a valid percent string must be a numeric string followed by an ending '%'", '1%', '93%'),
  pathOfDomain: form("[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+", 'Invalid path'),
} as const;

function check(text: string, most: number, { pattern, message }: Form): Messages {
  const errors: Messages = [];
  if (isLonger(text, most)) errors.push(maxLengthText(most));
  if (!pattern.test(text)) errors.push(message);
  return errors;
}

/**
 * A `generateName` may end in a hyphen, because letters follow; so that the checks of whole names can judge it, the
 * hyphen and what stands before it become a letter.
 */
function completed(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -2)}a` : prefix;
}

// ── DNS ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Namespaces, container names: up to 63 of a–z, 0–9 and `-`. */
export function dns1123Label(text: string, prefix = false): Messages {
  const whole = prefix ? completed(text) : text;
  const errors = check(whole, 63, forms.label);
  // What would do but for its dots is told so, and spared the form.
  if (!whole.includes('.') || !forms.subdomain.pattern.test(whole)) return errors;
  return [...errors.filter((message) => message !== forms.label.message), 'must not contain dots'];
}

/** Namespaces are DNS labels. */
export const namespaceName: (text: string, prefix?: boolean) => Messages = dns1123Label;

/** Most objects' names: labels joined by dots, up to 253. */
export function dns1123Subdomain(text: string, prefix = false): Messages {
  return check(prefix ? completed(text) : text, 253, forms.subdomain);
}

/** DNS search paths: like a subdomain, underscores allowed. */
export function dns1123SubdomainWithUnderscore(text: string): Messages {
  return check(text, 253, forms.underscored);
}

/** `*.example.com` */
export function wildcardDns1123Subdomain(text: string): Messages {
  return check(text, 253, forms.wildcard);
}

/** Starts with a letter, up to 63 of a–z, 0–9 and `-`. */
export function dns1035Label(text: string, prefix = false): Messages {
  return check(prefix ? completed(text) : text, 63, forms.label1035);
}

/** `example.com/name`-like signers and drivers need a domain of three parts: `a.example.com`. Empty is not told apart. */
export function fullyQualifiedName(text: string): Messages {
  const errors = dns1123Subdomain(text);
  if (errors.length > 0) return errors;
  return text.split('.').length < 3 ? ['should be a domain with at least three segments separated by dots'] : [];
}

/** A domain of two parts or more, with or without a dot at the end. */
export function fullyQualifiedDomainName(text: string): Messages {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const errors = dns1123Subdomain(name);
  if (errors.length > 0) return errors;
  const labels = name.split('.');
  if (labels.length < 2) return ['should be a domain with at least two segments separated by dots'];
  return labels.flatMap((part) => dns1123Label(part));
}

/** `acme.io/foo`: a subdomain, a slash, a path. */
export function domainPrefixedPath(text: string): Messages {
  const slash = text.indexOf('/');
  const host = text.slice(0, Math.max(slash, 0));
  const path = text.slice(slash + 1);
  if (slash < 0 || host === '' || path === '') return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const errors = dns1123Subdomain(host);
  if (!forms.pathOfDomain.pattern.test(path)) errors.push(forms.pathOfDomain.message);
  return errors;
}

// ── labels and keys ────────────────────────────────────────────────────────────────────────────────────────────────

/** Label and annotation keys, taints, resources, finalizers: `name` or `prefix.example.com/name`. */
export function qualifiedName(text: string): Messages {
  const slash = text.indexOf('/');
  const errors: Messages = [];
  if (slash !== text.lastIndexOf('/')) {
    const rule = forms.qualified.message;
    return [`a valid label key ${rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = slash < 0 ? text : text.slice(slash + 1);
  if (slash >= 0) {
    const prefix = text.slice(0, slash);
    if (prefix === '') errors.push(`prefix part ${EMPTY}`);
    else {
      if (isLonger(prefix, 253)) errors.push('prefix part must be no more than 253 bytes');
      if (!forms.subdomain.pattern.test(prefix)) errors.push(`prefix part ${forms.subdomain.message}`);
    }
  }
  if (name === '') errors.push(`name part ${EMPTY}`);
  else if (isLonger(name, 63)) errors.push('name part must be no more than 63 bytes');
  if (!forms.qualified.pattern.test(name)) errors.push(`name part ${forms.qualified.message}`);
  return errors;
}

/** Label values: empty, or up to 63 of letters, digits, `-`, `_` and `.`. */
export function labelValue(text: string): Messages {
  const errors: Messages = [];
  if (isLonger(text, 63)) errors.push('must be no more than 63 bytes');
  if (!forms.labelValue.pattern.test(text)) errors.push(forms.labelValue.message);
  return errors;
}

/** Keys of ConfigMaps and Secrets, which become file names. */
export function configMapKey(text: string): Messages {
  const errors = check(text, 253, forms.configKey);
  if (text === '.' || text === '..') errors.push(`must not be '${text}'`);
  else if (text.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

/** `my_name` */
export function cIdentifier(text: string): Messages {
  return forms.cIdentifier.pattern.test(text) ? [] : [forms.cIdentifier.message];
}

/** Environment variables: any printable ASCII but `=`. */
export function envVarName(text: string): Messages {
  if (text === '') return [`environment variable name ${EMPTY}`];
  if (/^[ -<>-~]+$/.test(text)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** `X-Header-Name` */
export function httpHeaderName(text: string): Messages {
  return forms.header.pattern.test(text) ? [] : [forms.header.message];
}

/** What may stand in a URL's path as one segment. */
export function pathSegmentName(text: string, prefix = false): Messages {
  if (!prefix && (text === '.' || text === '..')) return [`may not be '${text}'`];
  return ['/', '%'].filter((char) => text.includes(char)).map((char) => `may not contain '${char}'`);
}

// ── ports, percents, ids ───────────────────────────────────────────────────────────────────────────────────────────

/** IANA service names (RFC 6335): up to 15 of a–z, 0–9 and single inner hyphens, with a letter. */
export function portName(text: string): Messages {
  const errors: Messages = [];
  if (isLonger(text, 15)) errors.push(maxLengthText(15));
  if (!/^[-a-z0-9]+$/.test(text)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(text)) errors.push('must contain at least one letter (a-z)');
  if (text.includes('--')) errors.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** 1 to 65535. */
export function port(port: number | bigint): Messages {
  return port >= 1 && port <= 65535 ? [] : [rangeText(1, 65535)];
}

/** Users and groups: 0 to 2^31 − 1. */
export function userId(id: number | bigint): Messages {
  return id >= 0 && id <= 2147483647 ? [] : [rangeText(0, 2147483647)];
}

/** `25%` */
export function percent(text: string): Messages {
  return forms.percent.pattern.test(text) ? [] : [forms.percent.message];
}

// ── made names ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Without vowels and look-alikes, so that no words come about. */
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const generatedLengthMax = 63;

/** A name for `generateName`: the base, cut to 58, and five letters. */
export function generateName(base: string, random: Random): string {
  return inOnePiece(base.slice(0, generatedLengthMax - suffixLength), random.text(suffixLength, suffixLetters));
}

/** As many letters as wanted, of the kind that `generateName` adds. */
export function randomSuffix(length: number, random: Random): string {
  return random.text(length, suffixLetters);
}

const safeDigits = suffixLetters;

/** A text of digits and letters with each character mapped onto `generateName`'s letters (hashes in names). */
export function safeEncode(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) out += safeDigits[text.charCodeAt(i) % safeDigits.length];
  return out;
}
