/** Defaults of a Pod itself, beyond those of every pod spec: a workload's template does not get them. */
import type { Container, Pod, PodSpec } from '../../types/core/v1.generated.ts';
import { isPodLevelResource, sumContainers } from './resources.ts';
import { defaultPodSpec } from './spec-defaults.ts';

export function defaultPod(pod: Pod): void {
  const { spec } = pod;
  if (pod.status) alignAddresses(pod.status);
  if (!spec) return;
  for (const container of containersOf(spec)) defaultRequests(container);
  defaultPodLevelRequests(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) defaultHostPorts(spec);
  defaultPodSpec(spec);
}

const containersOf = (spec: PodSpec): Container[] => [...(spec.initContainers ?? []), ...(spec.containers ?? [])];

/** What is limited and not requested is requested in full. */
function defaultRequests(container: Container): void {
  const { resources } = container;
  if (!resources?.limits) return;
  for (const [name, limit] of Object.entries(resources.limits)) {
    resources.requests ??= {};
    if (!Object.hasOwn(resources.requests, name)) resources.requests[name] = limit;
  }
}

/** A pod limited as a whole requests what its containers request, and what none of them mentions up to its limit. */
function defaultPodLevelRequests(spec: PodSpec): void {
  const { resources } = spec;
  const { limits } = resources ?? {};
  if (!resources || !limits || Object.keys(limits).length === 0) return;
  const requests = resources.requests ?? {};
  for (const source of [sumContainers(spec, 'requests'), limits]) {
    for (const [name, quantity] of Object.entries(source)) {
      if (isPodLevelResource(name) && !Object.hasOwn(requests, name)) requests[name] = quantity;
    }
  }
  if (Object.keys(requests).length > 0) resources.requests = requests;
}

/** On the host's network a container's port is a port of the host. */
function defaultHostPorts(spec: PodSpec): void {
  for (const container of containersOf(spec)) {
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

/** `podIP` is the first of `podIPs`; where they differ, the single one counts. */
function alignAddresses(status: NonNullable<Pod['status']>): void {
  const [first] = status.podIPs ?? [];
  if (status.podIP && first?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  else if (!status.podIP && first) status.podIP = first.ip;
}
