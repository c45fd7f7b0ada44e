import { leases } from '../../../api/resources.ts';
import type { Lease } from '../../../api/types/coordination/v1.generated.ts';
import type { Node } from '../../../api/types/core/v1.generated.ts';
import { type Clock, formatMicroTime } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Client } from '../../../libs/kind/client.ts';
import type { Live } from '../../../libs/kind/object.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import { Repeated } from '../repeated.ts';

export interface NodeLeaseOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeName: string;
  readonly durationSeconds: number;
  /** The lease goes with the node. */
  readonly node: () => Live<Node> | undefined;
}

const NAMESPACE = 'kube-node-lease';
const RETRY_MS = 1_000;

/** The node's heartbeat: a lease that is renewed four times in its duration. */
export class NodeLease {
  readonly #options: NodeLeaseOptions;
  readonly #stopped = new AbortController();
  #lease: Live<Lease> | undefined;
  readonly #repeated: Repeated;
  #failures = 0;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
    const { clock, durationSeconds, node } = options;
    this.#repeated = new Repeated(clock, {
      run: () => this.#renew(),
      delayMs: () => (this.#failures > 0 || !node() ? RETRY_MS : (durationSeconds * 1000) / 4),
      upkeep: () => (this.#failures > 0 || !node() ? undefined : 'beat'),
    });
  }

  start(): void {
    this.#repeated.poke();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the kubelet stops'));
    await this.#repeated.stop();
  }

  async #renew(): Promise<void> {
    const { client, log, nodeName, clock, durationSeconds, node } = this.#options;
    const owner = node();
    if (!owner) return;
    const { signal } = this.#stopped;
    const resource = client.resource(leases).namespace(NAMESPACE);
    // An earlier life of this node may have left its own.
    this.#lease ??= await resource.get(nodeName, { signal }).catch(() => undefined);
    const lease: Lease = {
      metadata: {
        name: nodeName,
        namespace: NAMESPACE,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: owner.metadata.uid }],
        ...(this.#lease && { resourceVersion: this.#lease.metadata.resourceVersion }),
      },
      spec: {
        holderIdentity: nodeName,
        leaseDurationSeconds: durationSeconds,
        renewTime: formatMicroTime(clock.now()),
      },
    };
    try {
      this.#lease = this.#lease ? await resource.update(lease, { signal }) : await resource.create(lease, { signal });
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      if (isNotFound(error)) this.#lease = undefined;
      if (isAlreadyExists(error) || isConflict(error)) {
        this.#lease = await resource.get(nodeName, { signal }).catch(() => undefined);
      } else if (this.#failures === 1) log.warn('the node’s lease could not be renewed', { node: nodeName, error });
    }
  }
}
