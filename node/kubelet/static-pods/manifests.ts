import { defaultPod } from '../../../api/core/pod/defaults.ts';
import { builtinSchema } from '../../../api/schema/builtin.ts';
import type { Pod } from '../../../api/types/core/v1.generated.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import type { Files } from '../../../libs/base/host.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import { decodeYaml } from '../../../libs/machinery/codec/yaml.ts';
import { applyDefaults } from '../../../libs/machinery/schema/defaults.ts';
import { ANNOTATION } from '../containers/labels.ts';
import type { NodePod } from '../pod/objects.ts';

const POD = 'core.v1.Pod';

export interface ManifestOptions {
  readonly files: Files;
  readonly keys: Keys;
  readonly folder: string;
  readonly nodeName: string;
  readonly nowMs: number;
  /** A file that holds no pod; the others are read all the same. */
  readonly refused: (file: string, why: string) => void;
}

/**
 * The pods that the manifests of a folder describe: every file that is not hidden, YAML or JSON, one pod each. A pod's
 * uid comes from its file's content, so that what has not changed is the same pod after a restart.
 */
export async function readManifests(options: ManifestOptions): Promise<NodePod[]> {
  const { files, folder } = options;
  const found: NodePod[] = [];
  if (!(await files.statIfExists(folder))) return found;
  for (const file of await files.list(folder)) {
    if (file.startsWith('.')) continue;
    const path = `${folder}/${file}`;
    if ((await files.statIfExists(path))?.kind === 'directory') continue;
    try {
      const text = await files.readTextIfExists(path);
      if (text !== undefined) found.push(podOf(options, file, text));
    } catch (error) {
      options.refused(path, (error as Error).message);
    }
  }
  return found;
}

function podOf({ keys, nodeName, nowMs }: ManifestOptions, file: string, text: string): NodePod {
  const schema = builtinSchema();
  const value = decodeYaml<Partial<Pod>>(schema, POD, text).object;
  if (value.kind !== 'Pod') throw new Error('the file holds no Pod');
  const { metadata, spec } = value;
  if (!metadata?.name || !spec?.containers?.length) throw new Error('the pod has no name or no containers');
  const digest = keys.digest('sha256', `${nodeName}\n${file}\n${text}`);
  const uid = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const pod: Pod = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName}`,
      namespace: metadata.namespace || 'default',
      uid,
      annotations: {
        ...metadata.annotations,
        [ANNOTATION.configHash]: uid,
        [ANNOTATION.configSource]: 'file',
        'kubernetes.io/config.seen': formatTime(nowMs),
      },
    },
    spec: {
      ...spec,
      nodeName,
      // Nothing but its file's end ends it.
      tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
  };
  applyDefaults(schema, POD, pod);
  defaultPod(pod);
  return pod;
}
