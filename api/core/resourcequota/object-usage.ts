import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { compareQuantity, mustParseQuantity, roundUpQuantity } from '../../../libs/machinery/quantity.ts';
import type { PersistentVolumeClaim, Service } from '../../types/core/v1.generated.ts';
import type { ResourceClaim } from '../../types/resource/v1.generated.ts';

/** A request for all devices that fit may get this many. */
const DEVICES_AT_MOST = 32;

/** Services: how many, of which balanced from outside, and the node ports that they take. */
export function serviceUsage({ spec }: DeepReadonly<Service>): Record<string, string> {
  const ports = spec?.ports ?? [];
  const balanced = spec?.type === 'LoadBalancer';
  const chosen = balanced && spec?.allocateLoadBalancerNodePorts === false;
  const nodePorts = chosen ? ports.filter(({ nodePort }) => nodePort).length : ports.length;
  return {
    'count/services': '1',
    services: '1',
    'services.loadbalancers': balanced ? '1' : '0',
    'services.nodeports': balanced || spec?.type === 'NodePort' ? String(nodePorts) : '0',
  };
}

/** Claims of volumes: how many and how large, in all and by storage class. */
export function claimUsage({ metadata, spec, status }: DeepReadonly<PersistentVolumeClaim>): Record<string, string> {
  const usage: Record<string, string> = { 'count/persistentvolumeclaims': '1', persistentvolumeclaims: '1' };
  const ofClass = metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName;
  const prefix = ofClass ? `${ofClass}.storageclass.storage.k8s.io/` : undefined;
  if (prefix) usage[`${prefix}persistentvolumeclaims`] = '1';
  const wanted = spec?.resources?.requests?.storage;
  if (wanted === undefined) return usage;
  const given = status?.allocatedResources?.storage;
  // A volume that was to grow and could not still has what it was given.
  const larger = given !== undefined && compareQuantity(mustParseQuantity(given), mustParseQuantity(wanted)) > 0;
  const amount = roundUpQuantity(larger ? given : wanted, 0);
  usage['requests.storage'] = amount;
  if (prefix) usage[`${prefix}requests.storage`] = amount;
  return usage;
}

/** Claims of devices: how many, and the devices by class that they can get at the most. */
export function deviceClaimUsage({ spec }: DeepReadonly<ResourceClaim>): Record<string, string> {
  const devices = new Map<string, number>();
  const count = (mode: string | undefined, number: number | bigint | undefined): number =>
    mode === 'All' ? DEVICES_AT_MOST : Number(number ?? 1);
  for (const { exactly, firstAvailable } of spec?.devices?.requests ?? []) {
    // Of alternatives one comes true; of each class the most demanding one counts.
    const most = new Map<string, number>();
    for (const one of exactly ? [exactly] : (firstAvailable ?? [])) {
      const ofClass = one.deviceClassName;
      most.set(ofClass, Math.max(most.get(ofClass) ?? 0, count(one.allocationMode, one.count)));
    }
    for (const [ofClass, number] of most) devices.set(ofClass, (devices.get(ofClass) ?? 0) + number);
  }
  return {
    'count/resourceclaims.resource.k8s.io': '1',
    ...Object.fromEntries(
      [...devices].map(([name, number]) => [`${name}.deviceclass.resource.k8s.io/devices`, `${number}`]),
    ),
  };
}
