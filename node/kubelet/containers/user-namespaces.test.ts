import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import { one, simulatedNode } from '../../../tests/fixtures/simulated-node.ts';
import { UserNamespaces } from './user-namespaces.ts';

const pod = (uid: string, hostUsers?: boolean) => ({
  metadata: { name: uid, namespace: 'default', uid },
  spec: { containers: [], ...(hostUsers !== undefined && { hostUsers }) },
});

function setUp(userNamespaces: boolean, maxPods = 2) {
  const { files } = virtualTest().host;
  const features = { userNamespaces, recursiveReadOnlyMounts: false };
  const status = async () => ({ info: {}, runtimeHandlers: [{ name: '', features }] });
  const ranges = new UserNamespaces({ cri: { status } as never, files, rootDirectory: '/kubelet', maxPods });
  const first = async (uid: string, hostUsers?: boolean) =>
    (await ranges.of(pod(uid, hostUsers), ''))?.uids?.[0]?.hostId;
  return { files, ranges, first };
}

describe('users of pods', () => {
  test('are the host’s unless the pod says otherwise', async () => {
    const { first } = setUp(false);
    assert.equal(await first('a'), undefined);
    assert.equal(await first('b', true), undefined);
  });

  test('each pod has its own, again after a restart, until its folder goes', async () => {
    const { first, files } = setUp(true);
    assert.deepEqual(await Promise.all([first('a', false), first('b', false)]), [65_536, 131_072]);
    assert.equal(await first('a', false), 65_536);
    await assert.rejects(first('c', false), /no range/);
    await files.remove('/kubelet/pods/a');
    assert.equal(await first('c', false), 65_536);
  });

  test('a runtime that would ignore it is not asked', async () => {
    const { first, ranges } = setUp(false);
    const words = "can't set `spec.hostUsers: false`, ";
    await assert.rejects(first('a', false), { message: `${words}runtime does not support user namespaces` });
    await assert.rejects(ranges.of(pod('a', false), 'gvisor'), {
      message: `${words}RuntimeClass handler "gvisor" does not support user namespaces`,
    });
  });

  test('the sandbox, the container and its mounts are told', async () => {
    await using at = await simulatedNode();
    await at.create('own', { ...one('app:1'), hostUsers: false });
    await at.advance('3s');
    const { metadata } = await at.get('own');
    assert.match(await at.line('own'), /^Running/);
    const kept = await at.host.files.readText(`/var/lib/kubelet/pods/${metadata.uid}/userns`);
    const ids = [{ hostId: 65_536, containerId: 0, length: 65_536 }];
    assert.deepEqual(JSON.parse(kept), { uidMappings: ids, gidMappings: ids });
  });
});
