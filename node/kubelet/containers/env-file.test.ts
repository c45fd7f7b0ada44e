import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseEnvFile } from './env-file.ts';

describe('a file of variables', () => {
  for (const [what, text, expected] of [
    ['nothing', '', {}],
    ['comments and empty lines', "# first\n\n  # second\nA='1'\n", { A: '1' }],
    [
      'values over lines, with marks that mean nothing',
      "A='one\ntwo = \"$x\" \\n # no comment'\nB=''",
      { A: 'one\ntwo = "$x" \\n # no comment', B: '' },
    ],
    ['the last of a name', "A='1'\nA='2'", { A: '2' }],
    ['space around, and a comment behind', "  A = 'x'  # why\r\n", { A: 'x' }],
  ] as const) {
    test(what, () => assert.deepEqual(Object.fromEntries(parseEnvFile(text)), expected));
  }
  for (const [text, message] of [
    ['A=1', /line 1: the value of A must be in single quotes/],
    ["A='1'\n\nB='open", /line 3: the value of B has no closing quote/],
    ["A='x\ny'\nexport B='1'", /line 3: it is not of the form/],
    ["A='1'2", /line 1: there is more after/],
  ] as const) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseEnvFile(text), message));
  }
});
