import { pods } from '../api/resources.ts';
import type { Client } from '../libs/kind/client.ts';
import type { SimulatedImages } from '../node/cri/fake/image.ts';
import type { SimulatedNode } from './simulated-nodes.ts';

const LINES_MAX = 12;

/** Who waits for what in a cluster: pods that do not run and why, nodes that are away, images whose functions threw. */
export async function whoWaits(
  client: Client,
  nodes: readonly SimulatedNode[],
  images: SimulatedImages,
): Promise<string[]> {
  const lines: string[] = [];
  const failures = new Map<string, number>();
  for (const { reference, pod, error } of images.failures) {
    const line = `the function of image ${reference} threw in pod ${pod}: ${error.stack ?? error.message}`;
    failures.set(line, (failures.get(line) ?? 0) + 1);
  }
  for (const [line, count] of failures) lines.push(count === 1 ? line : `${count} times: ${line}`);
  for (const node of nodes) {
    if (node.state !== 'running') lines.push(`node ${node.name} is ${node.state}`);
    else if (node.partitioned) lines.push(`node ${node.name} is cut off`);
  }
  const { items } = await client.resource(pods).list();
  for (const { metadata, spec, status } of items) {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True' || status?.phase === 'Succeeded') continue;
    const container = status?.containerStatuses?.find((one) => !one.ready);
    const { waiting, terminated } = container?.state ?? {};
    const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
    const why =
      scheduled?.status === 'False' || !spec?.nodeName
        ? `not scheduled: ${scheduled?.message ?? 'nobody has looked at it'}`
        : waiting
          ? `${container?.name} waits: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`
          : terminated
            ? `${container?.name} ended: ${terminated.reason} ${terminated.exitCode}`
            : `${container?.name ?? 'it'} is not ready`;
    lines.push(
      `pod ${metadata.namespace}/${metadata.name} (${status?.phase}) on ${spec?.nodeName ?? 'no node'}: ${why}`,
    );
  }
  const rest = lines.length - LINES_MAX;
  return rest > 0 ? [...lines.slice(0, LINES_MAX), `… and ${rest} more`] : lines;
}
