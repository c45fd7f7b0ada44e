import { parseQuantity, QuantityError, toCeil } from '../../libs/machinery/quantity.ts';
import { parseDuration } from '../../libs/machinery/time.ts';
import { DEFAULT_CONFIG, type KubeletConfig } from './config.ts';
import { thresholdsOf } from './eviction/thresholds.ts';

/** A KubeletConfiguration that cannot be used; the message is a clause that names the field. */
export class ConfigurationError extends Error {}

type Read = (name: string, value: unknown) => Partial<KubeletConfig>;

/** What is read of a KubeletConfiguration (kubelet.config.k8s.io/v1beta1), field by field. */
const FIELDS: Readonly<Record<string, Read>> = {
  maxPods: number('maxPods', 0),
  podPidsLimit: number('podPidsLimit', -1),
  syncFrequency: duration('syncFrequencyMs'),
  nodeStatusUpdateFrequency: duration('nodeStatusUpdateFrequencyMs'),
  nodeStatusReportFrequency: duration('nodeStatusReportFrequencyMs'),
  nodeLeaseDurationSeconds: number('nodeLeaseDurationSeconds', 1),
  imageMinimumGCAge: duration('imageMinimumGCAgeMs'),
  imageMaximumGCAge: duration('imageMaximumGCAgeMs', 0n),
  imageGCHighThresholdPercent: number('imageGCHighThresholdPercent', 0, 100),
  imageGCLowThresholdPercent: number('imageGCLowThresholdPercent', 0, 100),
  maxParallelImagePulls: number('maxParallelImagePulls', 1),
  serializeImagePulls: (name, value) => {
    if (typeof value !== 'boolean') throw new ConfigurationError(`${name} wants true or false`);
    return value ? { maxParallelImagePulls: 1 } : {};
  },
  evictionHard: words('evictionHard'),
  evictionSoft: words('evictionSoft'),
  evictionSoftGracePeriod: words('evictionSoftGracePeriod'),
  evictionMinimumReclaim: words('evictionMinimumReclaim'),
  evictionPressureTransitionPeriod: duration('evictionPressureTransitionPeriodMs'),
  evictionMaxPodGracePeriod: number('evictionMaxPodGracePeriodSeconds', 0),
  systemReserved: words('systemReserved', (name, value) => void bytesOf(name, value)),
  containerLogMaxSize: (name, value) => ({ containerLogMaxSizeBytes: bytesOf(name, value) }),
  containerLogMaxFiles: number('containerLogMaxFiles', 2),
  containerLogMonitorInterval: duration('containerLogMonitorIntervalMs'),
  resolvConf: (name, value) => {
    if (typeof value !== 'string') throw new ConfigurationError(`${name} wants the path of a file`);
    return { resolvConf: value };
  },
};

/**
 * The settings in a KubeletConfiguration, as upstream's `kubelet --config` takes it. What this kubelet does not read is
 * refused, and not passed over. Throws `ConfigurationError`.
 *
 *     kubeletConfiguration({ kind: 'KubeletConfiguration', containerLogMaxSize: '5Mi' })
 *     // { containerLogMaxSizeBytes: 5242880 }
 */
export function kubeletConfiguration(content: unknown): Partial<KubeletConfig> {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigurationError('it holds no KubeletConfiguration');
  }
  const { kind, apiVersion, ...fields } = content as Record<string, unknown>;
  if (kind !== undefined && kind !== 'KubeletConfiguration') {
    throw new ConfigurationError(`it holds a ${JSON.stringify(kind)}, and no KubeletConfiguration`);
  }
  if (apiVersion !== undefined && apiVersion !== 'kubelet.config.k8s.io/v1beta1') {
    throw new ConfigurationError(`its apiVersion is ${JSON.stringify(apiVersion)}, not kubelet.config.k8s.io/v1beta1`);
  }
  let config: Partial<KubeletConfig> = {};
  for (const [name, value] of Object.entries(fields)) {
    const read = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (!read) throw new ConfigurationError(`there is no field "${name}" that Tutti reads`);
    config = { ...config, ...read(name, value) };
  }
  const whole = { ...DEFAULT_CONFIG, ...config };
  if (whole.imageGCLowThresholdPercent > whole.imageGCHighThresholdPercent) {
    throw new ConfigurationError('imageGCLowThresholdPercent must not be above imageGCHighThresholdPercent');
  }
  const { imageMaximumGCAgeMs, imageMinimumGCAgeMs } = whole;
  if (imageMaximumGCAgeMs !== 0 && imageMaximumGCAgeMs <= imageMinimumGCAgeMs) {
    throw new ConfigurationError('imageMaximumGCAge must be above imageMinimumGCAge, or 0s');
  }
  try {
    thresholdsOf(whole);
  } catch (error) {
    throw new ConfigurationError((error as Error).message);
  }
  return config;
}

function number(key: keyof KubeletConfig, least: number, most = Number.MAX_SAFE_INTEGER): Read {
  return (name, value) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return { [key]: value };
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new ConfigurationError(`${name} wants a whole number ${range}`);
  };
}

function duration(key: keyof KubeletConfig, leastNanos = 1n): Read {
  return (name, value) => {
    try {
      const nanos = parseDuration(String(value));
      if (nanos >= leastNanos) return { [key]: Number(nanos) / 1_000_000 };
    } catch {
      // Said below.
    }
    throw new ConfigurationError(`${name} wants a duration, such as 1m30s`);
  };
}

function words(key: keyof KubeletConfig, check?: (name: string, value: string) => void): Read {
  return (name, value) => {
    const entries =
      typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
    if (!entries?.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
      throw new ConfigurationError(`${name} wants names with words, such as nodefs.available: "10%"`);
    }
    for (const [one, word] of entries) check?.(`${name} ${one}`, word);
    return { [key]: Object.fromEntries(entries) };
  };
}

function bytesOf(name: string, value: unknown): number {
  const quantity = parseQuantity(String(value));
  if (quantity instanceof QuantityError) throw new ConfigurationError(`${name} wants a quantity, such as 10Mi`);
  return toCeil(quantity);
}
