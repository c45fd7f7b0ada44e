import { pods } from '../../api/resources.ts';
import type { Client } from '../../libs/kind/client.ts';
import { execSync } from '../../node/cri/cri.ts';
import { ClusterUsageError } from '../errors.ts';
import type { SimulatedNode } from '../simulated-nodes.ts';

export interface ExecOptions {
  /** Default `default`. */
  readonly namespace?: string;
  /** Default: the pod's first. */
  readonly container?: string;
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Kills a container for its memory, on whichever node its pod is. Throws `ClusterUsageError` where none runs. */
export async function oomKillPod(nodes: readonly SimulatedNode[], pod: string, options: ExecOptions): Promise<void> {
  const { namespace = 'default' } = options;
  const node = nodes.find(({ runtime }) => runtime.runs(namespace, pod));
  if (!node) throw new ClusterUsageError(`no container of pod ${namespace}/${pod} runs on any node`);
  await node.oomKill(pod, options);
}

/** Runs a command in a container of a simulated node. Throws `ApiError` 404 without the pod, `ClusterUsageError` where it does not run. */
export async function execInPod(
  client: Client,
  nodes: readonly SimulatedNode[],
  pod: string,
  command: readonly string[],
  { namespace = 'default', container }: ExecOptions,
): Promise<ExecResult> {
  const { spec, status } = await client.resource(pods).namespace(namespace).get(pod);
  const names = (spec?.containers ?? []).map(({ name }) => name);
  const name = container ?? names[0] ?? '';
  const all = [status?.containerStatuses, status?.initContainerStatuses, status?.ephemeralContainerStatuses];
  const found = all.flatMap((one) => one ?? []).find((one) => one.name === name);
  const cri = nodes.find((node) => node.name === spec?.nodeName)?.cri;
  if (!found?.state?.running || !found.containerID || !cri) {
    const why = names.includes(name) || found ? 'does not run' : `is none of its containers (${names.join(', ')})`;
    throw new ClusterUsageError(`exec in pod ${namespace}/${pod}: "${name}" ${why}`);
  }
  const id = found.containerID.replace(/^[^:]*:\/\//, '');
  const { exitCode, stdout, stderr } = await execSync(cri, id, command);
  const decoder = new TextDecoder();
  return { code: exitCode, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
