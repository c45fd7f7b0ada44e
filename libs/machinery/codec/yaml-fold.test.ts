import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeYaml, yamlToJson } from './yaml.ts';
import { foldLines } from './yaml-fold.ts';

const words = (count: number, length = 9) => Array.from({ length: count }, (_, i) => String(i % 10).repeat(length));
const A = words(8).join(' ');
const B = words(3).join(' ');

for (const [name, given, wanted] of [
  ['a short line', 'a: b\n', 'a: b\n'],
  ['a value goes on behind its key', `key: ${A} x ${B}\n`, `key: ${A}\n  x ${B}\n`],
  ['a value within a list', `- key: ${A} x ${B}\n`, `- key: ${A}\n    x ${B}\n`],
  ['an item of a list', `l:\n- ${A} xx ${B}\n`, `l:\n- ${A}\n  xx ${B}\n`],
  ['a quoted value', `k: '${A}: ${B}'\n`, `k: '${A}:\n  ${B}'\n`],
  ['only after the 80th column', `k: ${'x'.repeat(77)} y z\n`, `k: ${'x'.repeat(77)} y\n  z\n`],
  ['not where there are two spaces', `k: '${A}  x y ${B}'\n`, `k: '${A}  x\n  y ${B}'\n`],
  ['but with a sign in double quotes', `k: "${A}  x y"\n`, `k: "${A}\n  \\ x y"\n`],
  ['one word however long', `k: ${'x'.repeat(200)}\n`, `k: ${'x'.repeat(200)}\n`],
  [
    'a block stays',
    `a:\n  k: |\n    ${A} x ${B}\n  l: ${A} x ${B}\n`,
    `a:\n  k: |\n    ${A} x ${B}\n  l: ${A}\n    x ${B}\n`,
  ],
] as const) {
  test(name, () => assert.equal(foldLines(given), wanted));
}

test('what is folded reads as it was', () => {
  const object = {
    plain: `${A} ${B}`,
    colon: `${A}: ${B} it's ${A}`,
    spaces: `${A}   ${B}   ${A}`,
    number: `1 ${A} ${B}`,
    lines: `${A} ${B}\n${A} ${B}\n`,
    tab: `${A}\t${B} ${A}`,
    'a: key': `${A} # ${B}`,
    list: [`${A} ${B}`, { deep: `${A} ${B} ${A} ${B} ${A}`, lines: `x\n  ${A} ${B}\n\ny: ${A} ${B}` }],
    end: `${A} ${B} `,
  };
  const text = encodeYaml(object);
  assert.deepEqual(JSON.parse(yamlToJson(text).json), object);
  const over = text.split('\n').filter((line) => line.length > 95 && !line.includes('|'));
  assert.ok(over.length > 0 && over.length < 8, 'only blocks are long');
});
