import { formatQuantity, mustParseQuantity, quantityOf, toCeil } from '../../../libs/machinery/quantity.ts';
import { isCritical, requestsOf } from '../admission/admission.ts';
import type { NodePod } from '../pod/objects.ts';
import { type Observation, RESOURCE_OF, type Signal, type Threshold } from './thresholds.ts';

/** What a pod uses: bytes, and processes. */
export interface PodUsage {
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly inodes: number;
  readonly processes: number;
  /** By container. */
  readonly containers: ReadonlyMap<string, { readonly memoryBytes: number; readonly diskBytes: number }>;
}

export interface Candidate {
  readonly pod: NodePod;
  readonly usage: PodUsage;
}

/**
 * Who has to go first when `signal` is short: those that use more than they asked for, then by priority, then by how
 * much more. Pods that the node itself needs never go.
 */
export function rankForEviction(candidates: readonly Candidate[], signal: Signal): Candidate[] {
  const evictable = candidates.filter(({ pod }) => !isCritical(pod));
  const [used, resource] = measure(signal);
  const above = ({ pod, usage }: Candidate) => used(usage) - (resource ? (requestsOf(pod).get(resource) ?? 0) : 0);
  const priority = ({ pod }: Candidate) => Number(pod.spec?.priority ?? 0);
  return evictable.sort(
    (a, b) =>
      (resource ? Number(above(b) > 0) - Number(above(a) > 0) : 0) || priority(a) - priority(b) || above(b) - above(a),
  );
}

function measure(signal: Signal): [(usage: PodUsage) => number, string | undefined] {
  switch (signal) {
    case 'memory.available':
      return [({ memoryBytes }) => memoryBytes, 'memory'];
    case 'pid.available':
      return [({ processes }) => processes, undefined];
    case 'nodefs.inodesFree':
    case 'imagefs.inodesFree':
      return [({ inodes }) => inodes, undefined];
    default:
      return [({ diskBytes }) => diskBytes, 'ephemeral-storage'];
  }
}

/** `1234Ki`, as upstream writes bytes; inodes and processes as they are. */
const amount = (value: number, binary: boolean): string =>
  formatQuantity(quantityOf(Math.round(value), 0, binary ? 'BinarySI' : 'DecimalSI'));

/** The words of an eviction. */
export function evictionMessage(threshold: Threshold, seen: Observation, { pod, usage }: Candidate): string {
  const resource = RESOURCE_OF[threshold.signal];
  const binary = resource === 'memory' || resource === 'ephemeral-storage';
  const limit = threshold.value.endsWith('%')
    ? amount((seen.capacity * Number.parseFloat(threshold.value)) / 100, binary)
    : threshold.value;
  let text = `The node was low on resource: ${resource}. Threshold quantity: ${limit}, available: ${
    binary ? `${Math.floor(seen.available / 1024)}Ki` : amount(seen.available, false)
  }. `;
  if (!binary) return text;
  for (const { name, resources } of pod.spec?.containers ?? []) {
    const of = usage.containers.get(name);
    if (!of) continue;
    const used = resource === 'memory' ? of.memoryBytes : of.diskBytes;
    const request = resources?.requests?.[resource] ?? '0';
    if (used <= toCeil(mustParseQuantity(request))) continue;
    const more = `Container ${name} was using ${Math.ceil(used / 1024)}Ki, request is ${request}`;
    text += `${more}, has larger consumption of ${resource}. `;
  }
  return text;
}

/** What a pod keeps on the node's disk beyond what it may; undefined: nothing. */
export function overLocalLimit(
  pod: NodePod,
  usage: PodUsage,
  emptyDirs: ReadonlyMap<string, number>,
): string | undefined {
  for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
    const used = emptyDirs.get(name);
    if (!emptyDir?.sizeLimit || used === undefined) continue;
    const limit = toCeil(mustParseQuantity(emptyDir.sizeLimit));
    if (limit > 0 && used > limit)
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir.sizeLimit}". `;
  }
  let total = 0;
  let limited = false;
  for (const { resources } of pod.spec?.containers ?? []) {
    const limit = resources?.limits?.['ephemeral-storage'];
    if (limit === undefined) continue;
    limited = true;
    total += toCeil(mustParseQuantity(limit));
  }
  if (limited && usage.diskBytes > total) {
    const words = formatQuantity(quantityOf(total, 0, 'BinarySI'));
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${words}. `;
  }
  for (const { name, resources } of pod.spec?.containers ?? []) {
    const limit = resources?.limits?.['ephemeral-storage'];
    const used = usage.containers.get(name)?.diskBytes ?? 0;
    if (limit === undefined || used <= toCeil(mustParseQuantity(limit))) continue;
    return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
  }
  return undefined;
}
