// What the last start on a data folder was, for `status` and `reset`: what was made on this machine, and with what.

import type { Files } from '../libs/base/host.ts';
import metadata from '../package.json' with { type: 'json' };
import type { ClusterNetworks } from './compose/cluster-network.ts';
import type { ComponentName } from './compose/components.ts';

export interface RunRecord {
  readonly role: 'cluster' | 'agent';
  readonly version: string;
  /** Wall time, in milliseconds. */
  readonly startedMs: number;
  readonly components: readonly ComponentName[];
  readonly networks: ClusterNetworks;
  readonly cgroupRoot: string;
  /** Where there is a node. */
  readonly nodeName?: string;
  /** A runtime of the user's; undefined: ours. */
  readonly criEndpoint?: string;
  /** Where an agent's API server is. */
  readonly server?: string;
}

const pathOf = (dataDir: string): string => `${dataDir}/run.json`;

export async function writeRunRecord(files: Files, dataDir: string, record: Omit<RunRecord, 'version'>): Promise<void> {
  const whole: RunRecord = { ...record, version: metadata.version };
  await files.write(pathOf(dataDir), `${JSON.stringify(whole, undefined, 2)}\n`);
}

/** Undefined where there is none, or none that can be read. */
export async function readRunRecord(files: Files, dataDir: string): Promise<RunRecord | undefined> {
  try {
    const record = JSON.parse((await files.readTextIfExists(pathOf(dataDir))) ?? '') as Partial<RunRecord>;
    return Array.isArray(record.components) && record.networks ? (record as RunRecord) : undefined;
  } catch {
    return undefined;
  }
}
