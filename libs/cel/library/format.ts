/** Named formats: `format.dns1123Label().validate(text)` gives what is wrong, or nothing. */
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../../machinery/names.ts';
import { declare, type Library } from '../declare.ts';
import { ListValue, NONE, Opaque, Optional } from '../values.ts';
import { isDate, isDateTime, isUri } from './format-tests.ts';

type Check = (text: string) => readonly string[];

class Format extends Opaque {
  readonly type = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly check: Check;
  constructor(name: string, check: Check) {
    super();
    this.name = name;
    this.check = check;
  }

  equals(other: Opaque): boolean {
    return other instanceof Format && other.name === this.name;
  }
}

const test =
  (holds: (text: string) => boolean, message: string): Check =>
  (text) =>
    holds(text) ? [] : [message];

const FORMATS: readonly (readonly [name: string, check: Check])[] = [
  ['dns1123Label', (text) => (text.includes('.') ? ['must not contain dots'] : dns1123Label(text))],
  ['dns1123Subdomain', (text) => dns1123Subdomain(text)],
  ['dns1035Label', (text) => dns1035Label(text)],
  ['qualifiedName', (text) => qualifiedName(text)],
  ['dns1123LabelPrefix', (text) => dns1123Label(text, true)],
  ['dns1123SubdomainPrefix', (text) => dns1123Subdomain(text, true)],
  ['dns1035LabelPrefix', (text) => dns1035Label(text, true)],
  ['labelValue', (text) => labelValue(text)],
  ['uri', test(isUri, 'invalid URI')],
  [
    'uuid',
    test(
      (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
      'does not match the UUID format',
    ),
  ],
  [
    'byte',
    test(
      (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== '',
      'invalid base64',
    ),
  ],
  ['date', test(isDate, 'invalid date')],
  ['datetime', test(isDateTime, 'invalid datetime')],
];

const VALUES: ReadonlyMap<string, Format> = new Map(FORMATS.map(([name, check]) => [name, new Format(name, check)]));

export const formatLibrary: Library = [
  ...FORMATS.flatMap(([name]) =>
    declare(`format.${name}`, ['() kubernetes.NamedFormat', `format_${name}`, () => VALUES.get(name) as Format]),
  ),
  ...declare('format.named', [
    '(string) optional(kubernetes.NamedFormat)',
    'format_named',
    (name: string) => {
      const format = VALUES.get(name);
      return format ? new Optional(format) : NONE;
    },
  ]),
  ...declare('validate', [
    'kubernetes.NamedFormat.(string) optional(list(string))',
    'format_validate',
    (format: Format, text: string) => {
      const problems = format.check(text);
      return problems.length === 0 ? NONE : new Optional(new ListValue(problems));
    },
  ]),
];
