import { RESTART_ALL_CONTAINERS } from '../../../api/core/pod/restart-rules.ts';
import type { ContainerKind, NodePod, PodContainer } from './objects.ts';
import type { CrashBackoff } from './state.ts';

/** Upstream's delays between two restarts: none for the first, then 10 s, doubling, to five minutes. */
export const CRASH_BACKOFF = Object.freeze({ firstMs: 10_000, maxMs: 300_000 });

/** The delays after a restart at `nowMs`; `endedMs` is when the container before it ended (both `monotonic`). */
export function nextBackoff(previous: CrashBackoff | undefined, endedMs: number, nowMs: number): CrashBackoff {
  const { firstMs, maxMs } = CRASH_BACKOFF;
  // Who ran well for long starts anew.
  const fresh = previous === undefined || endedMs - previous.updatedMs > 2 * maxMs;
  return { delayMs: fresh ? firstMs : Math.min(maxMs, previous.delayMs * 2), updatedMs: nowMs };
}

/** Whether a container that ended with `exitCode` shall run again (API concept "Pod Lifecycle"). */
export function shouldRestart(pod: NodePod, kind: ContainerKind, container: PodContainer, exitCode: number): boolean {
  if (kind === 'ephemeral') return false;
  if (kind === 'init' && container.restartPolicy === 'Always') return true;
  if (ruleFor(container, exitCode)) return true;
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  // An init container has done its part when it succeeds.
  return exitCode !== 0 || (policy === 'Always' && kind === 'main');
}

/** Whether its end with `exitCode` is the end of all containers of the pod, and their new beginning. */
export const restartsAll = (container: PodContainer, exitCode: number): boolean =>
  ruleFor(container, exitCode)?.action === RESTART_ALL_CONTAINERS;

/** The first rule that speaks of the exit code. */
function ruleFor({ restartPolicyRules }: PodContainer, exitCode: number) {
  return (restartPolicyRules ?? []).find(({ exitCodes }) => {
    const among = (exitCodes?.values ?? []).includes(exitCode);
    return exitCodes?.operator === 'In' ? among : exitCodes?.operator === 'NotIn' && !among;
  });
}
