import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';

/** A clone of nothing but the bootstrap and the given files; `npm` is a fake that records how it was called. */
function withClone(
  files: Readonly<Record<string, string>>,
  body: (clone: Clone) => Promise<void> | void,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'tutti-bootstrap-'));
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const file of ['bootstrap.mjs', 'source-modules.mjs'])
    cpSync(join(import.meta.dirname, file), join(root, 'tools', file));
  write('package-lock.json', lock({ 'node_modules/a': '1.0.0' }));
  write(
    'npm-cli.js',
    `const fs = require('node:fs');
    if (process.env.NPM_FAILS) { console.error('npm says no'); process.exit(1); }
    fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
    fs.mkdirSync('node_modules', { recursive: true });
    fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`,
  );
  for (const [path, text] of Object.entries(files)) write(path, text);
  const env = { ...process.env, npm_execpath: join(root, 'npm-cli.js') };
  const clone: Clone = {
    root,
    write,
    env,
    run: (args, more = {}) =>
      spawnSync(process.execPath, ['tools/bootstrap.mjs', ...args], {
        cwd: root,
        env: { ...env, ...more },
        encoding: 'utf8',
      }),
  };
  return Promise.resolve(body(clone)).finally(() => rmSync(root, { recursive: true, force: true }));
}

type Clone = {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  write(path: string, text: string): void;
  run(args: readonly string[], env?: NodeJS.ProcessEnv): { status: number | null; stdout: string; stderr: string };
};

function lock(packages: Readonly<Record<string, string>>, optional: readonly string[] = []): string {
  const entries = Object.entries(packages).map(([path, version]) => [
    path,
    { version, optional: optional.includes(path) },
  ]);
  return JSON.stringify({ packages: { '': {}, ...Object.fromEntries(entries) } });
}

const PROGRAM = 'console.log(JSON.stringify(process.argv.slice(2)), process.argv[1] === import.meta.filename);';

test('a program gets its arguments, and is the main one', () =>
  withClone({ 'a.ts': `const text: string = ''; ${PROGRAM}` }, ({ run }) => {
    assert.equal(run(['a.ts', 'x', '--y z']).stdout, '["x","--y z"] true\n');
  }));

test('a program finds its modules, in whichever language, and those of its dependencies', () =>
  withClone(
    {
      'a.ts': "import { b } from './b/b.ts'; import c from './c.mjs'; import { d } from 'd'; console.log(b, c, d);",
      'b/b.ts': "import { own } from '../own.ts'; export const b: string = 'b' + own;",
      'own.ts': 'export const own: number = 1;',
      'c.mjs': "export default 'c';",
      'node_modules/d/package.json': '{ "name": "d", "type": "module", "exports": "./d.js" }',
      'node_modules/d/d.js': "export { d } from './e.js';",
      'node_modules/d/e.js': "export const d = 'd';",
    },
    ({ run }) => assert.equal(run(['a.ts']).stdout, 'b1 c d\n'),
  ));

test('dependencies are installed once, and again when the lockfile names others', () =>
  withClone({ 'a.ts': '' }, ({ root, run, write }) => {
    const calls = () => existsSync(join(root, 'npm-calls')) && run(['count.ts']).stdout;
    write(
      'count.ts',
      "import { readFileSync } from 'node:fs'; console.log(readFileSync('npm-calls', 'utf8').split('ci').length - 1);",
    );
    run(['a.ts']);
    run(['a.ts']);
    assert.equal(calls(), '1\n');
    write('package-lock.json', lock({ 'node_modules/a': '1.0.1' }));
    run(['a.ts']);
    assert.equal(calls(), '2\n');
    write('package-lock.json', lock({ 'node_modules/a': '1.0.1', 'node_modules/b': '1.0.0' }));
    run(['a.ts']);
    assert.equal(calls(), '3\n');
    write('package-lock.json', lock({ 'node_modules/b': '1.0.0' }));
    run(['a.ts']);
    assert.equal(calls(), '4\n');
  }));

test('the words of the API are made once, and their absence is no reason not to start', () =>
  withClone({ 'a.ts': "console.log('ran');" }, ({ root, run, write }) => {
    const file = 'api/schema/descriptions.generated.json';
    write('api/schema/core.json', '{}');
    write('tools/generate.ts', "throw new Error('no models');");
    const { stdout, stderr } = run(['a.ts']);
    assert.equal(stdout, 'ran\n');
    assert.match(stderr, /^tutti: "kubectl explain" will have no words, as .*: Error: no models$/m);
    write(
      'tools/generate.ts',
      `import { appendFileSync } from 'node:fs'; appendFileSync('${file}', process.argv.slice(2).join());`,
    );
    for (let start = 0; start < 2; start++) assert.equal(run(['a.ts']).stderr, '');
    assert.equal(readFileSync(join(root, file), 'utf8'), '--descriptions');
  }));

test('what npm leaves out on this system is not missing', () =>
  withClone({ 'a.ts': '' }, ({ root, run, write }) => {
    write(
      'package-lock.json',
      lock({ 'node_modules/a': '1.0.0', 'node_modules/other-system': '1.0.0' }, ['node_modules/other-system']),
    );
    write('node_modules/.package-lock.json', lock({ 'node_modules/a': '1.0.0' }));
    run(['a.ts']);
    assert.equal(existsSync(join(root, 'npm-calls')), false);
  }));

const TROUBLE: readonly [name: string, args: string[], env: NodeJS.ProcessEnv, message: RegExp][] = [
  ['no program', [], {}, /^tutti: usage: /],
  ['a program that is not there', ['b.ts'], {}, /^tutti: b\.ts is not a program of this clone\.\n$/],
  ['an installation that fails', ['a.ts'], { NPM_FAILS: '1' }, /\nnpm says no\ntutti: "npm ci" failed in .*\n$/],
];

for (const [name, args, env, message] of TROUBLE) {
  test(`${name} is told in a sentence`, () =>
    withClone({ 'a.ts': '' }, ({ run }) => {
      const { status, stderr } = run(args, env);
      assert.equal(status, 1);
      assert.match(stderr, message);
    }));
}

test('a newer Node that npm passes over, as it could not be fetched, is told in a sentence', () =>
  withClone({ 'a.ts': '' }, ({ root, run, write }) => {
    const name = `node-${process.platform}-${process.arch}`;
    write('tools/runtime/package.json', JSON.stringify({ optionalDependencies: { [name]: '999.0.0' } }));
    write('tools/runtime/package-lock.json', lock({}));
    const bootstrap = readFileSync(join(root, 'tools/bootstrap.mjs'), 'utf8');
    write('tools/bootstrap.mjs', bootstrap.replace(/^const NODE_MAJOR_MIN = .*$/m, 'const NODE_MAJOR_MIN = 999;'));
    const { status, stderr } = run(['a.ts']);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /\ntutti: npm could not fetch Node 999\.0\.0: is the package registry reachable\? Or install .*\n$/,
    );
  }));

test('a program that throws shows its stack', () =>
  withClone({ 'a.ts': "throw new Error('a bug');" }, ({ run }) => {
    const { status, stderr } = run(['a.ts']);
    assert.equal(status, 1);
    assert.match(stderr, /Error: a bug\n\s+at .*a\.ts:1/);
  }));

test('a program stops when npm is told to, though the shell between them passes nothing on', () =>
  withClone(
    {
      'a.ts': `
        const timer = setInterval(() => {}, 1000);
        process.on('SIGTERM', () => { console.log('stopping'); clearInterval(timer); });
        console.log('started');
      `,
    },
    async ({ root, env }) => {
      const command = `${JSON.stringify(process.execPath)} tools/bootstrap.mjs a.ts; true`;
      const shell = spawn('sh', ['-c', command], { cwd: root, env: { ...env, npm_lifecycle_event: 'start' } });
      let output = '';
      await new Promise<void>((resolve) => {
        shell.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (text.includes('started')) shell.kill('SIGTERM');
        });
        shell.on('close', () => resolve()); // when the program, too, has closed its output
      });
      assert.equal(output, 'started\nstopping\n');
    },
  ));

test('two at once install once', () =>
  withClone({ 'a.ts': "console.log('ran');" }, async ({ root, env }) => {
    const start = () =>
      new Promise<number | null>((resolve) => {
        const child = spawn(process.execPath, ['tools/bootstrap.mjs', 'a.ts'], { cwd: root, env, stdio: 'ignore' });
        child.on('close', resolve);
      });
    assert.deepEqual(await Promise.all([start(), start(), start()]), [0, 0, 0]);
    const counted = spawnSync('wc', ['-l', join(root, 'npm-calls')], { encoding: 'utf8' }).stdout;
    assert.match(counted, /^1 /);
  }));

test('the lock of a set-up that died is taken over', () =>
  withClone({ 'a.ts': "console.log('ran');" }, ({ run, write }) => {
    const dead = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).stdout.trim();
    write('.cache/bootstrap.lock', dead);
    assert.equal(run(['a.ts']).stdout, 'ran\n');
  }));
