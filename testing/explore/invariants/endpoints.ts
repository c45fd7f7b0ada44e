import type { Pod, Service } from '../../../api/types/core/v1.generated.ts';
import type { EndpointSlice } from '../../../api/types/discovery/v1.generated.ts';
import type { Invariant } from '../invariant.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';

/** In the end the ready endpoints of a Service are its ready pods: those, and no others. */
export const endpointsAreReady: Invariant = {
  name: 'endpoints',
  settled(view) {
    if (!view.runs('endpointslice')) return;
    for (const service of view.list<Service>('services')) {
      const { selector, publishNotReadyAddresses } = service.spec ?? {};
      const { name = '', namespace = '' } = service.metadata ?? {};
      if (!selector || Object.keys(selector).length === 0 || publishNotReadyAddresses) continue;
      const told = new Set<string>();
      for (const slice of view.list<EndpointSlice>('endpointslices.discovery.k8s.io', namespace)) {
        const { labels } = slice.metadata ?? {};
        if (labels?.[SERVICE_NAME] !== name || labels[MANAGED_BY] !== 'endpointslice-controller.k8s.io') continue;
        for (const { conditions, targetRef } of slice.endpoints ?? [])
          if (conditions?.ready && targetRef?.name) told.add(targetRef.name);
      }
      const ready = view
        .list<Pod>('pods', namespace)
        .filter(({ metadata }) => Object.entries(selector).every(([key, value]) => metadata?.labels?.[key] === value))
        .filter(isReady)
        .map(({ metadata }) => metadata?.name ?? '');
      for (const one of told)
        if (!ready.includes(one)) return `Service ${namespace}/${name} sends to pod ${one}, which is not ready`;
      for (const one of ready)
        if (!told.has(one)) return `Service ${namespace}/${name} does not send to pod ${one}, which is ready`;
    }
  },
};

const isReady = ({ metadata, status }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined &&
  Boolean(status?.podIP) &&
  (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false);
