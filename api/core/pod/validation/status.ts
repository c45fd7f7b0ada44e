/** What a pod's status may become. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { ipVersion } from '../../../../libs/machinery/ip.ts';
import { dns1123Subdomain } from '../../../../libs/machinery/names.ts';
import { validateIp } from '../../../meta/addresses.ts';
import { IMMUTABLE } from '../../../meta/immutable.ts';
import type { Container, ContainerStatus, Pod } from '../../../types/core/v1.generated.ts';
import { couldRestartAllContainers } from '../restart-rules.ts';

type Seen = DeepReadonly<Pod>;
const at = field.path('status');

export function validatePodStatus(pod: Seen, old: Seen): field.ErrorList {
  const { status = {}, spec } = pod;
  const was = old.status ?? {};
  const errors: field.ErrorList = [];
  const nominated = status.nominatedNodeName;
  if (nominated) {
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
  return [...errors, ...addresses(status.podIPs ?? [], 'podIPs'), ...addresses(status.hostIPs ?? [], 'hostIPs')];
}

/** A container that has ended for good does not begin again. */
function transitions(
  now: DeepReadonly<ContainerStatus[]>,
  was: DeepReadonly<ContainerStatus[]>,
  containers: DeepReadonly<Container[]>,
  podPolicy: string,
  here: field.Path,
): field.ErrorList {
  return now.flatMap((status, i) => {
    const before = was.find(({ name }) => name === status.name);
    const ended = before?.state?.terminated;
    const container = containers.find(({ name }) => name === status.name);
    if (!ended || container?.restartPolicy === 'Always' || (container?.restartPolicyRules ?? []).length > 0) return [];
    const policy = container?.restartPolicy ?? podPolicy;
    if (policy === 'OnFailure' && ended.exitCode !== 0) return [];
    if (status.state?.terminated) return [];
    return [field.forbidden(here.index(i).child('state'), 'may not be transitioned to non-terminated state')];
  });
}

/** One address of each family. */
function addresses(list: readonly { readonly ip?: string }[], name: string): field.ErrorList {
  const here = at.child(name);
  const errors = list.flatMap(({ ip }, i) => validateIp(ip ?? '', here.index(i)));
  if (list.length < 2) return errors;
  const shown = list.map(({ ip }) => ({ IP: ip ?? '' }));
  const families = list.map(({ ip }) => ipVersion(ip ?? ''));
  if (list.length > 2 || families[0] === families[1]) {
    errors.push(field.invalid(here, shown, 'may specify no more than one IP for each IP family'));
  }
  return errors;
}
