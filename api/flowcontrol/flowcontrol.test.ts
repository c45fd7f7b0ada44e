import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestContext } from '../../libs/kind/request.ts';
import { textOf } from '../../libs/machinery/field-errors.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../types/flowcontrol/v1.generated.ts';
import { strategy as schemas } from './flowschema/strategy.ts';
import { mandatoryFlowSchemas } from './mandatory.ts';
import { strategy as levels } from './prioritylevelconfiguration/strategy.ts';

const ctx = {} as RequestContext;

function levelErrors(name: string, spec: object): string[] {
  const draft = { metadata: { name }, spec: structuredClone(spec) } as PriorityLevelConfiguration;
  levels.defaults?.(draft);
  return (levels.validate?.(draft as never, ctx) ?? []).map(textOf);
}

test('levels', () => {
  const queue = (queuing: object) => ({ type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing } } });
  const at = 'spec.limited.limitResponse.queuing';
  const cases: [string, object, string[]][] = [
    ['a', queue({}), []],
    [
      'a',
      { type: 'Exempt' },
      [`spec.type: Invalid value: "Exempt": must be 'Exempt' if and only if \`name\` is 'exempt'`],
    ],
    [
      'a',
      queue({ queues: 4, handSize: 5 }),
      [`${at}.handSize: Invalid value: 5: should not be greater than queues (4)`],
    ],
    [
      'a',
      queue({ queues: 5_000_000, handSize: 20 }),
      [
        `${at}.handSize: Invalid value: 20: required entropy bits of deckSize 5000000 and handSize 20 should not be greater than 60`,
      ],
    ],
    ['exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 9 } }, []],
  ];
  for (const [name, spec, wanted] of cases) assert.deepEqual(levelErrors(name, spec), wanted);
});

test('the schemas without which nothing works cannot be changed', () => {
  const catchAll = structuredClone(mandatoryFlowSchemas[0]) as FlowSchema;
  assert.deepEqual(schemas.validate?.(catchAll as never, ctx), []);
  catchAll.spec.matchingPrecedence = 5;
  assert.match(
    textOf((schemas.validate?.(catchAll as never, ctx) ?? [])[0] as never),
    /spec of 'catch-all' must equal the fixed value$/,
  );
});

test('schemas: who, what, and in which order', () => {
  const schema = {
    metadata: { name: 's' },
    spec: { priorityLevelConfiguration: { name: 'l' }, rules: [{}] },
  } as unknown as FlowSchema;
  schemas.defaults?.(schema);
  assert.equal(schema.spec.matchingPrecedence, 1000);
  assert.deepEqual((schemas.validate?.(schema as never, ctx) ?? []).map(textOf), [
    'spec.rules[0].subjects: Required value: subjects must contain at least one value',
    'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
  ]);
});
