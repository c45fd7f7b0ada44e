/** A pod's spec, wherever one stands: in a Pod or in a template. Parts in the order in which upstream names errors. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  dns1123SubdomainWithUnderscore,
  qualifiedName,
  rangeText,
} from '../../../../libs/machinery/names.ts';
import { validateIp } from '../../../meta/addresses.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { PodResourceClaim, PodSpec } from '../../../types/core/v1.generated.ts';
import { NONE } from './absent.ts';
import {
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
} from './containers.ts';
import { validateHostProcess, validateOs } from './operating-system.ts';
import { validatePodResources, validateRequirements } from './resources.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validatePodSecurity } from './security.ts';
import { validateVolumes } from './volumes.ts';

const INT32_MAX = 2147483647;
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const PREEMPTION_POLICIES = ['Never', 'PreemptLowerPriority'];
const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;
const SEARCH_CHARACTERS_MAX = 2048;
const HOSTNAME_BYTES_MAX = 64;

/** `podName`: whose spec it is, for the names of what will be made for it; absent in templates. */
export function validatePodSpec(spec: DeepReadonly<PodSpec>, at: field.Path, podName?: string): field.ErrorList {
  const { errors: volumeErrors, valid } = validateVolumes(spec.volumes ?? NONE, at.child('volumes'), podName);
  const claims = spec.resourceClaims?.map(({ name }) => name) ?? NONE;
  const containers = spec.containers ?? NONE;
  const inits = spec.initContainers ?? NONE;
  const pod: PodContext = {
    volumes: valid,
    claims,
    graceSeconds:
      spec.terminationGracePeriodSeconds === undefined ? undefined : Number(spec.terminationGracePeriodSeconds),
    restartPolicy: spec.restartPolicy ?? '',
    hostUsers: spec.hostUsers !== false,
  };
  // Most pods have few of these parts, and every pod that is made comes by here: nothing is made for what is not there.
  return field.together(
    volumeErrors,
    spec.resourceClaims ? validateResourceClaims(spec.resourceClaims, at.child('resourceClaims'), podName) : NONE,
    validateContainers(containers, pod, at.child('containers')),
    inits.length > 0 ? validateInitContainers(inits, containers, pod, at.child('initContainers')) : NONE,
    spec.ephemeralContainers
      ? validateEphemeralContainers(
          spec.ephemeralContainers,
          [...containers, ...inits],
          containers,
          pod,
          at.child('ephemeralContainers'),
        )
      : NONE,
    spec.resources ? validatePodResources(spec, claims, at.child('resources')) : NONE,
    spec.hostNetwork ? validateHostNetworkPorts(spec, at) : NONE,
    choice(spec.restartPolicy, RESTART_POLICIES, at, 'restartPolicy'),
    choice(spec.dnsPolicy, DNS_POLICIES, at, 'dnsPolicy'),
    spec.nodeSelector ? validateMatchLabels(spec.nodeSelector, at.child('nodeSelector')) : NONE,
    validatePodSecurity(spec, at.child('securityContext')),
    spec.affinity ? validateAffinity(spec.affinity, at.child('affinity')) : NONE,
    spec.dnsConfig || spec.dnsPolicy === 'None' ? validateDns(spec, at.child('dnsConfig')) : NONE,
    spec.readinessGates || spec.schedulingGates ? validateGates(spec, at) : NONE,
    spec.topologySpreadConstraints
      ? validateTopologySpread(spec.topologySpreadConstraints, at.child('topologySpreadConstraints'))
      : NONE,
    validateHostProcess(spec, at),
    spec.hostUsers === false ? validateHostUsers(spec, at) : NONE,
    validateNames(spec, at),
    spec.tolerations ? validateTolerations(spec.tolerations, at.child('tolerations')) : NONE,
    spec.hostAliases ? validateHostAliases(spec, at.child('hostAliases')) : NONE,
    named(spec.priorityClassName, at, 'priorityClassName'),
    spec.runtimeClassName === undefined ? NONE : subdomain(spec.runtimeClassName, at.child('runtimeClassName')),
    spec.preemptionPolicy ? choice(spec.preemptionPolicy, PREEMPTION_POLICIES, at, 'preemptionPolicy') : NONE,
    spec.overhead ? validateRequirements({ limits: spec.overhead }, [], at.child('overhead')) : NONE,
    validateOs(spec, at),
    spec.hostnameOverride === undefined ? NONE : validateHostnameOverride(spec, at.child('hostnameOverride')),
  );
}

type Found = readonly field.FieldError[];

function choice(value: string | undefined, valid: readonly string[], at: field.Path, name: string): Found {
  if (!value) return [field.required(at.child(name))];
  return valid.includes(value) ? NONE : [field.notSupported(at.child(name), value, valid)];
}

const subdomain = (text: string, at: field.Path): field.ErrorList =>
  dns1123Subdomain(text).map((problem) => field.invalid(at, text, problem));

const named = (text: string | undefined, at: field.Path, name: string): Found =>
  text ? subdomain(text, at.child(name)) : NONE;

function validateResourceClaims(
  claims: DeepReadonly<PodResourceClaim[]>,
  at: field.Path,
  podName: string | undefined,
): field.ErrorList {
  const names = new Set<string>();
  return claims.flatMap((claim, i) => {
    const here = at.index(i);
    const { name = '', resourceClaimName: claimName, resourceClaimTemplateName: templateName } = claim;
    const shown = { Name: name, ResourceClaimName: claimName ?? null, ResourceClaimTemplateName: templateName ?? null };
    const errors: field.ErrorList = [];
    if (name === '') errors.push(field.required(here.child('name')));
    else if (names.has(name)) errors.push(field.duplicate(here.child('name'), name));
    else {
      for (const text of dns1123Label(name)) errors.push(field.invalid(here.child('name'), name, text));
      if (podName && templateName !== undefined) {
        const made = `${podName}-${name}`;
        for (const text of dns1123Subdomain(made)) {
          errors.push(field.invalid(here.child('name'), made, `final ResourceClaim name: ${text}`));
        }
      }
    }
    names.add(name);
    const members = '`resourceClaimName`, `resourceClaimTemplateName`';
    if (claimName !== undefined && templateName !== undefined) {
      errors.push(field.invalid(here, shown, `at most one of ${members} may be specified`));
    }
    if (claimName === undefined && templateName === undefined) {
      errors.push(field.invalid(here, shown, `must specify one of: ${members}`));
    }
    if (claimName !== undefined) errors.push(...subdomain(claimName, here.child('resourceClaimName')));
    if (templateName !== undefined) errors.push(...subdomain(templateName, here.child('resourceClaimTemplateName')));
    return errors;
  });
}

function validateHostNetworkPorts(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const list of ['containers', 'initContainers'] as const) {
    (spec[list] ?? []).forEach((container, i) => {
      (container.ports ?? []).forEach(({ hostPort = 0, containerPort }, k) => {
        if (hostPort === containerPort) return;
        const place = at.child(list).index(i).child('ports').index(k).child('hostPort');
        errors.push(field.invalid(place, hostPort, 'must match `containerPort` when `hostNetwork` is true'));
      });
    });
  }
  return errors;
}

function validateDns({ dnsPolicy, dnsConfig }: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [field.required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if ((dnsConfig.nameservers ?? []).length === 0) {
      const detail = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(field.required(at.child('nameservers'), detail));
    }
  }
  if (!dnsConfig) return errors;
  const { nameservers = [], searches = [], options = [] } = dnsConfig;
  const [serversAt, searchesAt] = [at.child('nameservers'), at.child('searches')];
  if (nameservers.length > NAMESERVERS_MAX) {
    errors.push(field.invalid(serversAt, nameservers, `must not have more than ${NAMESERVERS_MAX} nameservers`));
  }
  nameservers.forEach((address, i) => {
    errors.push(...validateIp(address, serversAt.index(i)));
  });
  if (searches.length > SEARCHES_MAX) {
    errors.push(field.invalid(searchesAt, searches, `must not have more than ${SEARCHES_MAX} search paths`));
  }
  if (searches.join(' ').length > SEARCH_CHARACTERS_MAX) {
    const detail = `must not have more than ${SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list`;
    errors.push(field.invalid(searchesAt, searches, detail));
  }
  searches.forEach((search, i) => {
    if (search === '.') return;
    for (const text of dns1123SubdomainWithUnderscore(search.replace(/\.$/, ''))) {
      errors.push(field.invalid(searchesAt.index(i), search, text));
    }
  });
  options.forEach(({ name }, i) => {
    if (!name) errors.push(field.required(at.child('options').index(i), 'must not be empty'));
  });
  return errors;
}

function validateGates({ readinessGates, schedulingGates }: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  (readinessGates ?? []).forEach(({ conditionType }, i) => {
    const place = at.child('readinessGates').index(i).child('conditionType');
    for (const text of qualifiedName(conditionType)) errors.push(field.invalid(place, conditionType, text));
  });
  const names = new Set<string>();
  (schedulingGates ?? []).forEach(({ name }, i) => {
    const place = at.child('schedulingGates').index(i);
    for (const text of qualifiedName(name)) errors.push(field.invalid(place, name, text));
    if (names.has(name)) errors.push(field.duplicate(place, name));
    names.add(name);
  });
  return errors;
}

/** Users of its own fit neither with the host's processes nor with its IPC nor with block devices. */
function validateHostUsers(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const detail = 'when `hostUsers` is false';
  if (spec.hostNetwork) errors.push(field.forbidden(at.child('hostNetwork'), detail));
  if (spec.hostPID) errors.push(field.forbidden(at.child('HostPID'), detail));
  if (spec.hostIPC) errors.push(field.forbidden(at.child('HostIPC'), detail));
  for (const list of ['containers', 'initContainers'] as const) {
    (spec[list] ?? []).forEach((container, i) => {
      if ((container.volumeDevices ?? []).length === 0) return;
      errors.push(field.forbidden(at.child(list).index(i).child('volumeDevices'), detail));
    });
  }
  return errors;
}

function validateNames(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const { serviceAccountName, nodeName, activeDeadlineSeconds: deadline, hostname, subdomain: domain } = spec;
  const errors = field.together(named(serviceAccountName, at, 'serviceAccountName'), named(nodeName, at, 'nodeName'));
  if (deadline !== undefined && (deadline < 1 || deadline > INT32_MAX)) {
    errors.push(field.invalid(at.child('activeDeadlineSeconds'), deadline, rangeText(1, INT32_MAX)));
  }
  if (hostname) {
    for (const text of dns1123Label(hostname)) errors.push(field.invalid(at.child('hostname'), hostname, text));
  }
  if (domain) for (const text of dns1123Label(domain)) errors.push(field.invalid(at.child('subdomain'), domain, text));
  return errors;
}

function validateHostAliases({ hostAliases }: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  return (hostAliases ?? []).flatMap(({ ip, hostnames }, i) => [
    ...validateIp(ip ?? '', at.index(i).child('ip')),
    ...(hostnames ?? []).flatMap((name, k) => subdomain(name, at.index(i).child('hostnames').index(k))),
  ]);
}

function validateHostnameOverride(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const { hostnameOverride: name, hostNetwork, setHostnameAsFQDN } = spec;
  if (name === undefined) return [];
  const errors: field.ErrorList = [];
  if (hostNetwork) errors.push(field.forbidden(at, 'may not be specified when hostNetwork is true'));
  if (setHostnameAsFQDN) errors.push(field.forbidden(at, 'may not be specified when setHostnameAsFQDN is true'));
  if (name.length > HOSTNAME_BYTES_MAX) return [...errors, field.tooLong(at, HOSTNAME_BYTES_MAX)];
  return [...errors, ...subdomain(name, at)];
}
