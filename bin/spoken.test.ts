import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { asTyped, NAME_IN_CLONE, nameTyped } from './spoken.ts';

describe('what we print can be typed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-spoken-'));
  after(() => rmSync(folder, { recursive: true }));
  const packageOf = (name: string): string => {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify({ name }));
    return file;
  };

  const CASES: readonly [name: string, env: Record<string, string>, expected: string][] = [
    ['installed', {}, 'tutti'],
    [
      'by a script of a clone',
      { npm_lifecycle_event: 'start', npm_package_json: packageOf('tutti'), npm_command: 'start' },
      NAME_IN_CLONE,
    ],
    ['by a test of a clone', { npm_lifecycle_event: 'test', npm_package_json: packageOf('tutti') }, 'tutti'],
    [
      'by a script of one’s own package',
      { npm_lifecycle_event: 'up', npm_package_json: packageOf('shop') },
      'npx tutti',
    ],
    ['by npx', { npm_command: 'exec', npm_lifecycle_event: 'npx', npm_package_json: packageOf('shop') }, 'npx tutti'],
    ['where the package is gone', { npm_lifecycle_event: 'up', npm_package_json: join(folder, 'no') }, 'npx tutti'],
  ];
  for (const [name, env, expected] of CASES) test(name, () => assert.equal(nameTyped(env), expected));

  test('commands are named as they were typed, headings and other words stay', () => {
    const text = 'tutti up: start\nusage: tutti up [options]\n"tutti token create" of tutti, "tutti COMMAND --help"\n';
    assert.equal(
      asTyped(text, 'npx tutti'),
      'tutti up: start\nusage: npx tutti up [options]\n"npx tutti token create" of tutti, "npx tutti COMMAND --help"\n',
    );
    assert.equal(asTyped(text, 'tutti'), text);
    assert.equal(
      asTyped('"tutti up" or tutti up --simulate 3, then tutti status', NAME_IN_CLONE),
      '"npm start" or npm start -- --simulate 3, then npm run -s tutti -- status',
    );
  });
});
