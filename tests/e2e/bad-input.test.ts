import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { Database } from '../../control-plane/store/drivers/lmdb/database.ts';
import type { Clock } from '../../libs/base/clock.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { ensureClusterPki } from '../../libs/pki/cluster-pki.ts';
import { createNetwork, type Network, type NetworkHost } from '../harness/namespace.ts';
import { requires } from '../harness/requirements.ts';

const TUTTI = join(import.meta.dirname, '../../entry/tutti.mjs');
const TOKEN = `abcdef.0123456789abcdef.${'a'.repeat(43)}`;
const YEAR_MS = 365 * 86_400_000;

interface Case {
  readonly name: string;
  /** Makes the trouble; gives the words of the command line, without the data folder. */
  readonly words: (host: NetworkHost, dataDir: string) => Promise<string[]> | string[];
  readonly says: RegExp;
  readonly code?: number;
  /** Mends the trouble: the same folder is then good for a start. */
  readonly mend?: (host: NetworkHost, dataDir: string) => Promise<unknown>;
}

const CASES: readonly Case[] = [
  {
    name: 'a port in use',
    async words(host) {
      const server = await host.listen(7443);
      server.unref();
      return ['server', '--port', '7443'];
    },
    says: /^tutti: Port 7443 on 0\.0\.0\.0 is in use by another program; stop that one or give another --port\.$/,
  },
  {
    name: 'an address that is not this machine’s',
    words: () => ['server', '--listen', '198.51.100.7'],
    says: /^tutti: 198\.51\.100\.7 is no address of this machine; give one of its own with --listen\.$/,
  },
  {
    name: 'a full disk, from the first file on',
    words: (host, dataDir) => small(host, dataDir, '4k'),
    says: /^tutti: The disk that holds .* is full; free some space or choose another --data-dir\.$/,
    mend: (host, dataDir) => host.exec(['mount', '-o', 'remount,size=64m', dataDir]),
  },
  {
    name: 'a disk that is full before the store is made',
    words: (host, dataDir) => small(host, dataDir, '128k'),
    says: /^tutti: The disk that holds .* is full; free some space or choose another --data-dir\.$/,
    mend: (host, dataDir) => host.exec(['mount', '-o', 'remount,size=64m', dataDir]),
  },
  {
    name: 'a read-only disk',
    async words(host, dataDir) {
      await host.exec(['mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', dataDir]);
      return ['server'];
    },
    says: /^tutti: .* is on a read-only file system; choose another --data-dir\.$/,
  },
  {
    name: 'data of a newer version',
    async words(_host, dataDir) {
      mkdirSync(join(dataDir, 'store'));
      const database = await Database.open({
        host: createNodeHost(),
        clock: new RealClock(),
        path: join(dataDir, 'store/data.mdb'),
      });
      await database.commit(() => void database.meta.put('format', Buffer.from('{"format":7,"clusterId":"x"}')));
      await database.close();
      return ['server'];
    },
    says: /^tutti: The data in .* were written by a newer version: .*; use that version, or another --data-dir\.$/,
  },
  {
    name: 'data that are no database',
    words(_host, dataDir) {
      mkdirSync(join(dataDir, 'store'), { recursive: true });
      writeFileSync(join(dataDir, 'store/data.mdb'), 'not a database '.repeat(4_000));
      return ['server'];
    },
    says: /^tutti: .*store/,
  },
  {
    name: 'a clock that is behind the cluster’s authority',
    async words(_host, dataDir) {
      await pkiOf(dataDir, YEAR_MS);
      return ['server'];
    },
    says: /^tutti: .*ca\.crt is not valid before 20.*, and this machine's clock says 20.*: set the clock/,
  },
  {
    name: 'an authority whose key is lost',
    async words(host, dataDir) {
      await pkiOf(dataDir, 0);
      await host.exec(['rm', join(dataDir, 'pki/ca.key')]);
      return ['server'];
    },
    says: /^tutti: .*ca\.key is missing: put it back from a backup/,
  },
  {
    name: 'a broken configuration file',
    words(host) {
      const file = join(host.folder, 'broken.yaml');
      writeFileSync(file, 'port: [\n');
      return ['server', '--config', file];
    },
    says: /^tutti: --config .*broken\.yaml cannot be read: /,
    code: 2,
  },
  {
    name: 'an audit policy that cannot be read',
    words: () => ['server', '--audit-policy-file', '/nowhere', '--audit-log-path', '/tmp/never'],
    says: /^tutti: --audit-policy-file \/nowhere cannot be used: ENOENT/,
  },
  {
    name: 'what keeps a detached start from starting',
    words: () => ['server', '--listen', '198.51.100.7', '--detach'],
    says: /^tutti: 198\.51\.100\.7 is no address of this machine; give one of its own with --listen\.$/,
  },
  {
    name: 'an option that there is not',
    words: () => ['server', '--prot', '7443'],
    says: /^tutti: Unknown option '--prot'; "tutti server --help" lists the options\.$/,
    code: 2,
  },
  {
    name: 'a command that there is not',
    words: () => ['sevrer'],
    says: /^tutti: There is no command "sevrer"; /,
    code: 2,
  },
  {
    name: 'no etcd',
    words: () => ['server', '--store', 'etcd://127.0.0.1:2'],
    says: /^tutti: No etcd answers at etcd:\/\/127\.0\.0\.1:2 \(ECONNREFUSED\); start it, or look at --store/,
  },
  {
    name: 'a node without a server',
    words: () => ['agent', '--server', 'https://172.30.0.1:6443', '--token', TOKEN],
    says: /^tutti: No API server answers at https:\/\/172\.30\.0\.1:6443 \(ECONNREFUSED\); does it run/,
  },
  {
    name: 'a node without DNS',
    words: () => ['agent', '--server', 'https://cluster.example:6443', '--token', TOKEN],
    says: /^tutti: cluster\.example cannot be resolved; give the server's address, or mend DNS\.$/,
  },
  {
    name: 'a node that joined nothing, and has no token',
    words: () => ['agent'],
    says: /^tutti: This machine has joined no cluster yet; give --server and --token/,
    code: 2,
  },
  {
    name: 'a node on the data of a cluster',
    async words(_host, dataDir) {
      await pkiOf(dataDir, 0);
      return ['agent', '--server', 'https://172.30.0.1:6443', '--token', TOKEN];
    },
    says: /^tutti: .* holds a cluster of its own; choose another --data-dir/,
  },
];

async function small(host: NetworkHost, dataDir: string, size: string): Promise<string[]> {
  await host.exec(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dataDir]);
  return ['server'];
}

/** Credentials made by a clock that was ahead by so much. */
async function pkiOf(dataDir: string, aheadMs: number): Promise<void> {
  const real = new RealClock();
  const clock = { now: () => real.now() + aheadMs } as Clock;
  await ensureClusterPki(createNodeHost().files, new NodeKeys(), clock, { dir: dataDir });
}

describe('bad input ends in one sentence, and leaves nothing half-made', requires('root'), () => {
  let network: Network;
  before(
    async () => {
      network = await createNetwork();
    },
    { timeout: 60_000 },
  );
  after(() => network?.dispose());

  for (const [index, { name, words, says, code, mend }] of CASES.entries()) {
    test(name, async () => {
      const host = network.hosts[0]!;
      const dataDir = join(host.folder, `data-${index}`);
      mkdirSync(dataDir);
      const command = [process.execPath, TUTTI, ...(await words(host, dataDir))];
      if (command[2] !== 'sevrer') command.push('--data-dir', dataDir);
      const ended = await host.exec(command, { check: false, timeoutMs: 40_000 });
      assert.notEqual(ended.code, 0, ended.stdout);
      assert.equal(ended.code, code ?? 1, ended.stderr);
      const said = ended.stderr
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('tutti: '));
      assert.equal(said.length, 1, ended.stderr);
      assert.match(said[0]!, says);
      assert.doesNotMatch(ended.stderr, /this is a bug|^ +at /m);
      assert.equal((await host.exec('nft list tables')).stdout, '');
      if (!mend) return;
      await mend(host, dataDir);
      await using program = host.spawn([process.execPath, TUTTI, 'server', '--data-dir', dataDir]);
      await program.waitFor('\nkubeconfig: ', 20_000);
    });
  }
});
