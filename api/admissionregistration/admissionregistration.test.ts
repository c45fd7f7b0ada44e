import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, textOf } from '../../libs/machinery/field-errors.ts';
import type { ValidatingWebhook } from '../types/admissionregistration/v1.generated.ts';
import { defaultWebhook } from './defaults.ts';
import { validateBindingSpec, validatePolicySpec } from './policies.ts';
import { validateRule } from './rules.ts';
import { validateWebhookClient } from './webhook-client.ts';
import { validateWebhooks } from './webhooks.ts';

const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] };
const webhook = (change: object = {}): ValidatingWebhook => {
  const made = {
    name: 'w.example.com',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { service: { name: 's', namespace: 'n' } },
    rules: [{ ...rule }],
    ...change,
  } as ValidatingWebhook;
  defaultWebhook(made);
  return made;
};

test('webhooks are called at once, fail closed and match equivalents unless they say otherwise', () => {
  const { failurePolicy, matchPolicy, timeoutSeconds, rules, clientConfig } = webhook();
  assert.deepEqual(
    [failurePolicy, matchPolicy, timeoutSeconds, rules?.[0]?.scope, clientConfig.service?.port],
    ['Fail', 'Equivalent', 10, '*', 443],
  );
  assert.deepEqual(validateWebhooks([webhook()]), []);
});

test('webhooks', () => {
  const cases: [object, string[]][] = [
    [
      { sideEffects: 'Some' },
      ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ],
    [
      { timeoutSeconds: 31 },
      ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      { admissionReviewVersions: ['v2'] },
      ['webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1'],
    ],
    [
      { matchConditions: [{ name: 'm', expression: '' }] },
      ['webhooks[0].matchConditions[0].expression: Required value'],
    ],
  ];
  for (const [change, wanted] of cases) assert.deepEqual(validateWebhooks([webhook(change)]).map(textOf), wanted);
  assert.deepEqual(validateWebhooks([webhook(), webhook()]).map(textOf), [
    'webhooks[1].name: Duplicate value: "w.example.com"',
  ]);
});

test('where a webhook is called', () => {
  const cases: [object, RegExp | undefined][] = [
    [{ url: 'https://x.example.com/hook' }, undefined],
    [{ url: 'http://x.example.com' }, /'https' is the only allowed URL scheme/],
    [{ url: 'https://u@x.example.com' }, /user information is not permitted/],
    [{ url: 'https://x.example.com?q=1' }, /query parameters are not permitted/],
    [{}, /exactly one of url or service is required/],
    [{ service: { name: 's', namespace: 'n', path: '/a//b' } }, /segment\[1\] may not be empty/],
  ];
  for (const [client, wanted] of cases) {
    const text = validateWebhookClient(client, path('c')).map(textOf).join();
    if (wanted) assert.match(text, wanted);
    else assert.equal(text, '');
  }
});

test('stars stand alone', () => {
  const cases: [object, string | undefined][] = [
    [{ operations: ['*', 'CREATE'] }, "if '*' is present, must not specify other operations"],
    [{ resources: ['*/*', 'pods'] }, "if '*/*' is present, must not specify other resources"],
    [{ resources: ['pods/*', 'pods/status'] }, "if 'pods/*' is present, must not specify pods/status"],
    [{ resources: ['pods', 'pods/status'] }, undefined],
  ];
  for (const [change, wanted] of cases)
    assert.equal(validateRule({ ...rule, ...change }, path('r'))[0]?.detail, wanted);
});

test('policies and bindings', () => {
  assert.deepEqual(validatePolicySpec({ failurePolicy: 'Fail' }, path('spec')).map(textOf), [
    'spec.matchConstraints: Required value',
  ]);
  const variables = [{ name: 'for', expression: '1' }];
  assert.match(validatePolicySpec({ variables }, path('spec')).map(textOf).join(), /must be a valid CEL identifier/);
  const both = { name: 'p', selector: {}, parameterNotFoundAction: 'Deny' };
  assert.deepEqual(validateBindingSpec({ policyName: 'p', paramRef: both }, path('spec')).map(textOf), [
    'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
    'spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
  ]);
});
