import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Volume } from '../../../api/types/core/v1.generated.ts';
import { createNodeHost } from '../../../libs/base/node/node-host.ts';
import type { ReferencedObjects } from '../objects.ts';
import type { NodePod } from '../pod/objects.ts';
import { ClaimVolumes } from './claims.ts';
import { resolveSubPath } from './mounts.ts';
import { setGroup } from './ownership.ts';

const { files } = createNodeHost();

const podOf = (securityContext: object = {}) =>
  ({ metadata: { name: 'p', namespace: 'n', uid: 'pu' }, spec: { securityContext } }) as unknown as NodePod;
const given = (readOnly = false): Volume => ({ name: 'v', persistentVolumeClaim: { claimName: 'c', readOnly } });
const claim = (over: object = {}, metadata: object = {}) => ({
  metadata: { name: 'c', namespace: 'n', uid: 'cu', ...metadata },
  spec: { volumeName: 'pv' },
  status: { phase: 'Bound' },
  ...over,
});
const volume = (spec: object, annotations: object = {}) => ({
  metadata: { name: 'pv', annotations },
  spec: { claimRef: { uid: 'cu', namespace: 'n', name: 'c' }, ...spec },
});
const volumes = (of: object | undefined, pv?: object) =>
  new ClaimVolumes(files, { claim: async () => of, volume: async () => pv } as unknown as ReferencedObjects);

describe('volumes behind claims', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'claims-'));
  });
  after(() => rm(folder, { recursive: true }));

  test('a pod waits until its claim has a volume that can be mounted', async () => {
    const cases: [string, object | undefined, object | undefined, RegExp, Volume?][] = [
      ['no claim', undefined, undefined, /error processing PVC n\/c: failed to fetch PVC/],
      ['not bound', claim({ status: { phase: 'Pending' } }), undefined, /PVC is not bound/],
      ['going', claim({}, { deletionTimestamp: 'now' }), undefined, /PVC is being deleted/],
      ['no volume', claim(), undefined, /failed to fetch PV pv/],
      [
        'a volume of another',
        claim(),
        volume({ claimRef: { uid: 'x', namespace: 'n', name: 'd' } }),
        /bound to another claim: n\/d/,
      ],
      ['a volume of another kind', claim(), volume({ nfs: {} }), /volumes of the type nfs are not supported/],
      ['a device', claim(), volume({ local: { path: '/dev/x' }, volumeMode: 'Block' }), /block devices/],
      ['a disk that is not there', claim(), volume({ local: { path: '/no/such' } }), /"\/no\/such" does not exist/],
      ['not made for the pod', claim(), undefined, /pod is not owner/, { name: 'c', ephemeral: {} }],
    ];
    for (const [what, of, pv, wanted, one = given()] of cases) {
      await assert.rejects(volumes(of, pv).prepare(podOf(), one), wanted, what);
    }
  });

  test('a folder of the node is mounted where it lies', async () => {
    const path = join(folder, 'made');
    const made = volume({ local: { path } }, { 'volume.tutti.io/directory-mode': '0777' });
    assert.deepEqual(await volumes(claim(), made).prepare(podOf(), given(true)), {
      hostPath: path,
      managed: false,
      readOnly: true,
    });
    assert.equal((await stat(path)).mode & 0o7777, 0o777);
    const host = volume({ hostPath: { path: join(folder, 'host'), type: 'DirectoryOrCreate' } });
    assert.equal((await volumes(claim(), host).prepare(podOf(), given())).hostPath, join(folder, 'host'));
    const own = claim({}, { ownerReferences: [{ kind: 'Pod', uid: 'pu', controller: true }] });
    const ephemeral: Volume = { name: 'c', ephemeral: {} };
    assert.equal((await volumes(own, made).prepare(podOf(), ephemeral)).readOnly, false);
  });

  test('a group may write all of its volume, and nothing that only a link leads to', async () => {
    const gid = process.getgid?.() ?? 0;
    const path = join(folder, 'grouped');
    await mkdir(join(path, 'sub'), { recursive: true, mode: 0o700 });
    for (const name of ['grouped/sub/file', 'outside']) {
      await writeFile(join(folder, name), '');
      await chmod(join(folder, name), 0o600);
    }
    await symlink(join(folder, 'outside'), join(path, 'link'));
    const mode = async (name: string) => ((await stat(join(folder, name))).mode & 0o7777).toString(8);
    const local = volumes(claim(), volume({ local: { path } }));
    await local.prepare(podOf({ fsGroup: gid }), given(true));
    assert.equal(await mode('grouped/sub'), '700', 'not where it is read only');
    await local.prepare(podOf({ fsGroup: gid }), given());
    assert.deepEqual(
      [await mode('grouped'), await mode('grouped/sub'), await mode('grouped/sub/file')],
      ['2770', '2770', '660'],
    );
    assert.equal(await mode('outside'), '600');
    await chmod(join(path, 'sub/file'), 0o600);
    await setGroup(files, path, gid, true);
    assert.equal(await mode('grouped/sub/file'), '600', 'the root is the group’s: the rest is believed to be');
    await setGroup(files, path, gid, false);
    assert.equal(await mode('grouped/sub/file'), '660');
    assert.equal(await resolveSubPath(files, path, 'new/deep', 'v'), join(path, 'new/deep'));
    assert.equal(await mode('grouped/new'), '2770', 'a folder for a subPath is as open as its volume');
  });
});
