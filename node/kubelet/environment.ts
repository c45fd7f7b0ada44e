import type { Service } from '../../api/types/core/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import type { Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import type { EventRecorder } from '../../libs/kind/reconciler.ts';
import type { HostPorts } from '../cni/host-ports.ts';
import type { CriClient } from '../cri/cri.ts';
import type { KubeletConfig } from './config.ts';
import type { Connections } from './connections.ts';
import type { Cgroups } from './containers/cgroups.ts';
import type { UserNamespaces } from './containers/user-namespaces.ts';
import type { ImagePuller } from './images/puller.ts';
import type { KubeletMetrics } from './metrics.ts';
import type { ReferencedObjects } from './objects.ts';
import type { Allocations } from './pod/allocations.ts';
import type { StatusWriter } from './pod/status-writer.ts';
import type { Volumes } from './volumes/volumes.ts';

/** Everything that the parts of one kubelet share. */
export interface KubeletEnvironment {
  readonly nodeName: string;
  readonly config: KubeletConfig;
  readonly client: Client;
  readonly cri: CriClient;
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly connections: Connections;
  /** Absent where the runtime's network leads ports of the node into pods by itself. */
  readonly hostPorts?: HostPorts | undefined;
  readonly objects: ReferencedObjects;
  readonly volumes: Volumes;
  readonly puller: ImagePuller;
  readonly cgroups: Cgroups;
  readonly userNamespaces: UserNamespaces;
  readonly statuses: StatusWriter;
  readonly allocations: Allocations;
  /** `containerd`: the scheme of container ids. Known once the runtime has answered. */
  readonly runtimeName: () => string;
  /** The node's addresses, the main one first. */
  readonly hostIps: () => readonly string[];
  readonly allocatable: () => Readonly<Record<string, string>>;
  readonly metrics: KubeletMetrics;
  readonly nodeMemoryBytes: number;
  readonly services: () => readonly DeepReadonly<Service>[];
}
