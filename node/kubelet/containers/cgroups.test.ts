import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../../../libs/base/host.ts';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import type { NodePod } from '../pod/objects.ts';
import { Cgroups } from './cgroups.ts';

const UID = '6dce9df3-38ce-4067-a7ee-a816e1f12bb5';
const pod: NodePod = {
  metadata: { name: 'app', uid: UID },
  spec: {
    containers: [{ name: 'main', resources: { requests: { cpu: '250m' }, limits: { cpu: '500m', memory: '64Mi' } } }],
  },
};

/** A host with the files of its cgroups; `busy` holds the pids by cgroup, whose removal fails while there are any. */
async function hostWith(paths: Record<string, string>, busy = new Map<string, number[]>()) {
  const { host } = virtualTest();
  for (const [path, text] of Object.entries(paths)) {
    await host.files.makeDirectory(path.slice(0, path.lastIndexOf('/')));
    await host.files.write(path, text);
  }
  const killed: number[] = [];
  const files = Object.create(host.files, {
    removeDirectory: {
      value: async (path: string) => {
        // A cgroup with others below it cannot go either.
        const held = [...busy].some(([one, pids]) => pids.length > 0 && `${one}/`.startsWith(`${path}/`));
        if (held) throw Object.assign(new Error('busy'), { code: 'EBUSY' });
        // The kernel takes a cgroup's own files with it.
        await host.files.remove(path);
      },
    },
  }) as Host['files'];
  for (const name of ['statIfExists', 'list', 'readTextIfExists', 'readText', 'write', 'makeDirectory'] as const) {
    Object.defineProperty(files, name, { value: host.files[name].bind(host.files) });
  }
  const signal = (pid: number) => {
    killed.push(pid);
    for (const [path, pids] of busy)
      busy.set(
        path,
        pids.filter((one) => one !== pid),
      );
    return true;
  };
  const processes = { signal } as unknown as Host['processes'];
  return {
    host: { ...host, facts: host.facts, sockets: host.sockets, files, processes } as Host,
    killed,
    files: host.files,
  };
}

test('cgroups v2: limits in the pod’s own, and the controllers handed down', async () => {
  const controllers = 'cpuset cpu io memory pids';
  const at = await hostWith({
    '/sys/fs/cgroup/cgroup.controllers': controllers,
    '/sys/fs/cgroup/cgroup.subtree_control': '',
    '/sys/fs/cgroup/kubepods/cgroup.controllers': controllers,
    [`/sys/fs/cgroup/kubepods/burstable/pod${UID}/cpu.max`]: 'max 100000',
    [`/sys/fs/cgroup/kubepods/burstable/pod${UID}/cpu.weight`]: '100',
    [`/sys/fs/cgroup/kubepods/burstable/pod${UID}/memory.max`]: 'max',
  });
  const cgroups = new Cgroups(at.host, '');
  await cgroups.create(pod);
  const read = (file: string) => at.files.readText(`/sys/fs/cgroup/kubepods/burstable/pod${UID}/${file}`);
  assert.equal(await read('cpu.max'), '50000 100000');
  assert.equal(await read('cpu.weight'), '10');
  assert.equal(await read('memory.max'), String(64 * 2 ** 20));
  assert.equal(await at.files.readText('/sys/fs/cgroup/kubepods/cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(await at.files.readText('/sys/fs/cgroup/cgroup.subtree_control'), '+cpu +memory +pids', 'the root too');
  assert.deepEqual(await cgroups.pods(), [UID]);
});

test('cgroups v1: each controller has its own place', async () => {
  const folder = (controller: string) => `/sys/fs/cgroup/${controller}/kubepods/burstable/pod${UID}`;
  const at = await hostWith({
    '/sys/fs/cgroup/cpu/cgroup.procs': '',
    '/sys/fs/cgroup/memory/cgroup.procs': '',
    [`${folder('cpu')}/cpu.shares`]: '1024',
    [`${folder('cpu')}/cpu.cfs_quota_us`]: '-1',
    [`${folder('cpu')}/cpu.cfs_period_us`]: '100000',
    [`${folder('memory')}/memory.limit_in_bytes`]: '9223372036854771712',
  });
  await new Cgroups(at.host, '').create(pod);
  assert.equal(await at.files.readText(`${folder('cpu')}/cpu.shares`), '256');
  assert.equal(await at.files.readText(`${folder('cpu')}/cpu.cfs_quota_us`), '50000');
  assert.equal(await at.files.readText(`${folder('memory')}/memory.limit_in_bytes`), String(64 * 2 ** 20));
});

test('a machine without cgroups runs pods without', async () => {
  const at = await hostWith({});
  const cgroups = new Cgroups(at.host, '');
  await cgroups.create(pod);
  await cgroups.remove(UID);
  assert.deepEqual(await cgroups.pods(), []);
});

test('what a runtime has forgotten there is killed, and the cgroup goes next time', async () => {
  const folder = `/sys/fs/cgroup/kubepods/burstable/pod${UID}`;
  const busy = new Map([[`${folder}/b53db72e`, [4711]]]);
  const at = await hostWith(
    {
      '/sys/fs/cgroup/cgroup.controllers': 'cpu',
      [`${folder}/cgroup.procs`]: '',
      [`${folder}/b53db72e/cgroup.procs`]: '4711\n',
    },
    busy,
  );
  const cgroups = new Cgroups(at.host, '');
  await assert.rejects(cgroups.remove(UID), { code: 'EBUSY' });
  assert.deepEqual(at.killed, [4711]);
  await cgroups.remove(UID);
  assert.deepEqual(await cgroups.pods(), []);
});

test('as many processes as a pod may have, in both versions', async () => {
  const v2 = { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids', '/sys/fs/cgroup/cgroup.subtree_control': '' };
  const v1 = { '/sys/fs/cgroup/pids/cgroup.procs': '', '/sys/fs/cgroup/cpu/cgroup.procs': '' };
  for (const [paths, root] of [
    [v2, '/sys/fs/cgroup'],
    [v1, '/sys/fs/cgroup/pids'],
  ] as const) {
    const file = `${root}/kubepods/burstable/pod${UID}/pids.max`;
    const at = await hostWith({ ...paths, [file]: 'max' });
    await new Cgroups(at.host, '').create(pod);
    assert.equal(await at.files.readText(file), 'max');
    await new Cgroups(at.host, '', 100).create(pod);
    assert.equal(await at.files.readText(file), '100');
  }
});

test('whose spec is known is looked for in its own place alone', async () => {
  const places = ['burstable', 'besteffort'].map((qos) => `/sys/fs/cgroup/kubepods/${qos}/pod${UID}`);
  const at = await hostWith({
    '/sys/fs/cgroup/cgroup.controllers': 'cpu',
    ...Object.fromEntries(places.map((place) => [`${place}/cgroup.procs`, ''])),
  });
  const cgroups = new Cgroups(at.host, '');
  await cgroups.remove(UID, pod);
  const left = await Promise.all(places.map(async (place) => (await at.files.statIfExists(place)) !== undefined));
  assert.deepEqual(left, [false, true]);
});
