import { defineKind } from '../../../libs/kind/kind.ts';
import type { Pod } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { attach, exec, log, portforward } from './connect.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const pod = defineKind<Pod>({
  group: '',
  kind: 'Pod',
  resource: 'pods',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'core.v1.Pod' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, attach, exec, log, portforward },
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.restartPolicy': ({ spec }) => spec?.restartPolicy ?? '',
    'spec.schedulerName': ({ spec }) => spec?.schedulerName ?? '',
    'spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? '',
    'spec.hostNetwork': ({ spec }) => String(spec?.hostNetwork ?? false),
    'status.phase': ({ status }) => status?.phase ?? '',
    'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? '',
    'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
  },
  columns,
});
