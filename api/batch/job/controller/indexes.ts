// Completion indexes as a status writes them: `0-2,5`.

import type { Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

export const INDEX = 'batch.kubernetes.io/job-completion-index';

export function indexOf(pod: Live<Pod>): number {
  const text = valueIn(pod.metadata.annotations as Record<string, string> | undefined, INDEX);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : -1;
}

/** Those below `completions`; a text that is none gives none. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) continue;
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let i = Number(match[1]); i <= last; i++) indexes.add(i);
  }
  return indexes;
}

export function formatIndexes(indexes: ReadonlySet<number>): string {
  const parts: string[] = [];
  const sorted = [...indexes].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; i++) {
    const first = sorted[i] as number;
    while (i + 1 < sorted.length && sorted[i + 1] === (sorted[i] as number) + 1) i++;
    const last = sorted[i] as number;
    // Two in a row are still a pair, not a range.
    if (last === first) parts.push(String(first));
    else parts.push(last === first + 1 ? `${first},${last}` : `${first}-${last}`);
  }
  return parts.join();
}
