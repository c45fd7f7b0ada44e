import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { Node } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Node>;
const ROLE_PREFIX = 'node-role.kubernetes.io/';
const ROLE_LABEL = 'kubernetes.io/role';
const UNKNOWN = '<unknown>';
const info = (field: string) => ({ type: 'core.v1.NodeSystemInfo', field });
const addresses = { type: 'core.v1.NodeStatus', field: 'addresses' };

export const columns: readonly Column<Node>[] = [
  nameColumn as Column<Node>,
  { name: 'Status', type: 'string', description: 'Whether the node takes pods, or why it does not', value: statusOf },
  { name: 'Roles', type: 'string', description: 'What the node is for, as its labels say', value: rolesOf },
  ageColumn as Column<Node>,
  {
    name: 'Version',
    type: 'string',
    description: info('kubeletVersion'),
    value: ({ status }) => status?.nodeInfo?.kubeletVersion ?? '',
  },
  {
    name: 'Internal-IP',
    type: 'string',
    priority: 1,
    description: addresses,
    value: (node) => addressOf(node, 'InternalIP'),
  },
  {
    name: 'External-IP',
    type: 'string',
    priority: 1,
    description: addresses,
    value: (node) => addressOf(node, 'ExternalIP'),
  },
  {
    name: 'OS-Image',
    type: 'string',
    priority: 1,
    description: info('osImage'),
    value: ({ status }) => status?.nodeInfo?.osImage || UNKNOWN,
  },
  { name: 'Kernel-Version', type: 'string', priority: 1, description: info('kernelVersion'), value: kernelOf },
  {
    name: 'Container-Runtime',
    type: 'string',
    priority: 1,
    description: info('containerRuntimeVersion'),
    value: ({ status }) => status?.nodeInfo?.containerRuntimeVersion || UNKNOWN,
  },
];

function statusOf({ spec, status }: Seen): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesOf({ metadata }: Seen): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(metadata?.labels ?? {})) {
    if (key.startsWith(ROLE_PREFIX) && key !== ROLE_PREFIX) roles.add(key.slice(ROLE_PREFIX.length));
    else if (key === ROLE_LABEL && value !== '') roles.add(value);
  }
  return roles.size === 0 ? '<none>' : [...roles].sort().join(',');
}

const addressOf = ({ status }: Seen, kind: string): string =>
  status?.addresses?.find(({ type }) => type === kind)?.address ?? '<none>';

function kernelOf({ status }: Seen): string {
  const { kernelVersion, architecture } = status?.nodeInfo ?? {};
  if (!kernelVersion) return UNKNOWN;
  return architecture ? `${kernelVersion} (${architecture})` : kernelVersion;
}
