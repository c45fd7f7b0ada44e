import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type UpOptions, upOptions } from './up-options.ts';

const options = (...args: string[]) => upOptions(args) as UpOptions;

describe('options of tutti up', () => {
  test('without any, this machine is a node, and pods reach the API server', () => {
    const { wanted, listenHost, port, networks, keepPods, mergeKubeconfig } = options('--node-name', 'n');
    assert.deepEqual([...wanted], ['apiserver', 'controller-manager', 'scheduler', 'kubelet', 'kube-proxy', 'dns']);
    assert.deepEqual([listenHost, port, keepPods, mergeKubeconfig], ['0.0.0.0', 6443, false, true]);
    assert.deepEqual([networks.apiServerIp, networks.dnsIp], ['10.96.0.1', '10.96.0.10']);
  });

  test('without a node, only this machine reaches it', () => {
    assert.equal(options('--only', 'scheduler').listenHost, '127.0.0.1');
    const simulated = options('--simulate', '5');
    assert.deepEqual([...simulated.wanted], ['apiserver', 'controller-manager', 'scheduler']);
    assert.deepEqual([simulated.simulate, simulated.listenHost], [5, '127.0.0.1']);
  });

  test('history has a size', () => {
    assert.equal(options('--history', '256Mi').historyBytes, 256 * 1024 ** 2);
    assert.equal(options().historyBytes, undefined);
  });

  test('networks and mirrors are read', () => {
    const { networks, mirrors } = options(
      ...['--pod-cidr', '10.1.0.0/16,fd00::/48', '--service-cidr', '10.2.0.0/24'],
      ...['--registry-mirror', 'docker.io=http://10.0.0.5:5000', '--registry-mirror', '*=https://r.example'],
    );
    assert.deepEqual(networks.podCidrs, ['10.1.0.0/16', 'fd00::/48']);
    assert.equal(networks.dnsIp, '10.2.0.10');
    assert.deepEqual(
      [...mirrors],
      [
        ['docker.io', 'http://10.0.0.5:5000'],
        ['*', 'https://r.example'],
      ],
    );
  });

  const REFUSED: readonly [args: string[], message: RegExp][] = [
    [['--bogus'], /Unknown option '--bogus'.*--help/],
    [['--port', '70000'], /--port wants a number from 0 to 65535, not "70000"/],
    [['--store', 'mysql'], /--store wants lmdb, memory or etcd/],
    [['--history', 'much'], /--history wants a size from 1Mi to 8Gi, such as 256Mi, not "much"/],
    [['--history', '9Gi'], /--history wants a size from 1Mi to 8Gi/],
    [['--history', '64Mi', '--store', 'memory'], /it wants --store lmdb/],
    [['--only', 'kubelets'], /--only knows apiserver, .*dns, not "kubelets"/],
    [['--simulate', '-1'], /^Option '--simulate' argument is ambiguous; "tutti up --help" lists the options\.$/],
    [['--cgroup-root', '../..'], /--cgroup-root wants the path of a cgroup, such as \/tutti, not "\.\.\/\.\."/],
    [['--tls-san', 'good.example,bad name'], /--tls-san wants names and addresses .* not "bad name"/],
    [['--config', '/'], /--config \/ cannot be read: it is a folder/],
    [['--pod-cidr', '10.0.0.0'], /--pod-cidr wants networks such as/],
    [['--pod-cidr', '10.96.0.0/16'], /overlap/],
    [['--service-cidr', '10.2.0.0/30'], /too small/],
    [['--registry-mirror', 'docker.io'], /--registry-mirror wants/],
    [['--node-ip', 'here'], /--node-ip wants an address/],
    [['--node-name', 'My Machine'], /no name for a node/],
    [['--simulate', 'x'], /--simulate wants a number/],
    [['--etcd-cafile', 'a'], /go together/],
    [['--config', '/nowhere.yaml'], /--config \/nowhere.yaml cannot be read: there is no such file/],
  ];
  for (const [args, message] of REFUSED) {
    test(`refused: ${args.join(' ')}`, () => {
      assert.throws(
        () => upOptions(args),
        (error: Error & { exitCode: number }) => {
          assert.match(error.message, message);
          assert.equal(error.exitCode, 2);
          return true;
        },
      );
    });
  }

  const FILES: readonly [name: string, text: string, message: RegExp][] = [
    ['no YAML', 'port: [', /cannot be read: /],
    ['a list', '- port', /must hold options with values/],
    ['an unknown option', 'prot: 1', /there is no option "prot"/],
    ['a word for a switch', 'keep-pods: maybe', /keep-pods wants true or false/],
    ['several words for one', 'port: [1, 2]', /port wants one word/],
  ];
  test('a file says the same, and the command line counts more', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-options-'));
    const file = join(folder, 'tutti.yaml');
    try {
      writeFileSync(file, 'port: 7443\nkeep-pods: true\nregistry-mirror:\n  - docker.io=http://a\nonly: kubelet\n');
      const { port, keepPods, mirrors, wanted } = options('--config', file, '--port', '8443');
      assert.deepEqual(
        [port, keepPods, [...mirrors], [...wanted]],
        [8443, true, [['docker.io', 'http://a']], ['apiserver', 'kubelet']],
      );
      for (const [name, text, message] of FILES) {
        writeFileSync(file, text);
        assert.throws(() => upOptions(['--config', file]), message, name);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
