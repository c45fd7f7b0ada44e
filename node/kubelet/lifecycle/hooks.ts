import type { LifecycleHandler } from '../../../api/types/core/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type CriClient, execSync } from '../../cri/cri.ts';
import type { Connections } from '../connections.ts';
import { type PodContainer, resolvePort } from '../pod/objects.ts';

export interface HookContext {
  readonly cri: CriClient;
  readonly clock: Clock;
  readonly connections: Connections;
  readonly containerId: string;
  readonly container: PodContainer;
  readonly podIp: string;
  /** The hook is given up after so long. */
  readonly timeoutMs: number;
  /** The hook is given up when it fires. */
  readonly signal: AbortSignal;
}

/** Runs a post-start or pre-stop hook to its end. Rejects with what went wrong, or with the signal's reason. */
export async function runHook(hook: DeepReadonly<LifecycleHandler>, context: HookContext): Promise<void> {
  const { signal } = context;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const giveUp = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([call(hook, context), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function call(hook: DeepReadonly<LifecycleHandler>, context: HookContext): Promise<void> {
  const { exec, httpGet, tcpSocket, sleep } = hook;
  const { cri, clock, connections, container, containerId, podIp, timeoutMs, signal } = context;
  if (exec) {
    const { exitCode, stderr } = await execSync(cri, containerId, exec.command ?? [], { timeoutMs, signal });
    if (exitCode === 0) return;
    const said = new TextDecoder().decode(stderr.subarray(0, 1024)).trim();
    throw new Error(`command '${(exec.command ?? []).join(' ')}' exited with ${exitCode}: ${said}`);
  }
  if (sleep) return clock.sleep(Math.min(timeoutMs, Number(sleep.seconds) * 1000), signal);
  const target = httpGet ?? tcpSocket;
  if (!target) return;
  const port = resolvePort(target.port, container);
  if (port === undefined) throw new Error(`invalid port: ${target.port}`);
  const host = target.host || podIp;
  if (!httpGet) return connections.tcp(host, port, timeoutMs);
  const { path = '/', scheme = 'HTTP', httpHeaders = [] } = httpGet;
  // It has been told; what it thinks of it is its own affair.
  await connections.http({
    scheme: scheme === 'HTTPS' ? 'https' : 'http',
    host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: Object.fromEntries((httpHeaders ?? []).map(({ name, value }) => [name, value])),
    timeoutMs,
  });
}
