/** A pod that says which system it is for may not use what only the other one has. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import type { Container, EphemeralContainer, PodSpec } from '../../../types/core/v1.generated.ts';

const SYSTEMS = ['linux', 'windows'];
const NOT_FOR_WINDOWS = 'cannot be set for a windows pod';
const NOT_FOR_LINUX = 'windows options cannot be set for a linux pod';

const LINUX_ONLY_POD = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'seLinuxChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
] as const;
const LINUX_ONLY_CONTAINER = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

type Any = DeepReadonly<Container | EphemeralContainer>;

function eachContainer(spec: DeepReadonly<PodSpec>, at: field.Path, visit: (one: Any, at: field.Path) => void): void {
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'] as const) {
    (spec[list] ?? []).forEach((container: Any, i: number) => visit(container, at.child(list).index(i)));
  }
}

export function validateOs(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  if (!spec.os) return [];
  const here = at.child('os');
  const { name } = spec.os;
  if (!name) return [field.required(here.child('name'))];
  if (!SYSTEMS.includes(name)) return [field.notSupported(here, name, SYSTEMS)];
  return name === 'windows' ? validateWindows(spec, at) : validateLinux(spec, at);
}

function validateLinux(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const options = (context: { readonly windowsOptions?: unknown } | undefined, place: field.Path) => {
    if (context?.windowsOptions === undefined) return;
    errors.push(field.forbidden(place.child('securityContext', 'windowsOptions'), NOT_FOR_LINUX));
  };
  options(spec.securityContext, at);
  eachContainer(spec, at, (container, place) => options(container.securityContext, place));
  return errors;
}

function validateWindows(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const forbid = (place: field.Path) => errors.push(field.forbidden(place, NOT_FOR_WINDOWS));
  const security = at.child('securityContext');
  for (const name of LINUX_ONLY_POD) if (spec.securityContext?.[name] !== undefined) forbid(security.child(name));
  if (spec.shareProcessNamespace !== undefined) forbid(at.child('shareProcessNamespace'));
  if (spec.hostUsers !== undefined) forbid(at.child('hostUsers'));
  if (spec.hostPID) forbid(at.child('hostPID'));
  if (spec.hostIPC) forbid(at.child('hostIPC'));
  eachContainer(spec, at, (container, place) => {
    const context = container.securityContext;
    for (const name of LINUX_ONLY_CONTAINER) {
      if (context?.[name] !== undefined) forbid(place.child('securityContext', name));
    }
  });
  return errors;
}

/** On Windows, processes of the host: all containers of the pod or none, and on the host's network. */
export function validateHostProcess(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const podWide = spec.securityContext?.windowsOptions?.hostProcess;
  const errors: field.ErrorList = [];
  let ofHost = 0;
  let all = 0;
  eachContainer(spec, at, (container, place) => {
    const own = container.securityContext?.windowsOptions?.hostProcess;
    all++;
    if (own ?? podWide) ofHost++;
    if (podWide === undefined || own === undefined || own === podWide) return;
    const detail = `pod hostProcess value must be identical if both are specified, was ${podWide}`;
    errors.push(field.invalid(place.child('securityContext', 'windowsOptions', 'hostProcess'), own, detail));
  });
  if (ofHost === 0) return errors;
  if (ofHost !== all) {
    const detail = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    errors.push(field.invalid(at, '', detail));
  }
  if (!spec.hostNetwork) {
    const detail = 'hostNetwork must be true if pod contains any hostProcess containers';
    errors.push(field.invalid(at.child('hostNetwork'), false, detail));
  }
  return errors;
}
