import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { COMMANDS } from './commands.ts';
import { completedCommands, optionsOf, SHELLS } from './completion.ts';

test('completion knows what help says', async () => {
  const all = await completedCommands();
  assert.deepEqual(
    all.map(({ name }) => name),
    Object.keys(COMMANDS),
  );
  assert.ok(all.find(({ name }) => name === 'token')?.options.some(({ word }) => word === '--ttl'));
  assert.deepEqual(optionsOf('x: y\n  --one      a\n  --two-three B  c\n      --no\nword --four\n'), [
    { word: '--one', value: false },
    { word: '--two-three', value: true },
  ]);
});

/** The words of a line, the last one unfinished, and what is offered for it. */
const LINES: readonly [line: string, offered: readonly string[]][] = [
  ['tutti to', ['token']],
  ['tutti help sto', ['stop']],
  ['tutti token ', ['create', 'delete', 'list']],
  ['tutti token cr', ['create']],
  ['tutti up --sim', ['--simulate']],
  ['tutti token create --q', ['--quiet']],
  ['tutti up --data-dir sand', ['sandbox/']],
  ['tutti image import arch', ['archive.tar']],
  ['tutti stop arch', []],
];

/** How each shell is asked: a script that takes the line's words, and prints a line for each that it offers. */
const ASK: Readonly<Record<string, (script: string, line: string) => string>> = {
  bash: (script, line) => `source ${script}
    COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
    _tutti; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // compadd as it would be called, but printing what fits; _describe and _files come down to it.
  zsh: (script, line) => `words=(${line.replace(/ $/, " ''")}); CURRENT=$#words; PREFIX=$words[CURRENT]
    compdef() { }
    compadd() { shift; print -l -- \${(M)@:#$PREFIX*} }
    _describe() { local found; print -l -- \${(M)\${(P)2}%%:*} | sed 's/:.*//' ; print -l -- \${\${(P)2}%%:*} }
    _files() { print -l -- $PREFIX*(N) }
    source ${script}; _tutti`,
  fish: (script, line) => `source ${script}; complete -C '${line}' | string replace -r '\\t.*' ''`,
};

for (const [shell, ask] of Object.entries(ASK)) {
  const isThere = spawnSync(shell, ['-c', 'true']).status === 0;
  describe(`completion in ${shell}`, { skip: isThere ? false : `there is no ${shell}` }, () => {
    let folder = '';
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tutti-completion-'));
      writeFileSync(join(folder, 'script'), SHELLS[shell]!(await completedCommands()));
      writeFileSync(join(folder, 'archive.tar'), '');
      spawnSync('mkdir', [join(folder, 'sandbox')]);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    for (const [line, offered] of LINES) {
      test(line, () => {
        const env = { ...process.env, HOME: folder };
        const { stdout, stderr } = spawnSync(shell, ['-c', ask('./script', line)], {
          cwd: folder,
          env,
          encoding: 'utf8',
        });
        assert.equal(stderr, '');
        const word = line.split(' ').at(-1) as string;
        const found = stdout.split('\n').filter((one) => one !== '' && one.startsWith(word));
        const plain = (words: readonly string[]) => [...new Set(words.map((one) => one.replace(/\/$/, '')))].sort();
        assert.deepEqual(plain(found), plain(offered));
      });
    }
  });
}
