/** What a pod's status may become. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { ipVersion } from '../../../../libs/machinery/ip.ts';
import { dns1123Subdomain, qualifiedName } from '../../../../libs/machinery/names.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { validateIp } from '../../../meta/addresses.ts';
import { IMMUTABLE } from '../../../meta/immutable.ts';
import type {
  Container,
  ContainerStatus,
  Pod,
  PodCondition,
  PodResourceClaim,
  PodResourceClaimStatus,
} from '../../../types/core/v1.generated.ts';
import { couldRestartAllContainers } from '../restart-rules.ts';
import { validatePodAnnotationsUpdate } from './annotations.ts';
import { validateOwnAnnotations } from './pod.ts';

type Seen = DeepReadonly<Pod>;
type Status = NonNullable<Seen['status']>;
type Statuses = DeepReadonly<ContainerStatus[]>;
type Addresses = readonly { readonly ip?: string }[];

const SYSTEM_CONDITIONS = ['PodScheduled', 'Ready', 'Initialized'];
const NOT_AGAIN = 'may not be transitioned to non-terminated state';
const at = field.path('status');

export function validatePodStatus(pod: Seen, old: Seen): field.ErrorList {
  const { status = {}, spec } = pod;
  const was = old.status ?? {};
  const errors = [...annotationErrors(pod, old), ...conditionErrors(status.conditions ?? [], was.conditions ?? [])];
  const nominated = status.nominatedNodeName;
  if (nominated && nominated !== was.nominatedNodeName) {
    const here = at.child('nominatedNodeName');
    for (const text of dns1123Subdomain(nominated)) errors.push(field.invalid(here, nominated, text));
  }
  if ((status.qosClass ?? '') !== (was.qosClass ?? '')) {
    errors.push(field.invalid(at.child('qosClass'), status.qosClass ?? '', IMMUTABLE));
  }
  if (spec.restartPolicy !== 'Always' && !couldRestartAllContainers(spec)) {
    for (const [list, containers] of [
      ['containerStatuses', spec.containers],
      ['initContainerStatuses', spec.initContainers],
    ] as const) {
      const now = status[list] ?? [];
      errors.push(...transitions(now, was[list] ?? [], containers ?? [], spec.restartPolicy ?? '', at.child(list)));
    }
  }
  return [
    ...errors,
    ...ephemeralTransitions(status.ephemeralContainerStatuses ?? [], was.ephemeralContainerStatuses ?? []),
    ...claimErrors(status.resourceClaimStatuses ?? [], spec.resourceClaims ?? []),
    ...addresses(status.podIPs ?? [], was.podIPs ?? [], 'podIPs'),
    ...hostAddresses(status, was),
  ];
}

/** A status may come with annotations, of which the same holds as of those that users write. */
function annotationErrors(pod: Seen, old: Seen): field.ErrorList {
  if (sameValue(pod.metadata?.annotations, old.metadata?.annotations)) return [];
  return [...validatePodAnnotationsUpdate(pod, old), ...validateOwnAnnotations(pod, old)];
}

/** Of conditions that are new; upstream's errors look for them, and for their types, elsewhere than the API does. */
function conditionErrors(now: DeepReadonly<PodCondition[]>, was: DeepReadonly<PodCondition[]>): field.ErrorList {
  return now.flatMap(({ type }, i) => {
    if (SYSTEM_CONDITIONS.includes(type) || was.some((one) => one.type === type)) return [];
    const place = field.path('metadata', 'conditions').index(i).child('Type');
    return qualifiedName(type ?? '').map((text) => field.invalid(place, type ?? '', text));
  });
}

/** Claims that were made for the pod are told by the names that its spec gives them. */
function claimErrors(
  statuses: DeepReadonly<PodResourceClaimStatus[]>,
  claims: DeepReadonly<PodResourceClaim[]>,
): field.ErrorList {
  return statuses.flatMap(({ name = '', resourceClaimName }, i) => {
    const here = at.child('resourceClaimStatuses').index(i).child('name');
    const errors: field.ErrorList = [];
    if (!claims.some((claim) => claim.name === name)) {
      errors.push(field.invalid(here, name, 'must match the name of an entry in `spec.resourceClaims`'));
    }
    if (statuses.findIndex((one) => one.name === name) < i) errors.push(field.duplicate(here, name));
    if (resourceClaimName === undefined) return errors;
    const problems = dns1123Subdomain(resourceClaimName);
    return [...errors, ...problems.map((text) => field.invalid(here, resourceClaimName, text))];
  });
}

/** Containers that were added to look into the pod run once. */
function ephemeralTransitions(now: Statuses, was: Statuses): field.ErrorList {
  return now.flatMap(({ name, state }, i) => {
    const ended = was.some((before) => before.name === name && before.state?.terminated);
    if (!ended || state?.terminated) return [];
    return [field.forbidden(at.child('ephemeralContainerStatuses').index(i).child('state'), NOT_AGAIN)];
  });
}

/** A container that has ended for good does not begin again. */
function transitions(
  now: Statuses,
  was: Statuses,
  containers: DeepReadonly<Container[]>,
  podPolicy: string,
  here: field.Path,
): field.ErrorList {
  return was.flatMap((before, i) => {
    const ended = before.state?.terminated;
    const status = now.find(({ name }) => name === before.name);
    const container = containers.find(({ name }) => name === before.name);
    if (!status || !ended || container?.restartPolicy === 'Always' || (container?.restartPolicyRules ?? []).length > 0)
      return [];
    const policy = container?.restartPolicy ?? podPolicy;
    if (policy === 'OnFailure' && ended.exitCode !== 0) return [];
    if (status.state?.terminated) return [];
    return [field.forbidden(here.index(i).child('state'), NOT_AGAIN)];
  });
}

/** One address of each family. */
function addresses(list: Addresses, was: Addresses, name: string): field.ErrorList {
  const here = at.child(name);
  const kept = was.map(({ ip }) => ip ?? '');
  const errors = list.flatMap(({ ip }, i) => validateIp(ip ?? '', here.index(i), kept));
  if (list.length < 2) return errors;
  const shown = list.map(({ ip }) => ({ IP: ip ?? '' }));
  const families = list.map(({ ip }) => ipVersion(ip ?? ''));
  if (list.length > 2 || families[0] === families[1]) {
    errors.push(field.invalid(here, shown, 'may specify no more than one IP for each IP family'));
  }
  shown.forEach((one, i) => {
    if (shown.findIndex(({ IP }) => IP === one.IP) < i) errors.push(field.duplicate(here.index(i), one));
  });
  return errors;
}

/** The host's one address of old is the first of its addresses. */
function hostAddresses({ hostIP = '', hostIPs = [] }: Status, was: Status): field.ErrorList {
  const [first] = hostIPs;
  if (!first) return [];
  const errors = addresses(hostIPs, was.hostIPs ?? [], 'hostIPs');
  if (hostIP === first.ip) return errors;
  const place = at.child('hostIPs').index(0).child('ip');
  return [field.invalid(place, first.ip ?? '', 'must be equal to `hostIP`'), ...errors];
}
