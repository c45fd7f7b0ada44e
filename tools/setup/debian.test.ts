import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isVersionAtLeast } from './debian.ts';
import { findCommand, NODE_NEEDS } from './needs.ts';

const VERSIONS: readonly [version: string, min: string, atLeast: boolean][] = [
  ['3.5.16', '3.5', true],
  ['3.5', '3.5', true],
  ['3.4.23', '3.5', false],
  ['3.10', '3.9', true],
  ['3', '3.1', false],
  ['4', '3.9.9', true],
  ['1.20.5', '1.31', false],
];

test('versions are compared by number, part by part', () => {
  for (const [version, min, atLeast] of VERSIONS)
    assert.equal(isVersionAtLeast(version, min), atLeast, `${version} ${min}`);
});

test('a command is found in the first folder that has it', () => {
  const folders = [mkdtempSync(join(tmpdir(), 'tutti-path-')), mkdtempSync(join(tmpdir(), 'tutti-path-'))];
  try {
    const [first, second] = folders as [string, string];
    assert.equal(findCommand('a-command', folders), undefined);
    writeFileSync(join(second, 'a-command'), '');
    assert.equal(findCommand('a-command', folders), join(second, 'a-command'));
    writeFileSync(join(first, 'a-command'), '');
    assert.equal(findCommand('a-command', folders), join(first, 'a-command'));
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
});

test('each need names its own package', () => {
  const packages = NODE_NEEDS.map((need) => need.package);
  assert.equal(new Set(packages).size, packages.length);
  for (const name of packages) assert.match(name, /^[a-z0-9][a-z0-9+.-]+$/);
});
