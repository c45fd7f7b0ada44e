import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { containerdToml, registryMirrorToml } from './containerd-config.ts';

const config = (major: number, overlay = true) =>
  containerdToml({
    major,
    directory: '/d',
    socket: '/d/containerd.sock',
    pluginsDirectory: '/opt/cni/bin',
    configurationsDirectory: '/etc/cni/net.d',
    restrictOomScore: true,
    overlay,
  });

describe('containerd’s configuration', () => {
  test('version 1 has one plugin for all of the CRI', () => {
    const text = config(1);
    assert.match(text, /^version = 2$/m);
    assert.match(
      text,
      /^\[plugins\."io\.containerd\.grpc\.v1\.cri"\]\nrestrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true\nsandbox_image = /m,
    );
    assert.match(text, /^\[plugins\."io\.containerd\.grpc\.v1\.cri"\.cni\]\nbin_dir = "\/opt\/cni\/bin"$/m);
    assert.doesNotMatch(text, /snapshotter = /);
  });

  test('version 2 has one for images and one for the rest', () => {
    const text = config(2);
    assert.match(text, /^version = 3$/m);
    assert.match(text, /^\[plugins\."io\.containerd\.cri\.v1\.images"\.pinned_images\]\nsandbox = /m);
    assert.match(text, /^\[plugins\."io\.containerd\.cri\.v1\.runtime"\.cni\]\nbin_dirs = \["\/opt\/cni\/bin"\]$/m);
  });

  test('no table is told twice, and overlays are left out where there can be none', () => {
    for (const major of [1, 2]) {
      const text = config(major, false);
      const tables = text.match(/^\[.*\]$/gm) ?? [];
      assert.equal(new Set(tables).size, tables.length, text);
      const images = major === 1 ? 'io.containerd.grpc.v1.cri".containerd' : 'io.containerd.cri.v1.images"';
      assert.ok(text.includes(`[plugins."${images}]\nsnapshotter = "native"\n`), text);
    }
  });

  test('a mirror is asked first, and the registry itself after it', () => {
    assert.equal(registryMirrorToml('http://m:5000'), '[host."http://m:5000"]\n  capabilities = ["pull", "resolve"]\n');
  });
});
