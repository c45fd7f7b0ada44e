/** What a node's operator may choose; the names are those of upstream's KubeletConfiguration where it has them. */
export interface KubeletConfig {
  /** Where pods' volumes and files are. */
  readonly rootDirectory: string;
  readonly podLogsDirectory: string;
  /** Where tools look for containers' logs by name; empty: no links are made. */
  readonly containerLogsDirectory: string;
  /** Manifests of pods that run without an API server; empty: none. */
  readonly staticPodPath: string;
  /** The cgroup below which pods have theirs. */
  readonly cgroupRoot: string;
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  readonly resolvConf: string;
  readonly maxPods: number;
  /** What the node has besides, as devices (`example.com/gpu`: `4`) or huge pages. */
  readonly extendedResources: Readonly<Record<string, string>>;
  /** How many processes and threads each pod may have; -1: as many as the node. */
  readonly podPidsLimit: number;
  readonly maxParallelImagePulls: number;
  readonly nodeStatusUpdateFrequencyMs: number;
  readonly nodeStatusReportFrequencyMs: number;
  readonly nodeLeaseDurationSeconds: number;
  /** How often mounted ConfigMaps, Secrets and tokens are looked at. */
  readonly syncFrequencyMs: number;
  /** The port of the kubelet's own server, told to the API server. */
  readonly port: number;
  readonly registerNode: boolean;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly registerWithTaints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  /** Addresses of the node, the main one first; empty: the machine's own. */
  readonly nodeIps: readonly string[];
  readonly providerId: string;
  /** Kept for the system, of `cpu`, `memory`, `ephemeral-storage`. */
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly evictionSoft: Readonly<Record<string, string>>;
  /** By signal: `1m30s`. Every soft threshold needs one. */
  readonly evictionSoftGracePeriod: Readonly<Record<string, string>>;
  readonly evictionMinimumReclaim: Readonly<Record<string, string>>;
  /** How long a condition lasts after the trouble has passed. */
  readonly evictionPressureTransitionPeriodMs: number;
  /** The longest that a pod evicted for a soft threshold may take. */
  readonly evictionMaxPodGracePeriodSeconds: number;
  readonly containerLogMaxSizeBytes: number;
  readonly containerLogMaxFiles: number;
  /** How often logs are looked at. */
  readonly containerLogMonitorIntervalMs: number;
  readonly imageGCHighThresholdPercent: number;
  readonly imageGCLowThresholdPercent: number;
  readonly imageMinimumGCAgeMs: number;
  /** Images that nothing ran from for so long go, however much room there is; 0: they stay. */
  readonly imageMaximumGCAgeMs: number;
  /** How often images are looked at. */
  readonly imageGCPeriodMs: number;
  /** How often it is looked for what crashes have left behind. */
  readonly housekeepingPeriodMs: number;
  /** What the node says of itself. */
  readonly version: string;
}

export const DEFAULT_CONFIG: KubeletConfig = Object.freeze({
  rootDirectory: '/var/lib/kubelet',
  podLogsDirectory: '/var/log/pods',
  containerLogsDirectory: '/var/log/containers',
  staticPodPath: '',
  cgroupRoot: '',
  clusterDNS: [],
  clusterDomain: 'cluster.local',
  resolvConf: '/etc/resolv.conf',
  maxPods: 110,
  extendedResources: {},
  podPidsLimit: -1,
  maxParallelImagePulls: 5,
  nodeStatusUpdateFrequencyMs: 10_000,
  nodeStatusReportFrequencyMs: 300_000,
  nodeLeaseDurationSeconds: 40,
  syncFrequencyMs: 60_000,
  port: 10250,
  registerNode: true,
  nodeLabels: {},
  registerWithTaints: [],
  nodeIps: [],
  providerId: '',
  systemReserved: {},
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '10%',
    'nodefs.inodesFree': '5%',
    'imagefs.available': '15%',
    'imagefs.inodesFree': '5%',
  },
  evictionSoft: {},
  evictionSoftGracePeriod: {},
  evictionMinimumReclaim: {},
  evictionPressureTransitionPeriodMs: 300_000,
  evictionMaxPodGracePeriodSeconds: 0,
  containerLogMaxSizeBytes: 10 * 1024 * 1024,
  containerLogMaxFiles: 5,
  containerLogMonitorIntervalMs: 10_000,
  imageGCHighThresholdPercent: 85,
  imageGCLowThresholdPercent: 80,
  imageMinimumGCAgeMs: 120_000,
  imageMaximumGCAgeMs: 0,
  imageGCPeriodMs: 300_000,
  housekeepingPeriodMs: 60_000,
  version: 'v1.36.2',
});
