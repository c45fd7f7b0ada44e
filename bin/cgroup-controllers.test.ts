import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { whyNoCgroups } from './cgroup-controllers.ts';

const folder = mkdtempSync(join(tmpdir(), 'cgroups-'));
after(() => rmSync(folder, { recursive: true }));

/** Trees as machines have them: by file what it says, `cgroup.procs` in each hierarchy of version 1. */
const TREES: Record<string, { files: Record<string, string>; why: RegExp | undefined }> = {
  'version 2, as systemd mounts it': {
    files: { 'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc dmem\n', 'cgroup.procs': '1\n' },
    why: undefined,
  },
  'version 2 without memory, as a Raspberry Pi boots': {
    files: { 'cgroup.controllers': 'cpuset cpu io pids\n' },
    why: /^the cgroup controller memory, which .*cgroup\.controllers does not name \(boot .* cgroup_enable=memory\)$/,
  },
  'version 1, each for itself': {
    files: { 'cpu/cgroup.procs': '', 'cpuacct/cgroup.procs': '', 'memory/cgroup.procs': '', 'pids/cgroup.procs': '' },
    why: undefined,
  },
  'version 1, two in one, beside a version 2 that has none': {
    files: {
      'cpu,cpuacct/cgroup.procs': '',
      'memory/cgroup.procs': '',
      'pids/cgroup.procs': '',
      'unified/cgroup.procs': '',
      'unified/cgroup.controllers': '\n',
    },
    why: undefined,
  },
  'version 1 with a folder on which nothing is mounted': {
    files: { 'cpu/cgroup.procs': '', 'memory/none': '', 'pids/cgroup.procs': '' },
    why: /^the cgroup controller memory, which is not mounted below .*, or mount what is missing\)$/,
  },
  'version 1 without several': {
    files: { 'memory/cgroup.procs': '' },
    why: /^the cgroup controllers cpu and pids, which are not mounted below .*cgroup_disable/,
  },
  nothing: { files: {}, why: /^cgroups, and nothing is mounted at / },
};

for (const [name, { files, why }] of Object.entries(TREES)) {
  test(name, () => {
    const root = join(folder, name);
    mkdirSync(root);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const said = whyNoCgroups(root);
    if (why === undefined) assert.equal(said, undefined);
    else assert.match(said ?? 'no reason', why);
  });
}
