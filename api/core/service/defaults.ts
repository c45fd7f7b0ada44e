import type { Service } from '../../types/core/v1.generated.ts';
import { isLoadBalancer, needsClusterIP, needsExternalTrafficPolicy } from './forms.ts';

/** Three hours. */
const AFFINITY_TIMEOUT_SECONDS = 10_800;

export function defaultService(service: Service): void {
  service.spec ??= {};
  const { spec } = service;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: AFFINITY_TIMEOUT_SECONDS } };
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (!port.targetPort || port.targetPort === '0') port.targetPort = port.port;
  }
  if (needsExternalTrafficPolicy(service)) spec.externalTrafficPolicy ||= 'Cluster';
  if (needsClusterIP(service)) spec.internalTrafficPolicy ??= 'Cluster';
  if (isLoadBalancer(service)) spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
}
