import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestEnvCommandError } from '../errors.ts';
import { parseCommand } from './commands.ts';

test('lines are commands, as words or as JSON', () => {
  for (const [line, command] of [
    ['advance 5m', { command: 'advance', by: '5m' }],
    ['  crash node-1 ', { command: 'crash', node: 'node-1' }],
    ['{"command":"advance","by":100,"id":[1]}', { command: 'advance', by: 100, id: [1] }],
    ['fault {"fault":"refuse", "share": 0.5}', { command: 'fault', fault: { fault: 'refuse', share: 0.5 } }],
    [
      'image "shop/web:1" {"serve":{"80":"a b"}}',
      { command: 'image', reference: 'shop/web:1', policy: { serve: { 80: 'a b' } } },
    ],
    [
      `until deployment/web 'status.message=is "here"' shop`,
      { command: 'until', object: 'deployment/web', field: 'status.message=is "here"', namespace: 'shop' },
    ],
    ['apply "a \\"quoted\\" file"', { command: 'apply', source: 'a "quoted" file' }],
    ['reset', { command: 'reset' }],
    ['', undefined],
    ['# a comment', undefined],
  ] as const)
    assert.deepEqual(parseCommand(line), command, line);
});

test('what is no command is told, and what there is instead', () => {
  for (const [line, message] of [
    ['fly', /there is no command "fly"; there are advance, /],
    ['advance', /"advance" wants "by"; advance BY: lets/],
    ['crash a b', /"crash" takes no "b"; crash NODE: /],
    ['{"command":"crash","node":"a","pod":"b"}', /"crash" takes no "pod"/],
    ['{"command":1}', /a command looks like/],
    ['{"command"', /this is no JSON/],
    ['toString', /there is no command "toString"/],
  ] as const)
    assert.throws(
      () => parseCommand(line),
      (error) => error instanceof TestEnvCommandError && message.test(error.message),
      line,
    );
});
