// The published package, as its user gets it: packed here, unpacked in an empty folder, used in every way it promises.
// Nothing is fetched: what the package depends on is linked from this clone.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { EXTERNAL } from '../../tools/build/bundle.ts';

const root = join(import.meta.dirname, '../..');
const metadata = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
const work = mkdtempSync(join(tmpdir(), 'tutti-package-'));
/** An empty project with the package in its node_modules. */
const consumer = join(work, 'consumer');
const installed = join(consumer, 'node_modules/tutti');

function run(command: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` };
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  assert.equal(result.status, 0, `${command} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
  return result.stdout.trim();
}

function write(name: string, text: string): string {
  writeFileSync(join(consumer, name), text);
  return name;
}

before(() => {
  run('npm', ['pack', '--silent', '--pack-destination', work], root);
  const archive = readdirSync(work).find((name) => name.endsWith('.tgz'));
  assert.ok(archive, 'npm pack made no archive');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(work, archive), '-C', installed, '--strip-components=1'], work);
  for (const name of Object.keys(metadata.dependencies)) {
    const link = join(consumer, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
  write('package.json', '{ "name": "consumer", "private": true }');
});

after(() => rmSync(work, { recursive: true, force: true }));

test('it holds the bundles and what describes it, and no source', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
  const expected = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'entry', 'package.json'];
  assert.deepEqual(readdirSync(installed).sort(), expected);
  assert.deepEqual(
    files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')),
    [],
  );
});

test('it depends on nothing but what cannot be bundled', () => {
  // What is bundled too is a development dependency, or users would install it for nothing.
  assert.deepEqual(Object.keys(metadata.dependencies), [...EXTERNAL]);
});

test('an ES module imports it', () => {
  const file = write(
    'main.mjs',
    "import { defineKind, version } from 'tutti';\nconsole.log(typeof defineKind, version);\n",
  );
  assert.equal(run(process.execPath, [file], consumer), `function ${metadata.version}`);
});

test('a CommonJS module requires it', () => {
  const file = write(
    'main.cjs',
    "const { defineKind, version } = require('tutti');\nconsole.log(typeof defineKind, version);\n",
  );
  assert.equal(run(process.execPath, [file], consumer), `function ${metadata.version}`);
});

for (const module of ['nodenext', 'preserve'] as const) {
  test(`TypeScript knows its types (module ${module})`, () => {
    const file = write(
      `main-${module}.mts`,
      "import { version } from 'tutti';\nimport type { Client } from 'tutti';\nconst text: string = version;\n" +
        '// @ts-expect-error a version is a text\nconst number: number = version;\n' +
        'export type Of = Client;\nconsole.log(text, typeof number);\n',
    );
    write(
      `tsconfig-${module}.json`,
      JSON.stringify({
        compilerOptions: {
          module,
          target: 'esnext',
          strict: true,
          noEmit: true,
          types: ['node'],
          typeRoots: [join(root, 'node_modules/@types')],
        },
        files: [file],
      }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    run(process.execPath, [tsc, '-p', `tsconfig-${module}.json`], consumer);
    assert.equal(run(process.execPath, [file], consumer), `${metadata.version} string`);
  });
}

test('TypeScript that becomes CommonJS may require it', () => {
  const file = write(
    'main.cts',
    "import { version } from 'tutti';\nconst text: string = version;\nconsole.log(text);\n",
  );
  const options = {
    module: 'nodenext',
    target: 'esnext',
    strict: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  write('tsconfig-cts.json', JSON.stringify({ compilerOptions: options, files: [file] }));
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig-cts.json'], consumer);
  assert.equal(run(process.execPath, ['main.cjs'], consumer).split('\n').at(-1), metadata.version);
});

test('its command runs', () => {
  assert.equal(run(process.execPath, [join(installed, 'entry/tutti.mjs'), 'version'], consumer), metadata.version);
});

test('a clone can be imported by its own name, and through a link, without a build', () => {
  const linked = join(work, 'linked');
  mkdirSync(join(linked, 'node_modules'), { recursive: true });
  symlinkSync(root, join(linked, 'node_modules/tutti'));
  for (const folder of [root, linked]) {
    const module =
      "import { version } from 'tutti'; console.log(version, import.meta.resolve('tutti').endsWith('entry/index.mjs'));";
    assert.equal(run(process.execPath, ['--input-type=module', '-e', module], folder), `${metadata.version} true`);
    const commonJs = "console.log(require('tutti').version)";
    assert.equal(run(process.execPath, ['--input-type=commonjs', '-e', commonJs], folder), metadata.version);
  }
});
