// Each example as its user runs it, and the snippets of docs/testing.md: from the packed package, in an empty folder.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { needs, testTool } from '../needs.ts';
import { type Consumer, packedConsumer } from './packed.ts';

const root = join(import.meta.dirname, '../..');
let consumer: Consumer;

before(() => {
  consumer = packedConsumer();
  cpSync(join(root, 'examples'), consumer.folder, { recursive: true });
});
after(() => consumer?.[Symbol.dispose]());

for (const [folder, file, count] of [
  ['operator', 'site-operator.test.ts', 5],
  ['scheduler-plugin', 'cheapest-node.test.ts', 2],
  ['chart', 'install.test.cjs', 5],
  ['race', 'tickets.test.ts', 2],
] as const) {
  test(`examples/${folder}`, () => {
    const told = consumer.run(process.execPath, ['--test', '--test-reporter=tap', file], {
      cwd: join(consumer.folder, folder),
    });
    assert.match(told, new RegExp(`^# pass ${count}$`, 'm'));
    assert.match(told, /^# fail 0$/m);
  });
}

const program = () => `${process.execPath} ${join(consumer.folder, 'node_modules/tutti/entry/tutti.mjs')}`;
/** For scripts that call the packed command, and kubectl. */
const shell = () => ({
  TUTTI: program(),
  PATH: [dirname(process.execPath), dirname(testTool('kubectl')), process.env['PATH']].join(delimiter),
});

test('examples/bash', { skip: needs('linux', 'kubectl') }, () => {
  const told = consumer.run('bash', ['test.sh'], { cwd: join(consumer.folder, 'bash'), env: shell() });
  assert.match(told, /passed$/);
});

// Debian's own interpreter is the one that has Debian's packages.
test('examples/python', { skip: needs('python3-kubernetes') }, () => {
  consumer.run('/usr/bin/python3', ['-m', 'unittest', 'test_shop.py'], {
    cwd: join(consumer.folder, 'python'),
    env: { TUTTI: program() },
  });
});

/** The blocks of code of a page that are whole files: their first line is a comment with the file's name. */
function snippets(page: string): { readonly name: string; readonly text: string }[] {
  const found = [];
  for (const [, text = ''] of page.matchAll(/^```(?:js|ts|sh|yaml)\n([\s\S]*?)^```$/gm)) {
    const name = /^(?:\/\/|#) ([\w./-]+\.(?:m?[jt]s|cjs|sh|yaml))\n/.exec(text)?.[1];
    if (name) found.push({ name, text });
  }
  return found;
}

test('every snippet of docs/testing.md runs as it stands', { skip: needs('linux', 'kubectl') }, () => {
  const folder = join(consumer.folder, 'docs');
  mkdirSync(folder);
  const files = snippets(readFileSync(join(root, 'docs/testing.md'), 'utf8'));
  assert.ok(files.length >= 6, `only ${files.length} snippets`);
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  const tests = files.map(({ name }) => name).filter((name) => /\.test\./.test(name));
  const told = consumer.run(process.execPath, ['--test', '--test-reporter=tap', ...tests], { cwd: folder });
  assert.match(told, /^# fail 0$/m);
  for (const { name } of files) {
    if (/^[\w-]+\.m?[jt]s$/.test(name) && !tests.includes(name))
      consumer.run(process.execPath, [name], { cwd: folder });
    if (name.endsWith('.sh')) consumer.run('bash', ['-eu', name], { cwd: folder, env: shell() });
  }
});
