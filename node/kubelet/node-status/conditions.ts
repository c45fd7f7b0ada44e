import type { NodeCondition } from '../../../api/types/core/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';

/** What is wrong with the node, as far as it knows; nothing where all is well. */
export interface NodeHealth {
  /** Why pods cannot be run, in the words of a condition. */
  readonly notReady: readonly string[];
  readonly memoryPressure: boolean;
  readonly diskPressure: boolean;
  readonly pidPressure: boolean;
}

/** The four conditions of a node. Transition times are kept where the status has not changed. */
export function nodeConditions(
  health: NodeHealth,
  before: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime?: string | null }[],
  nowMs: number,
): NodeCondition[] {
  const now = formatTime(nowMs);
  const condition = (type: string, status: boolean, reason: string, message: string): NodeCondition => {
    const text = status ? 'True' : 'False';
    const known = before.find((one) => one.type === type);
    const lastTransitionTime = known?.status === text ? (known.lastTransitionTime ?? now) : now;
    return { type, status: text, lastHeartbeatTime: now, lastTransitionTime, reason, message };
  };
  const { memoryPressure, diskPressure, pidPressure, notReady } = health;
  return [
    memoryPressure
      ? condition('MemoryPressure', true, 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available')
      : condition('MemoryPressure', false, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    diskPressure
      ? condition('DiskPressure', true, 'KubeletHasDiskPressure', 'kubelet has disk pressure')
      : condition('DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    pidPressure
      ? condition('PIDPressure', true, 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available')
      : condition('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    notReady.length > 0
      ? condition('Ready', false, 'KubeletNotReady', `[${notReady.join(', ')}]`.replace(/^\[([^,]*)\]$/, '$1'))
      : condition('Ready', true, 'KubeletReady', 'kubelet is posting ready status'),
  ];
}
