import type { Keys } from '../../../libs/base/keys.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import { containerLogPath } from '../../cri/logs.ts';
import type { ContainerConfig, Image, Mount, Signal, UserNamespace } from '../../cri/schema.generated.ts';
import type { NodePod, PodContainer } from '../pod/objects.ts';
import { expandVariables } from './expand.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import { containerResources } from './resources.ts';
import { containerSecurity } from './security.ts';

export interface ContainerConfigOptions {
  readonly keys: Keys;
  readonly restartCount: number;
  /** As the runtime knows the image, once it is there. */
  readonly imageRef: string;
  readonly image: Image | undefined;
  readonly env: ReadonlyMap<string, string>;
  readonly mounts: readonly Input<Mount>[];
  readonly nodeMemoryBytes: number;
  readonly seccompRoot: string;
  /** Where the pod's users are not the host's. */
  readonly userNamespace?: Input<UserNamespace> | undefined;
  /** The container whose processes an ephemeral container shall see. */
  readonly targetId?: string;
}

/** What the runtime is told about a container. Throws `ConfigError` for what cannot be. */
export function containerConfig(
  pod: NodePod,
  container: PodContainer,
  options: ContainerConfigOptions,
): Input<ContainerConfig> {
  const { env, restartCount, userNamespace: users } = options;
  const expand = (text: string) => expandVariables(text, (name) => env.get(name));
  const values = encodeTexts([...env.values()]);
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: options.imageRef, userSpecifiedImage: container.image ?? '' },
    command: (container.command ?? []).map(expand),
    args: (container.args ?? []).map(expand),
    workingDir: container.workingDir ?? '',
    envs: Array.from(env.keys(), (key, at) => ({ key, value: values[at] as Uint8Array })),
    mounts: options.mounts.map((mount) => ({
      ...mount,
      // What root of the pod owns there is the host's root's on the disk.
      ...(users && { uidMappings: users.uids ?? [], gidMappings: users.gids ?? [] }),
    })),
    labels: containerLabels(pod, container),
    annotations: containerAnnotations(options.keys, pod, container, restartCount),
    logPath: containerLogPath(container.name, restartCount),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    stopSignal: (container.lifecycle?.stopSignal ?? 'RUNTIME_DEFAULT') as Signal,
    linux: {
      resources: containerResources(pod, container, options.nodeMemoryBytes),
      securityContext: containerSecurity(pod, container, options.image, {
        seccompRoot: options.seccompRoot,
        userNamespace: users,
        ...(options.targetId && { targetId: options.targetId }),
      }),
    },
  };
}

/** Each text as bytes. They lie one behind the other in one buffer: most are a few letters, and a buffer is dear. */
function encodeTexts(texts: readonly string[]): Uint8Array[] {
  const encoder = new TextEncoder();
  // The separator keeps halves of a character apart.
  const joined = texts.join('\0');
  const bytes = encoder.encode(joined);
  const isAscii = bytes.length === joined.length;
  let from = 0;
  return texts.map((text) => {
    const value = bytes.subarray(from, from + (isAscii ? text.length : encoder.encode(text).length));
    from += value.length + 1;
    return value;
  });
}
