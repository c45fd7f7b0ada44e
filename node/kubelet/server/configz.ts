import type { KubeletConfig } from '../config.ts';

const duration = (ms: number): string => {
  const seconds = ms / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = `${seconds % 60}s`;
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${rest}`;
};

/** What `/configz` answers: the configuration in the form of upstream's `KubeletConfiguration`. */
export function configz(config: KubeletConfig): object {
  return {
    kubeletconfig: {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      staticPodPath: config.staticPodPath,
      syncFrequency: duration(config.syncFrequencyMs),
      port: config.port,
      registerNode: config.registerNode,
      registerWithTaints: config.registerWithTaints,
      providerID: config.providerId,
      podLogsDir: config.podLogsDirectory,
      clusterDomain: config.clusterDomain,
      clusterDNS: config.clusterDNS,
      resolvConf: config.resolvConf,
      nodeStatusUpdateFrequency: duration(config.nodeStatusUpdateFrequencyMs),
      nodeStatusReportFrequency: duration(config.nodeStatusReportFrequencyMs),
      nodeLeaseDurationSeconds: config.nodeLeaseDurationSeconds,
      imageMinimumGCAge: duration(config.imageMinimumGCAgeMs),
      imageMaximumGCAge: duration(config.imageMaximumGCAgeMs),
      imageGCHighThresholdPercent: config.imageGCHighThresholdPercent,
      imageGCLowThresholdPercent: config.imageGCLowThresholdPercent,
      cgroupRoot: config.cgroupRoot,
      cgroupDriver: 'cgroupfs',
      maxPods: config.maxPods,
      serializeImagePulls: config.maxParallelImagePulls === 1,
      maxParallelImagePulls: config.maxParallelImagePulls,
      evictionHard: config.evictionHard,
      evictionSoft: config.evictionSoft,
      evictionSoftGracePeriod: config.evictionSoftGracePeriod,
      evictionMinimumReclaim: config.evictionMinimumReclaim,
      evictionPressureTransitionPeriod: duration(config.evictionPressureTransitionPeriodMs),
      evictionMaxPodGracePeriod: config.evictionMaxPodGracePeriodSeconds,
      systemReserved: config.systemReserved,
      containerLogMaxSize: `${config.containerLogMaxSizeBytes}`,
      containerLogMaxFiles: config.containerLogMaxFiles,
      containerLogMonitorInterval: duration(config.containerLogMonitorIntervalMs),
      failSwapOn: false,
    },
  };
}
