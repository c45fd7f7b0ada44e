import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  buildKubeconfig,
  KubeconfigError,
  mergeKubeconfig,
  parseKubeconfig,
  removeFromKubeconfig,
} from './kubeconfig.ts';

const entry = {
  name: 'tutti',
  server: 'https://127.0.0.1:6443',
  caPem: 'CA\n',
  user: { certificatePem: 'CERT\n', privateKeyPem: 'KEY\n' },
};

const foreign = `# mine
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
extensions:
- name: x
  extension: {since: 2020-01-01, size: 9007199254740993, on: yes}
clusters:
- name: work
  cluster:
    server: https://work.example.com
    certificate-authority: /etc/work/ca.pem
    tls-server-name: inner.example.com
    proxy-url: http://proxy:3128
- {name: open, cluster: {server: 'http://10.0.0.1:8080', insecure-skip-tls-verify: on}}
users:
- name: me
  user:
    token: "1_000"
    as: somebody
- name: plugin
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: [a], interactiveMode: Never}
contexts:
- {name: work, context: {cluster: work, user: me, namespace: team}}
- {name: plugged, context: {cluster: open, user: plugin}}
- {name: lost, context: {cluster: gone, user: me}}
`;

test('what is built is read back', () => {
  const config = parseKubeconfig(buildKubeconfig({ ...entry, namespace: 'dev' }));
  assert.equal(config.currentContext, 'tutti');
  assert.deepEqual(config.contexts, ['tutti']);
  assert.deepEqual(config.connection(), {
    context: 'tutti',
    server: 'https://127.0.0.1:6443',
    namespace: 'dev',
    ca: { pem: 'CA\n' },
    insecureSkipTlsVerify: false,
    tlsServerName: undefined,
    proxyUrl: undefined,
    clientCertificate: { pem: 'CERT\n' },
    clientKey: { pem: 'KEY\n' },
    token: undefined,
    tokenFile: undefined,
    basic: undefined,
    impersonate: undefined,
    exec: undefined,
  });
  const withToken = parseKubeconfig(buildKubeconfig({ ...entry, user: { token: 'abc.def' } })).connection();
  assert.equal(withToken.token, 'abc.def');
  assert.equal(withToken.clientKey, undefined);
});

test('the form on disk', () => {
  assert.equal(
    buildKubeconfig(entry),
    `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0EK
    server: https://127.0.0.1:6443
  name: tutti
contexts:
- context:
    cluster: tutti
    user: tutti
  name: tutti
current-context: tutti
kind: Config
users:
- name: tutti
  user:
    client-certificate-data: Q0VSVAo=
    client-key-data: S0VZCg==
`,
  );
});

test('a merge changes its own entries alone', () => {
  const merged = mergeKubeconfig(foreign, entry);
  const [before, after] = [parseKubeconfig(foreign), parseKubeconfig(merged)];
  assert.equal(after.currentContext, 'work');
  assert.deepEqual(after.contexts, ['work', 'plugged', 'lost', 'tutti']);
  for (const context of ['work', 'plugged']) assert.deepEqual(after.connection(context), before.connection(context));
  assert.equal(after.connection('tutti').server, entry.server);
  assert.match(merged, /size: 9007199254740993\n/);
  assert.match(merged, /since: "2020-01-01"\n/);
  assert.match(merged, /token: "1_000"\n/);
  assert.match(merged, /colors: true\n/);
  assert.equal(mergeKubeconfig(merged, entry), merged, 'a second time changes nothing');
  const moved = mergeKubeconfig(merged, { ...entry, server: 'https://127.0.0.1:7443' }, { makeCurrent: true });
  assert.equal(parseKubeconfig(moved).connection().server, 'https://127.0.0.1:7443');
  assert.deepEqual(parseKubeconfig(moved).contexts, after.contexts);
  const removed = removeFromKubeconfig(moved, 'tutti');
  assert.ok(!removed.includes('tutti'));
  assert.equal(parseKubeconfig(removed).currentContext, undefined);
  assert.equal(parseKubeconfig(removeFromKubeconfig(merged, 'tutti')).currentContext, 'work');
});

test('files that others left: empty, JSON, with nulls, with a name twice', () => {
  for (const empty of [undefined, '', '  \n']) assert.equal(mergeKubeconfig(empty, entry), buildKubeconfig(entry));
  for (const bare of ['apiVersion: v1\nkind: Config\n', '{"clusters": null, "contexts": [], "current-context": ""}']) {
    assert.deepEqual(parseKubeconfig(mergeKubeconfig(bare, entry)).currentContext, 'tutti');
  }
  const twice = 'users:\n- {name: tutti, user: {token: a}}\n- {name: x, user: {}}\n- {name: tutti, user: {token: b}}\n';
  assert.equal(mergeKubeconfig(twice, entry).match(/- name: tutti\n/g)?.length, 1);
});

test('what a context says', () => {
  const config = parseKubeconfig(foreign);
  const work = config.connection();
  assert.deepEqual(work.ca, { file: '/etc/work/ca.pem' });
  assert.deepEqual([work.token, work.impersonate, work.namespace], ['1_000', 'somebody', 'team']);
  assert.deepEqual([work.tlsServerName, work.proxyUrl], ['inner.example.com', 'http://proxy:3128']);
  const plugged = config.connection('plugged');
  assert.equal(plugged.insecureSkipTlsVerify, true);
  assert.equal(plugged.exec?.command, 'login');
  assert.throws(() => config.connection('lost'), /no cluster "gone"/);
  assert.throws(() => config.connection('none'), /no context "none"/);
  assert.throws(() => parseKubeconfig('{}').connection(), /no current context/);
});

test('what is no kubeconfig is refused and named', () => {
  const table: [string, RegExp][] = [
    ['a: [', /cannot be read: yaml/],
    ['- a', /no mapping/],
    ['just text', /no mapping/],
    ['kind: Pod', /of kind "Pod"/],
    ['clusters: {}', /clusters of the kubeconfig is no list/],
  ];
  for (const [text, message] of table) {
    const named = (error: unknown) => error instanceof KubeconfigError && message.test(error.message);
    assert.throws(() => parseKubeconfig(text), named, text);
    assert.throws(() => mergeKubeconfig(text, entry), named, text);
  }
  assert.throws(() => parseKubeconfig('users:\n- user: {}'), /users\[0\]/);
  const connect = (cluster: string) =>
    parseKubeconfig(
      `{clusters: [{name: a, cluster: ${cluster}}], contexts: [{name: a, context: {cluster: a}}]}`,
    ).connection('a');
  assert.throws(() => connect('{}'), /server of .* context a is no URL/);
  assert.throws(() => connect('{server: "https://x", certificate-authority-data: "?"}'), /no base64/);
  assert.throws(() => connect('{server: 5}'), /server of .* is no string/);
  assert.equal(connect('{server: "https://x"}').server, 'https://x');
});

const kubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

test('kubectl reads what was merged', { skip: !kubectl && 'no kubectl' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  try {
    const file = join(folder, 'config');
    writeFileSync(file, mergeKubeconfig(foreign, entry));
    const view = spawnSync('kubectl', ['config', 'view', '--raw', '-o', 'json', '--kubeconfig', file], {
      encoding: 'utf8',
    });
    assert.equal(view.status, 0, view.stderr);
    const config = JSON.parse(view.stdout);
    const of = (list: { name: string }[], name: string) => list.find((item) => item.name === name) as any;
    assert.equal(of(config.users, 'me').user.token, '1_000');
    assert.equal(of(config.clusters, 'open').cluster['insecure-skip-tls-verify'], true);
    assert.equal(of(config.clusters, 'tutti').cluster['certificate-authority-data'], 'Q0EK');
    assert.equal(config['current-context'], 'work');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
