import { readLog } from '../../cri/log-reader.ts';
import { parseTimestamp } from '../../cri/logs.ts';
import type { Kubelet } from '../kubelet.ts';
import { findContainer } from '../pod/objects.ts';
import type { ObservedContainer } from '../pod/state.ts';
import { RequestError } from './errors.ts';

/** What of a log is wanted: the query of `/containerLogs`, which is a PodLogOptions. */
export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceNanos?: bigint;
  readonly limitBytes?: number;
  readonly stream?: 'stdout' | 'stderr';
}

/** Throws `RequestError` 400 for what is none. `nowMs`: what `sinceSeconds` counts from. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const whole = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RequestError(400, `invalid value ${JSON.stringify(text)} for ${name}`);
    }
    return value;
  };
  const truth = (name: string) => ['true', '1'].includes(query.get(name) ?? '');
  const sinceSeconds = whole('sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  const sinceText = sinceTime ? parseTimestamp(sinceTime) : undefined;
  if (sinceTime && sinceText === undefined)
    throw new RequestError(400, `invalid value ${JSON.stringify(sinceTime)} for sinceTime`);
  const sinceNanos =
    sinceSeconds === undefined ? sinceText : BigInt(Math.round(nowMs - sinceSeconds * 1000)) * 1_000_000n;
  const tailLines = whole('tailLines', 0);
  const limitBytes = whole('limitBytes', 1);
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: truth('follow'),
    previous: truth('previous'),
    timestamps: truth('timestamps'),
    ...(tailLines !== undefined && { tailLines }),
    ...(sinceNanos !== undefined && { sinceNanos }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...((stream === 'stdout' || stream === 'stderr') && { stream }),
  };
}

/** The log of a container, as bytes. Rejects with `RequestError` where there is none to show. */
export async function containerLog(
  kubelet: Kubelet,
  at: { readonly namespace: string; readonly pod: string; readonly container: string },
  query: LogQuery,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const worker = kubelet.workerOf(at.namespace, at.pod);
  if (!worker) throw new RequestError(404, `pod "${at.pod}" not found`);
  const { pod } = worker;
  if (!findContainer(pod, at.container)) {
    throw new RequestError(404, `container "${at.container}" not found in pod "${at.pod}"`);
  }
  const all = worker.observed.containers.filter(({ name, state }) => name === at.container && state !== 'created');
  const container = pickContainer(all, query.previous, at, kubelet, worker.uid);
  const { host, clock, cri } = kubelet.env;
  const running = async (): Promise<boolean> => {
    try {
      const { status } = await cri.containerStatus({ containerId: container.id });
      return status?.state === 'CONTAINER_RUNNING';
    } catch {
      return false;
    }
  };
  const options = {
    ...query,
    files: host.files,
    clock,
    path: container.logPath,
    running,
    signal,
  };
  if (!(await host.files.statIfExists(container.logPath))) {
    throw new RequestError(404, `the log of container "${at.container}" in pod "${at.pod}" is gone`);
  }
  return readLog(options);
}

function pickContainer(
  all: readonly ObservedContainer[],
  previous: boolean,
  { pod, container }: { readonly pod: string; readonly container: string },
  kubelet: Kubelet,
  uid: string,
): ObservedContainer {
  const [newest, before] = all;
  if (previous) {
    // While it waits for its next start, what ended last is the previous one.
    const ended = newest?.state === 'exited' && waitsForRestart(kubelet, uid, container) ? newest : before;
    if (!ended) throw new RequestError(400, `previous terminated container "${container}" in pod "${pod}" not found`);
    return ended;
  }
  if (newest) return newest;
  const waiting = statusOf(kubelet, uid, container)?.state?.waiting?.reason ?? 'ContainerCreating';
  const words: Readonly<Record<string, string>> = {
    ErrImagePull: "image can't be pulled",
    ImagePullBackOff: 'trying and failing to pull image',
  };
  throw new RequestError(
    400,
    `container "${container}" in pod "${pod}" is waiting to start: ${words[waiting] ?? waiting}`,
  );
}

function statusOf(kubelet: Kubelet, uid: string, container: string) {
  const status = kubelet.pods().find((pod) => pod.metadata?.uid === uid)?.status;
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
    ({ name }) => name === container,
  );
}

const waitsForRestart = (kubelet: Kubelet, uid: string, container: string): boolean =>
  statusOf(kubelet, uid, container)?.state?.waiting !== undefined;
