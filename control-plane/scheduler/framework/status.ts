/**
 * What a plugin answers. A refusal is a value, not an error: `undefined` means success everywhere.
 *
 * - `Unschedulable`: not now; removing pods of lower priority could help.
 * - `UnschedulableAndUnresolvable`: removing pods would not help.
 * - `Pending`: the plugin waits for something and will say when it came.
 * - `Error`: something is broken; the cycle ends and the pod is tried again after its back-off.
 */
export type Code = 'Unschedulable' | 'UnschedulableAndUnresolvable' | 'Pending' | 'Error';

export interface Status {
  readonly code: Code;
  /** The plugin that refuses; it decides which events may bring the pod back. */
  readonly plugin: string;
  /** In the words that users see, each counted by itself. */
  readonly reasons: readonly string[];
}

export function status(code: Code, plugin: string, ...reasons: string[]): Status {
  return Object.freeze({ code, plugin, reasons: Object.freeze(reasons) });
}

export const unschedulable = (plugin: string, ...reasons: string[]): Status =>
  status('Unschedulable', plugin, ...reasons);

export const unresolvable = (plugin: string, ...reasons: string[]): Status =>
  status('UnschedulableAndUnresolvable', plugin, ...reasons);
