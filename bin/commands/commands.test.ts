import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { agentOptions } from './agent.ts';
import { COMMANDS, usage } from './commands.ts';
import { durationOf } from './options.ts';
import { serverOptions } from './server-options.ts';
import { exitCodeOf, type Status, statusText } from './status.ts';
import { ageOf, sizeOf, table } from './table.ts';

describe('commands', () => {
  for (const [name, { load, verbs = [] }] of Object.entries(COMMANDS)) {
    test(`tutti ${name} --help has a summary, its options and examples, and promises no option that it refuses`, async () => {
      const { usage: text, run } = await load();
      assert.match(text, new RegExp(`^tutti ${name}: .+\n+usage: tutti ${name}`));
      assert.match(text, /^examples?:\n+( {2}.*\n)+/m);
      for (const verb of verbs) assert.match(text, new RegExp(`${name} (.*\\|)?${verb}`), verb);
      assert.ok(usage().includes(`tutti ${name} `));
      if (name === 'dev') return;
      await assert.rejects(run(['--no-such-option']), (error: Error & { exitCode: number }) => {
        assert.equal(error.exitCode, 2);
        assert.equal(error.message.trim().split('\n').length, 1);
        assert.match(error.message, /--no-such-option/);
        return true;
      });
    });
  }
});

describe('words of options', () => {
  const DURATIONS: readonly [text: string, ms: number | undefined][] = [
    ['0', 0],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['7', undefined],
    ['', undefined],
    ['1x', undefined],
    ['1h 30m', undefined],
    ['-1h', undefined],
  ];
  for (const [text, ms] of DURATIONS) {
    test(`duration ${JSON.stringify(text)}`, () => {
      if (ms === undefined) assert.throws(() => durationOf('--ttl', text), /--ttl wants a duration/);
      else assert.equal(durationOf('--ttl', text), ms);
    });
  }

  test('a server runs no node, and leads where the store is shared', () => {
    const plain = serverOptions([]);
    assert.ok(plain !== 'help');
    assert.deepEqual([...plain.wanted], ['apiserver', 'controller-manager', 'scheduler']);
    assert.deepEqual([plain.listenHost, plain.leaderElect], ['0.0.0.0', false]);
    const shared = serverOptions(['--store', 'etcd://10.0.0.1:2379', '--tls-san', 'a.example,10.0.0.9']);
    assert.ok(shared !== 'help');
    assert.deepEqual([shared.leaderElect, shared.tlsSans], [true, ['a.example', '10.0.0.9']]);
    assert.throws(() => serverOptions(['--only', 'kubelet']), /runs no node \(kubelet\)/);
    assert.throws(() => serverOptions(['--simulate', '3']), /runs no node \(--simulate\)/);
  });

  test('an agent wants a server’s address', () => {
    assert.throws(() => agentOptions(['--server', '10.0.0.1:6443']), /--server wants an address such as https:/);
    assert.throws(() => agentOptions(['--token', 'x']), /--token wants the word/);
    const options = agentOptions(['--server', 'https://10.0.0.1:6443/', '--node-name', 'n']);
    assert.ok(options !== 'help');
    assert.equal(options.server, 'https://10.0.0.1:6443');
  });
});

describe('what is printed', () => {
  test('tables, ages, sizes', () => {
    assert.equal(
      table(
        ['A', 'LONG'],
        [
          ['one', ''],
          ['two', 'x'],
        ],
      ),
      'A     LONG\none\ntwo   x\n',
    );
    assert.deepEqual([0, 90_000, 150_000, 7_300_000, 3 * 86_400_000].map(ageOf), ['0s', '90s', '2m', '2h', '3d']);
    assert.deepEqual([12, 1_500, 2_340_000, 5e9].map(sizeOf), ['12 B', '1.5 kB', '2.3 MB', '5.0 GB']);
  });

  const day = 86_400_000;
  const well: Status = {
    dataDir: '/d',
    pid: 7,
    dataBytes: 1000,
    nodes: [{ name: 'a', ready: true }],
    firstExpiry: { name: 'admin', notAfterMs: 300 * day },
  };
  const { pid: _pid, ...stopped } = well;
  const CASES: readonly [name: string, status: Status, code: number, line: RegExp][] = [
    ['all is well', well, 0, /^node +a is ready$/m],
    ['nothing runs', stopped, 3, /^runs +nothing$/m],
    ['a node is not ready', { ...well, nodes: [{ name: 'a', ready: false }] }, 1, /^node +a IS NOT READY$/m],
    ['the server does not answer', { ...well, trouble: 'no answer' }, 1, /^trouble +no answer$/m],
    [
      'a certificate was not renewed',
      { ...well, firstExpiry: { name: 'admin', notAfterMs: 20 * day } },
      1,
      /^certificates +good until 1970-01-21 \(admin, 20 days\)/m,
    ],
  ];
  for (const [name, status, code, line] of CASES) {
    test(`status: ${name}`, () => {
      assert.equal(exitCodeOf(status, 0), code);
      assert.match(statusText(status, 0), line);
    });
  }
});
