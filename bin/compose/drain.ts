// Empties a node: nothing new comes, and what can run elsewhere is asked to.

import { nodes, pods } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { ApiObject, Live } from '../../libs/kind/object.ts';
import { ApiError, isNotFound } from '../../libs/machinery/errors.ts';
import { CommandError } from '../errors.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const RETRY_MS = 1_000;

export interface DrainOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** Hears of each pod that goes. */
  readonly told: (line: string) => void;
  readonly timeoutMs: number;
}

/** The node; throws `CommandError` where there is none of that name. */
export async function nodeOf(client: Client, name: string): Promise<Live<Node>> {
  try {
    return await client.resource(nodes).get(name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CommandError(`There is no node ${name}; "tutti node list" shows those that there are.`);
  }
}

export const isReady = ({ status }: Live<Node>): boolean =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';

/** Pods that a drain moves: not those that belong to the node, and not those that are over. */
export function movesAway({ metadata, status }: Live<Pod>): boolean {
  if (metadata.annotations && Object.hasOwn(metadata.annotations, MIRROR_ANNOTATION)) return false;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false;
  return !metadata.ownerReferences?.some(({ controller, kind }) => controller && kind === 'DaemonSet');
}

const podsOn = async (client: Client, node: string): Promise<readonly Live<Pod>[]> =>
  (await client.resource(pods).list({ fieldSelector: `spec.nodeName=${node}` })).items;

/**
 * Cordons, and evicts pods one after the other as disruption budgets allow. Resolves when they are gone; throws
 * `CommandError` with what is left when time is up. The node stays cordoned in either case.
 */
export async function drain({ client, clock, told, timeoutMs }: DrainOptions, name: string): Promise<void> {
  await nodeOf(client, name);
  await client.resource(nodes).patch(name, { spec: { unschedulable: true } }, { type: 'strategic' });
  const end = clock.monotonic() + timeoutMs;
  const asked = new Set<string>();
  for (;;) {
    const left = (await podsOn(client, name)).filter(movesAway);
    if (left.length === 0) return;
    let refused = '';
    for (const { metadata } of left) {
      if (metadata.deletionTimestamp || asked.has(metadata.uid)) continue;
      const why = await evict(client, metadata.namespace ?? '', metadata.name);
      if (why !== undefined) {
        refused = why;
        continue;
      }
      asked.add(metadata.uid);
      told(`pod ${metadata.namespace}/${metadata.name} leaves`);
    }
    if (clock.monotonic() > end) {
      const names = left.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ');
      throw new CommandError(`Not all pods have left ${name} in time: ${names}${refused && ` (${refused})`}.`);
    }
    await clock.sleep(RETRY_MS);
  }
}

/** Why it may not go now; undefined: it goes. */
async function evict(client: Client, namespace: string, name: string): Promise<string | undefined> {
  const eviction: ApiObject = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  try {
    await client.resource(pods).namespace(namespace).subresource<ApiObject>('eviction').create(eviction, { name });
    return undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (error instanceof ApiError && error.code === 429) return error.message;
    throw error;
  }
}

/** Forgets pods of a node that is no more: nobody is left who could end them. */
export async function forgetPods(client: Client, name: string): Promise<number> {
  const all = await podsOn(client, name);
  for (const { metadata } of all) {
    await client
      .resource(pods)
      .namespace(metadata.namespace ?? '')
      .delete(metadata.name, { gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  }
  return all.length;
}
