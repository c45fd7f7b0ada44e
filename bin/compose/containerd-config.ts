// What our containerd is told, as the files that it reads.

import { PAUSE_IMAGE } from './pause-image.ts';

export interface ContainerdConfig {
  /** 1 or 2: the major version of the program. */
  readonly major: number;
  /** Holds everything: `root`, `state`, `opt`, `registries`, the socket. */
  readonly directory: string;
  readonly socket: string;
  /** Where the CNI plugins are. */
  readonly pluginsDirectory: string;
  readonly configurationsDirectory: string;
  /** The kernel lets nobody here lower a process's score for the OOM killer: then nothing may try. */
  readonly restrictOomScore: boolean;
  /** Overlays do not go upon overlays: without them images are copied for each container. */
  readonly overlay: boolean;
}

/** File systems that need a device or a module of their own: without them it starts sooner. */
const UNUSED_SNAPSHOTTERS = ['aufs', 'btrfs', 'devmapper', 'zfs', 'blockfile', 'erofs'].map(
  (name) => `io.containerd.snapshotter.v1.${name}`,
);

/** `config.toml` for that version. */
export function containerdToml(config: ContainerdConfig): string {
  const { major, directory, socket, pluginsDirectory, configurationsDirectory, restrictOomScore, overlay } = config;
  const text = (value: unknown) => JSON.stringify(value);
  const second = major >= 2;
  const runtime = second ? 'io.containerd.cri.v1.runtime' : 'io.containerd.grpc.v1.cri';
  const images = second ? 'io.containerd.cri.v1.images' : runtime;
  return `version = ${second ? 3 : 2}
root = ${text(`${directory}/root`)}
state = ${text(`${directory}/state`)}
disabled_plugins = ${text(UNUSED_SNAPSHOTTERS)}
[grpc]
address = ${text(socket)}
[ttrpc]
address = ${text(`${socket}.ttrpc`)}
[debug]
level = "warn"
[plugins."io.containerd.internal.v1.opt"]
path = ${text(`${directory}/opt`)}
[plugins."${runtime}"]
restrict_oom_score_adj = ${restrictOomScore}
netns_mounts_under_state_dir = true
${second ? '' : `sandbox_image = ${text(PAUSE_IMAGE)}\n`}${
  second ? `[plugins."${images}".pinned_images]\nsandbox = ${text(PAUSE_IMAGE)}\n` : ''
}[plugins."${images}".registry]
config_path = ${text(`${directory}/registries`)}
[plugins."${runtime}".cni]
${second ? `bin_dirs = [${text(pluginsDirectory)}]` : `bin_dir = ${text(pluginsDirectory)}`}
conf_dir = ${text(configurationsDirectory)}
${overlay ? '' : `[plugins."${second ? `${images}"` : `${runtime}".containerd`}]\nsnapshotter = "native"\n`}[plugins."${runtime}".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`;
}

/** `hosts.toml` of one registry that is to be asked for elsewhere first. */
export function registryMirrorToml(url: string): string {
  return `[host.${JSON.stringify(url)}]\n  capabilities = ["pull", "resolve"]\n`;
}
