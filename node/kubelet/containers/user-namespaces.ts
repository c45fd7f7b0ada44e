import type { Files } from '../../../libs/base/host.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { CriClient } from '../../cri/cri.ts';
import type { IDMapping, UserNamespace } from '../../cri/schema.generated.ts';
import { type NodePod, uidOf } from '../pod/objects.ts';

/** As many ids as an image may use; and what the host itself uses lies below the first range. */
const IDS = 65_536;

export interface UserNamespacesOptions {
  readonly cri: Pick<CriClient, 'status'>;
  readonly files: Files;
  readonly rootDirectory: string;
  /** So many ranges are given out. */
  readonly maxPods: number;
}

/**
 * Which ids of the host the users of a pod with `hostUsers: false` are: a range of 65,536 for each pod, no two pods the
 * same. A range is written into the pod's folder, so that it is the same after a restart, and free again with the folder.
 */
export class UserNamespaces {
  readonly #options: UserNamespacesOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: UserNamespacesOptions) {
    this.#options = options;
  }

  /**
   * Undefined where the pod has the host's users. Rejects where the runtime would ignore the wish (containerd before 2),
   * or where no range is left.
   */
  of(pod: NodePod, runtimeHandler: string): Promise<Input<UserNamespace> | undefined> {
    if (pod.spec?.hostUsers !== false) return Promise.resolve(undefined);
    const next = this.#last.then(() => this.#of(uidOf(pod), runtimeHandler));
    this.#last = next.catch(() => {});
    return next;
  }

  async #of(uid: string, runtimeHandler: string): Promise<Input<UserNamespace>> {
    const { files, cri, maxPods } = this.#options;
    const known = await this.#read(uid);
    if (known !== undefined) return namespaceAt(known);
    const { runtimeHandlers } = await cri.status({});
    if (!runtimeHandlers.find(({ name }) => name === runtimeHandler)?.features?.userNamespaces) {
      const who = runtimeHandler === '' ? 'runtime' : `RuntimeClass handler "${runtimeHandler}"`;
      throw new Error(`can't set \`spec.hostUsers: false\`, ${who} does not support user namespaces`);
    }
    const pods = `${this.#options.rootDirectory}/pods`;
    const taken = new Set<number | undefined>();
    for (const other of (await files.statIfExists(pods)) ? await files.list(pods) : [])
      taken.add(await this.#read(other));
    const free = Array.from({ length: maxPods }, (_, index) => (index + 1) * IDS).find((first) => !taken.has(first));
    if (free === undefined) throw new Error('no range of user ids is left for another pod with `hostUsers: false`');
    const { uids, gids } = namespaceAt(free);
    await files.makeDirectory(`${pods}/${uid}`, { mode: 0o750 });
    await files.write(this.#path(uid), JSON.stringify({ uidMappings: uids, gidMappings: gids }), { mode: 0o600 });
    return namespaceAt(free);
  }

  /** The first id of the host that the pod was given. */
  async #read(uid: string): Promise<number | undefined> {
    const text = await this.#options.files.readTextIfExists(this.#path(uid));
    if (text === undefined) return undefined;
    return (JSON.parse(text) as { uidMappings: IDMapping[] }).uidMappings[0]?.hostId;
  }

  #path(uid: string): string {
    return `${this.#options.rootDirectory}/pods/${uid}/userns`;
  }
}

function namespaceAt(hostId: number) {
  const ids = [{ hostId, containerId: 0, length: IDS }];
  return { mode: 'POD', uids: ids, gids: ids } as const;
}
