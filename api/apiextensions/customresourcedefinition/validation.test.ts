import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeBase64 } from '../../../libs/base/base64.ts';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import { type Definition, validate, validateUpdate } from './validation.ts';

type Schema = Record<string, unknown>;

const version = (schema: Schema | undefined, more: object = {}) => ({
  name: 'v1',
  served: true,
  storage: true,
  ...(schema && { schema: { openAPIV3Schema: schema } }),
  ...more,
});

/** A definition that is right but for what a case changes. */
function definition(spec: object = {}, status: object = {}): Definition {
  return {
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [version({ type: 'object' })],
      ...spec,
    },
    status: { storedVersions: ['v1'], conditions: [], ...status },
  } as unknown as Definition;
}

const withSchema = (schema: Schema) => definition({ versions: [version({ type: 'object', ...schema })] });
const field = (schema: Schema) => withSchema({ properties: { a: schema } });
const webhook = (more: object, url = 'https://x') => ({
  conversion: { strategy: 'Webhook', webhook: { clientConfig: { url, ...more }, conversionReviewVersions: ['v1'] } },
});
const texts = (errors: ReturnType<typeof validate>) => errors.map(textOf);
const A = 'spec.validation.openAPIV3Schema.properties[a]';

describe('a definition is refused', () => {
  const cases: [string, Definition, string[]][] = [
    ['nothing is wrong', definition(), []],
    [
      'unknown fields kept, with a default',
      definition({
        preserveUnknownFields: true,
        versions: [version({ type: 'object', properties: { a: { type: 'string', default: 'x' } } })],
      }),
      [
        'spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in the schema',
        'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ],
    ],
    [
      'unknown fields kept, and converted',
      definition({ preserveUnknownFields: true, ...webhook({}) }),
      [
        'spec.conversion.strategy: Invalid value: "Webhook": must be None if spec.preserveUnknownFields is true',
        'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ],
    ],
    [
      'a webhook at a path with an empty step',
      definition(webhook({ url: undefined, service: { name: 'n', namespace: 'ns', path: '/a//b' } })),
      ['spec.conversion.webhookClientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty'],
    ],
    [
      'a webhook without TLS',
      definition(webhook({}, 'http://x')),
      [
        `spec.conversion.webhookClientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
      ],
    ],
    [
      'review versions twice',
      definition({
        conversion: {
          strategy: 'Webhook',
          webhook: { clientConfig: { url: 'https://x' }, conversionReviewVersions: ['v1', 'v1', 'v1'] },
        },
      }),
      [1, 2].map((i) => `spec.conversion.conversionReviewVersions[${i}]: Invalid value: "v1": duplicate version`),
    ],
    ['a bundle that is none, as long as it is new', definition(webhook({ caBundle: 'eA==' })), []],
    [
      'a set of objects that merge',
      field({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } }),
      [
        `${A}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`,
      ],
    ],
    [
      'a set of lists that merge',
      field({
        type: 'array',
        'x-kubernetes-list-type': 'set',
        items: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      }),
      [
        `${A}.items.x-kubernetes-list-type: Invalid value: "set": must be atomic as item of a list with x-kubernetes-list-type=set`,
      ],
    ],
    [
      'a set of objects that do not merge',
      field({
        type: 'array',
        'x-kubernetes-list-type': 'set',
        items: { type: 'object', 'x-kubernetes-map-type': 'atomic' },
      }),
      [],
    ],
    [
      'a list type that there is not, of what is no list',
      field({ type: 'string', 'x-kubernetes-list-type': 'bag' }),
      [
        `${A}.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified`,
        `${A}.x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"`,
      ],
    ],
    [
      'a selectable field of metadata',
      definition({
        versions: [
          version(
            { type: 'object', properties: { metadata: { type: 'object', properties: { name: { type: 'string' } } } } },
            { selectableFields: [{ jsonPath: '.metadata.name' }] },
          ),
        ],
      }),
      ['spec.selectableFields[0].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata'],
    ],
    [
      'several things about a warning',
      definition({
        versions: [version({ type: 'object' }, { deprecated: true, deprecationWarning: `ü\t${'x'.repeat(300)}` })],
      }),
      [
        'must be <= 256 characters long',
        'must only contain printable UTF-8 characters; non-printable character found at index 2',
      ].map((why) => `spec.versions[0].deprecationWarning: Invalid value: "ü\\t${'x'.repeat(300)}": ${why}`),
    ],
    [
      'a rule without words',
      field({ type: 'string', 'x-kubernetes-validations': [{ rule: ' ', message: ' ' }] }),
      [`${A}.x-kubernetes-validations[0].rule: Required value: rule is not specified`],
    ],
    [
      'a rule of a field whose schema is wrong says nothing more',
      field({
        type: 'string',
        uniqueItems: true,
        'x-kubernetes-validations': [{ rule: 'self.nope' }],
      }),
      [`${A}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`],
    ],
    [
      'old values of items that cannot be told apart, even where there may be none',
      field({
        type: 'array',
        maxItems: 2,
        items: {
          type: 'string',
          maxLength: 2,
          'x-kubernetes-validations': [{ rule: 'oldSelf.hasValue()', optionalOldSelf: true }],
        },
      }),
      [
        `${A}.items.x-kubernetes-validations[0].rule: Invalid value: "oldSelf.hasValue()": oldSelf cannot be used on the uncorrelatable portion of the schema within ${A}`,
      ],
    ],
  ];
  for (const [what, of, wanted] of cases) test(what, () => assert.deepEqual(texts(validate(of)), wanted));
});

describe('a change of a definition is refused', () => {
  const established = { conditions: [{ type: 'Established', status: 'True' }] };
  const bundle = (text: string) => ({ caBundle: encodeBase64(text) });
  const pem = (type: string, body: string) => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;
  const wrong = bundle('x');
  const at = 'spec.conversion.webhookClientConfig.caBundle: Invalid value';
  const cases: [string, Definition, Definition, string[]][] = [
    [
      'another scope once it is served',
      definition({ scope: 'Cluster' }, established),
      definition({}, established),
      ['spec.scope: Invalid value: "Cluster": field is immutable'],
    ],
    ['another scope before', definition({ scope: 'Cluster' }), definition(), []],
    [
      'another group',
      definition({ group: 'example.org' }),
      definition(),
      ['spec.group: Invalid value: "example.org": field is immutable'],
    ],
    [
      'a stored version that goes',
      definition({ versions: [version({ type: 'object' }, { name: 'v2' })] }, { storedVersions: ['v1', 'v2'] }),
      definition(),
      [
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
      ],
    ],
    [
      'a bundle that is none',
      definition(webhook(wrong), established),
      definition({}, established),
      [`${at}: "eA==": unable to load root certificates: unable to parse bytes as PEM block`],
    ],
    [
      'a bundle of keys',
      definition(webhook(bundle(pem('PUBLIC KEY', 'MAA='))), established),
      definition({}, established),
      [
        `${at}: "${bundle(pem('PUBLIC KEY', 'MAA=')).caBundle}": unable to load root certificates: no valid certificate authority data seen`,
      ],
    ],
    [
      'a bundle that was wrong before',
      definition(webhook(wrong), established),
      definition(webhook(wrong), established),
      [],
    ],
    [
      'a bundle of a certificate',
      definition(webhook(bundle(pem('CERTIFICATE', 'MAA='))), established),
      definition(),
      [],
    ],
  ];
  for (const [what, to, from, wanted] of cases) {
    test(what, () => assert.deepEqual(texts(validateUpdate(to, from)), wanted));
  }
});
