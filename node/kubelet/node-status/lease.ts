import { leases } from '../../../api/resources.ts';
import type { Lease } from '../../../api/types/coordination/v1.generated.ts';
import type { Node } from '../../../api/types/core/v1.generated.ts';
import { type Clock, formatMicroTime, type Timer } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Client } from '../../../libs/kind/client.ts';
import type { Live } from '../../../libs/kind/object.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../libs/machinery/errors.ts';

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
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#renew().finally(() => {
      this.#running = undefined;
      this.#schedule();
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the kubelet stops'));
    this.#timer?.cancel();
    await this.#running;
  }

  #schedule(): void {
    const { clock, durationSeconds } = this.#options;
    if (this.#stopped.signal.aborted) return;
    const delayMs = this.#failures > 0 || !this.#options.node() ? RETRY_MS : (durationSeconds * 1000) / 4;
    this.#timer = clock.setTimer(() => this.start(), delayMs);
  }

  async #renew(): Promise<void> {
    const { client, log, nodeName, clock, durationSeconds, node } = this.#options;
    const owner = node();
    if (!owner) return;
    const { signal } = this.#stopped;
    const resource = client.resource(leases).namespace(NAMESPACE);
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
