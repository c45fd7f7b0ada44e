import { defineKind } from '../../../libs/kind/kind.ts';
import type { Pod } from '../../types/core/v1.generated.ts';
import { columns, rowConditions } from './columns.ts';
import { attach, exec, log, portforward } from './connect.ts';
import { statusStrategy, strategy } from './strategy.ts';
import { binding } from './subresources/binding.ts';
import { ephemeralContainers } from './subresources/ephemeral-containers.ts';
import { eviction } from './subresources/eviction.ts';
import { proxy } from './subresources/proxy.ts';
import { resize } from './subresources/resize.ts';

export const pod = defineKind<Pod>({
  group: '',
  kind: 'Pod',
  resource: 'pods',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'core.v1.Pod' }],
  strategy,
  subresources: {
    attach,
    binding,
    ephemeralcontainers: ephemeralContainers,
    eviction,
    exec,
    log,
    portforward,
    proxy,
    resize,
    status: { form: 'status', strategy: statusStrategy },
  },
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
  rowConditions,
});
