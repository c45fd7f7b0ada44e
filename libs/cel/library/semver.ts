/** Semantic versions: `semver("1.2.3")`; with `true` as second argument also `v1.2`. */
import { declare, type Library } from '../declare.ts';
import { EvaluationError, Opaque } from '../values.ts';

const NAME = 'kubernetes.Semver';

interface Version {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];
}

class Semver extends Opaque {
  readonly type = NAME;
  readonly version: Version;
  constructor(version: Version) {
    super();
    this.version = version;
  }

  equals(other: Opaque): boolean {
    return other instanceof Semver && compare(this.version, other.version) === 0;
  }
}

/** The version, or what is wrong with its text. */
function read(text: string, lenient = false): Version | string {
  const own = lenient ? normalize(text) : text;
  if (own === '') return 'Version string empty';
  const [core = '', ...rest] = own.split('.');
  const [minor, ...others] = rest;
  if (minor === undefined || others.length === 0) return 'No Major.Minor.Patch elements found';
  const last = others.join('.');
  const parts = /^([^-+]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(last) as RegExpExecArray;
  const numbers = [core, minor, parts[1] as string];
  for (const [i, number] of numbers.entries()) {
    const name = ['Major', 'Minor', 'Patch'][i];
    if (!/^\d+$/.test(number))
      return `Invalid character(s) found in ${name?.toLowerCase()} number ${JSON.stringify(number)}`;
    if (number.length > 1 && number.startsWith('0')) {
      return `${name} number must not contain leading zeroes ${JSON.stringify(number)}`;
    }
  }
  const prerelease = parts[2] === undefined ? [] : parts[2].split('.');
  for (const part of prerelease) {
    if (part === '') return 'Prerelease is empty';
    if (/^0\d+$/.test(part))
      return `Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(part)}`;
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in prerelease ${JSON.stringify(part)}`;
  }
  for (const part of parts[3] === undefined ? [] : parts[3].split('.')) {
    if (part === '') return 'Build meta data is empty';
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in build meta data ${JSON.stringify(part)}`;
  }
  return { numbers: numbers.map(BigInt) as [bigint, bigint, bigint], prerelease };
}

/** Without `v`, with the parts that are missing, without leading zeros. */
function normalize(text: string): string {
  const [, core = '', rest = ''] = /^v?([^-+]*)(.*)$/s.exec(text.trim()) ?? [];
  const parts = core.split('.');
  if (parts.length > 3 || (parts.length < 3 && rest !== '')) return text;
  while (parts.length < 3) parts.push('0');
  return parts.map((part) => part.replace(/^0+(?=\d)/, '')).join('.') + rest;
}

function compare(a: Version, b: Version): number {
  for (let i = 0; i < 3; i++) {
    const [x, y] = [a.numbers[i] as bigint, b.numbers[i] as bigint];
    if (x !== y) return x < y ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return Math.sign(b.prerelease.length - a.prerelease.length);
  for (let i = 0; i < Math.min(a.prerelease.length, b.prerelease.length); i++) {
    const order = comparePart(a.prerelease[i] as string, b.prerelease[i] as string);
    if (order !== 0) return order;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
}

function comparePart(a: string, b: string): number {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x && y) return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b));
  if (x !== y) return x ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function semverOf(text: string, lenient = false): Semver {
  const version = read(text, lenient);
  if (typeof version === 'string') throw new EvaluationError(version);
  return new Semver(version);
}

const isSemver = (text: string, lenient = false): boolean => typeof read(text, lenient) !== 'string';

const part = (fn: string, index: 0 | 1 | 2): Library =>
  declare(fn, [`${NAME}.() int`, `semver_${fn}`, ({ version }: Semver) => version.numbers[index]]);

const test = (fn: string, holds: (order: number) => boolean): Library =>
  declare(fn, [
    `${NAME}.(${NAME}) bool`,
    `semver_${fn}`,
    (a: Semver, b: Semver) => holds(compare(a.version, b.version)),
  ]);

export const semverLibrary: Library = [
  ...declare(
    'semver',
    [`(string) ${NAME}`, 'string_to_semver', semverOf],
    [`(string, bool) ${NAME}`, 'string_bool_to_semver', semverOf],
  ),
  ...declare(
    'isSemver',
    ['(string) bool', 'is_semver_string', isSemver],
    ['(string, bool) bool', 'is_semver_string_bool', isSemver],
  ),
  ...part('major', 0),
  ...part('minor', 1),
  ...part('patch', 2),
  ...test('isGreaterThan', (order) => order > 0),
  ...test('isLessThan', (order) => order < 0),
  ...declare('compareTo', [
    `${NAME}.(${NAME}) int`,
    'semver_compare_to',
    (a: Semver, b: Semver) => BigInt(compare(a.version, b.version)),
  ]),
];
