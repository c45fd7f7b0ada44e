import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label } from '../../../libs/machinery/names.ts';
import { cidrWarnings, ipWarnings } from '../../meta/addresses.ts';
import type { Service } from '../../types/core/v1.generated.ts';
import { defaultService } from './defaults.ts';
import { addressesOf, isHeadless, typeOf } from './forms.ts';
import { dropFieldsOfOldType, keepAllocated, normalizeClusterIPs } from './transitions.ts';
import { validateService, validateServiceStatus, validateServiceUpdate } from './validation.ts';

const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';

export const strategy: Strategy<Service> = {
  allowCreateOnUpdate: true,
  deleteReturnsObject: true,
  resetFields: ['status'],
  validateName: dns1123Label,
  defaults: defaultService,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    normalizeClusterIPs(draft);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    keepAllocated(draft, old);
    normalizeClusterIPs(draft, old);
    dropFieldsOfOldType(draft, old);
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  warnings,
};

export const statusStrategy: StatusSubresource<Service>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultService,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
  validateUpdate: validateServiceStatus,
};

function warnings(service: DeepReadonly<Service>): string[] {
  const { metadata, spec = {} } = service;
  const at = field.path('spec');
  const out: string[] = [];
  if (metadata?.annotations?.[TOPOLOGY_HINTS] !== undefined) {
    out.push(`annotation ${TOPOLOGY_HINTS} is deprecated, please use ${TOPOLOGY_MODE} instead`);
  }
  addressesOf(service).forEach((ip, i) => out.push(...ipWarnings(ip, at.child('clusterIPs').index(i))));
  const external = spec.externalIPs ?? [];
  external.forEach((ip, i) => out.push(...ipWarnings(ip, at.child('externalIPs').index(i))));
  if (isHeadless(service)) {
    if (spec.loadBalancerIP) out.push('spec.loadBalancerIP is ignored when spec.clusterIP is "None"');
    if (external.length > 0) out.push('spec.externalIPs is ignored when spec.clusterIP is "None"');
    if (spec.sessionAffinity !== 'None') out.push('spec.SessionAffinity is ignored for headless services');
  }
  (spec.loadBalancerSourceRanges ?? []).forEach((range, i) => {
    out.push(...cidrWarnings(range, at.child('loadBalancerSourceRanges').index(i)));
  });
  if (typeOf(service) === 'ExternalName' && external.length > 0) {
    out.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (typeOf(service) !== 'ExternalName' && spec.externalName) {
    out.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === 'PreferClose') {
    out.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  if (external.length > 0) out.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  return out;
}
