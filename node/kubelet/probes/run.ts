import type { Probe } from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type CriClient, execSync, isCode } from '../../cri/cri.ts';
import type { Connections } from '../connections.ts';
import { type PodContainer, resolvePort } from '../pod/objects.ts';

export interface ProbeContext {
  readonly cri: CriClient;
  readonly connections: Connections;
  readonly containerId: string;
  readonly container: PodContainer;
  readonly podIp: string;
  /** `kube-probe/1.36`. */
  readonly userAgent: string;
}

export interface ProbeOutcome {
  readonly success: boolean;
  /** It counts as a success, and is told of. */
  readonly warning?: boolean;
  /** What the probe had to say, for an event. */
  readonly output: string;
}

const OUTPUT_MAX = 10_240;

/** Runs a probe once. Rejects where it could not be run at all, so that nothing is known. */
export async function runProbe(probe: DeepReadonly<Probe>, context: ProbeContext): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  const { exec, httpGet, tcpSocket, grpc } = probe;
  if (exec) return execProbe(exec.command ?? [], timeoutMs, context);
  if (httpGet) return httpProbe(httpGet, timeoutMs, context);
  const { connections, podIp, container } = context;
  try {
    if (tcpSocket) {
      await connections.tcp(tcpSocket.host || podIp, portOf(tcpSocket.port, container), timeoutMs);
      return { success: true, output: '' };
    }
    if (grpc) {
      const status = await connections.grpcHealth(podIp, grpc.port, grpc.service ?? '', timeoutMs);
      return status === 'SERVING'
        ? { success: true, output: '' }
        : { success: false, output: `service unhealthy (responded with "${status}")` };
    }
  } catch (error) {
    if (error instanceof ProbePortError) throw error;
    return { success: false, output: (error as Error).message };
  }
  throw new Error('missing probe handler');
}

class ProbePortError extends Error {}

function portOf(port: number | string, container: PodContainer): number {
  const number = resolvePort(port, container);
  if (number === undefined) throw new ProbePortError(`couldn't find port: ${port}`);
  return number;
}

async function execProbe(command: readonly string[], timeoutMs: number, context: ProbeContext): Promise<ProbeOutcome> {
  try {
    const { exitCode, stdout, stderr } = await execSync(context.cri, context.containerId, command, { timeoutMs });
    const decoder = new TextDecoder();
    const output = (decoder.decode(stdout) + decoder.decode(stderr)).slice(0, OUTPUT_MAX);
    return { success: exitCode === 0, output };
  } catch (error) {
    if (!isCode(error, 'DEADLINE_EXCEEDED')) throw error;
    return { success: false, output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s` };
  }
}

async function httpProbe(
  action: NonNullable<DeepReadonly<Probe>['httpGet']>,
  timeoutMs: number,
  context: ProbeContext,
): Promise<ProbeOutcome> {
  const { path = '/', scheme = 'HTTP', httpHeaders = [] } = action;
  const port = portOf(action.port, context.container);
  const host = action.host || context.podIp;
  const given = Object.fromEntries((httpHeaders ?? []).map(({ name, value }) => [name.toLowerCase(), value]));
  const lower = scheme === 'HTTPS' ? 'https' : 'http';
  const target = path.startsWith('/') ? path : `/${path}`;
  try {
    const { code, body } = await context.connections.http({
      scheme: lower,
      host,
      port,
      path: target,
      headers: { 'user-agent': context.userAgent, accept: '*/*', ...given },
      timeoutMs,
    });
    if (code >= 300 && code < 400) {
      return { success: true, warning: true, output: `Probe terminated redirects, Response body: ${body}` };
    }
    return code >= 200 && code < 300
      ? { success: true, output: body }
      : { success: false, output: `HTTP probe failed with statuscode: ${code}` };
  } catch (error) {
    const url = `${lower}://${host.includes(':') ? `[${host}]` : host}:${port}${target}`;
    return { success: false, output: `Get "${url}": ${(error as Error).message}` };
  }
}
