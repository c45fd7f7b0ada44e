/** Containers of all kinds: what they have in common, and what init and ephemeral ones may not have. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Label, portName, port as portNumber } from '../../../../libs/machinery/names.ts';
import type {
  Container,
  ContainerPort,
  ContainerRestartRule,
  EphemeralContainer,
} from '../../../types/core/v1.generated.ts';
import { isSidecar } from '../resources.ts';
import { NONE } from './absent.ts';
import { validateEnv, validateEnvFrom } from './environment.ts';
import { type ProbeKind, validateLifecycle, validateProbe } from './handlers.ts';
import { validateDevices, validateMounts } from './mounts.ts';
import { validateRequirements, validateResizePolicies } from './resources.ts';
import { validateContainerSecurity } from './security.ts';
import type { Volumes } from './volumes.ts';

/** What the checks of a container need to know of its pod. */
export interface PodContext {
  readonly volumes: Volumes;
  readonly claims: readonly string[];
  readonly graceSeconds: number | undefined;
  readonly restartPolicy: string;
  readonly hostUsers: boolean;
}

const PROBES: readonly ProbeKind[] = ['livenessProbe', 'readinessProbe', 'startupProbe'];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const RESTART_POLICIES = ['Always', 'Never', 'OnFailure'];
const RESTART_RULES_MAX = 20;
const EXIT_CODES_MAX = 255;
const NOT_FOR_INIT = 'may not be set for init containers without restartPolicy=Always';
const NOT_FOR_EPHEMERAL = 'cannot be set for an Ephemeral Container';

const isImage = (image: string): boolean => image !== '' && image.trim() === image;

export function validateImage(image: string, at: field.Path): field.ErrorList {
  if (image === '') return [field.required(at)];
  return isImage(image) ? [] : [field.invalid(at, image, 'must not have leading or trailing whitespace')];
}

function validateCommon(container: DeepReadonly<Container>, pod: PodContext, at: field.Path): field.ErrorList {
  const { name = '', image = '' } = container;
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name')));
  else for (const text of dns1123Label(name)) errors.push(field.invalid(at.child('name'), name, text));
  if (!isImage(image)) errors.push(...validateImage(image, at.child('image')));
  const { terminationMessagePolicy: messages, imagePullPolicy: pull } = container;
  if (messages && !MESSAGE_POLICIES.includes(messages)) {
    errors.push(field.notSupported(at.child('terminationMessagePolicy'), messages, MESSAGE_POLICIES));
  }
  const {
    ports,
    env,
    envFrom,
    volumeMounts: mounts,
    volumeDevices: devices,
    resizePolicy,
    securityContext,
  } = container;
  return field.together(
    errors,
    ports ? validatePorts(ports, at.child('ports')) : NONE,
    env ? validateEnv(env, pod.volumes, at.child('env')) : NONE,
    envFrom ? validateEnvFrom(envFrom, at.child('envFrom')) : NONE,
    mounts ? validateMounts(container, pod.volumes, at.child('volumeMounts')) : NONE,
    devices ? validateDevices(devices, mounts ?? NONE, pod.volumes, at.child('volumeDevices')) : NONE,
    pull && !PULL_POLICIES.includes(pull)
      ? [field.notSupported(at.child('imagePullPolicy'), pull, PULL_POLICIES)]
      : NONE,
    validateRequirements(container.resources, pod.claims, at.child('resources')),
    resizePolicy
      ? validateResizePolicies(resizePolicy, pod.restartPolicy, container.restartPolicy, at.child('resizePolicy'))
      : NONE,
    securityContext ? validateContainerSecurity(securityContext, pod.hostUsers, at.child('securityContext')) : NONE,
  );
}

function validatePorts(ports: DeepReadonly<ContainerPort[]>, at: field.Path): field.ErrorList {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const here = at.index(i);
    const { name = '', containerPort = 0, hostPort = 0, protocol = '' } = port;
    const errors: field.ErrorList = [];
    if (name !== '') {
      const problems = portName(name);
      for (const text of problems) errors.push(field.invalid(here.child('name'), name, text));
      if (problems.length === 0) {
        if (names.has(name)) errors.push(field.duplicate(here.child('name'), name));
        names.add(name);
      }
    }
    if (containerPort === 0) errors.push(field.required(here.child('containerPort')));
    else {
      for (const text of portNumber(containerPort)) {
        errors.push(field.invalid(here.child('containerPort'), containerPort, text));
      }
    }
    if (hostPort !== 0) {
      for (const text of portNumber(hostPort)) errors.push(field.invalid(here.child('hostPort'), hostPort, text));
    }
    if (protocol === '') errors.push(field.required(here.child('protocol')));
    else if (!PROTOCOLS.includes(protocol)) {
      errors.push(field.notSupported(here.child('protocol'), protocol, PROTOCOLS));
    }
    return errors;
  });
}

export function validateContainers(
  containers: DeepReadonly<Container[]>,
  pod: PodContext,
  at: field.Path,
): field.ErrorList {
  if (containers.length === 0) return [field.required(at)];
  const names = new Set<string>();
  const errors = containers.flatMap((container, i) => {
    const here = at.index(i);
    const found = validateCommon(container, pod, here);
    if (container.name && names.has(container.name)) found.push(field.duplicate(here.child('name'), container.name));
    names.add(container.name);
    return field.together(found, validateRunning(container, pod, here), validateRestart(container, here));
  });
  return field.together(errors, hostPortConflicts(containers, at));
}

export function validateInitContainers(
  containers: DeepReadonly<Container[]>,
  others: DeepReadonly<Container[]>,
  pod: PodContext,
  at: field.Path,
): field.ErrorList {
  const names = new Set(others.map(({ name }) => name));
  return containers.flatMap((container, i) => {
    const here = at.index(i);
    const errors = validateCommon(container, pod, here);
    if (container.name && names.has(container.name)) errors.push(field.duplicate(here.child('name'), container.name));
    names.add(container.name);
    errors.push(...hostPortConflicts([container], at));
    if (isSidecar(container)) errors.push(...validateRunning(container, pod, here));
    else {
      if (container.lifecycle) errors.push(field.forbidden(here.child('lifecycle'), NOT_FOR_INIT));
      for (const probe of PROBES) if (container[probe]) errors.push(field.forbidden(here.child(probe), NOT_FOR_INIT));
    }
    return [...errors, ...validateRestart(container, here)];
  });
}

function validateRunning(container: DeepReadonly<Container>, pod: PodContext, at: field.Path): field.ErrorList {
  const { lifecycle } = container;
  const errors = lifecycle ? validateLifecycle(lifecycle, pod.graceSeconds, at.child('lifecycle')) : [];
  for (const name of PROBES) {
    const probe = container[name];
    if (probe) errors.push(...validateProbe(probe, name, pod.graceSeconds, at.child(name)));
  }
  return errors;
}

/** A container's own restart policy and its exceptions by exit code. */
function validateRestart(
  { restartPolicy, restartPolicyRules: rules = [] }: DeepReadonly<Container>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (restartPolicy === undefined && rules.length === 0) return errors;
  const policyAt = at.child('restartPolicy');
  if (restartPolicy !== undefined && !RESTART_POLICIES.includes(restartPolicy)) {
    errors.push(field.notSupported(policyAt, restartPolicy, RESTART_POLICIES));
  }
  if (rules.length === 0) return errors;
  if (restartPolicy === undefined) {
    errors.push(field.required(policyAt, 'must specify restartPolicy when restart rules are used'));
  }
  const here = at.child('restartPolicyRules');
  if (rules.length > RESTART_RULES_MAX) errors.push(field.tooMany(here, rules.length, RESTART_RULES_MAX));
  return [...errors, ...rules.flatMap((rule, i) => validateRestartRule(rule, here.index(i)))];
}

function validateRestartRule(
  { action, exitCodes }: DeepReadonly<ContainerRestartRule>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const actions = ['Restart', 'RestartAllContainers'];
  if (!actions.includes(action)) errors.push(field.notSupported(at.child('action'), action, actions));
  if (!exitCodes) return [...errors, field.required(at.child('exitCodes'), 'must be specified')];
  const here = at.child('exitCodes');
  const operators = ['In', 'NotIn'];
  if (!operators.includes(exitCodes.operator)) {
    errors.push(field.notSupported(here.child('operator'), exitCodes.operator, operators));
  }
  const values = exitCodes.values ?? [];
  if (values.length === 0) errors.push(field.required(here.child('values'), 'must specify at least one exit code'));
  if (values.length > EXIT_CODES_MAX) errors.push(field.tooMany(here.child('values'), values.length, EXIT_CODES_MAX));
  return errors;
}

/** A port of the host belongs to one container. */
function hostPortConflicts(containers: DeepReadonly<Container[]>, at: field.Path): field.ErrorList {
  const taken = new Set<string>();
  const errors: field.ErrorList = [];
  containers.forEach((container, i) => {
    (container.ports ?? []).forEach(({ hostPort, hostIP = '', protocol = '' }, k) => {
      if (!hostPort) return;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(field.duplicate(at.index(i).child('ports').index(k).child('hostPort'), key));
      taken.add(key);
    });
  });
  return errors;
}

const EPHEMERAL_FORBIDDEN = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

export function validateEphemeralContainers(
  containers: DeepReadonly<EphemeralContainer[]>,
  others: DeepReadonly<Container[]>,
  targets: DeepReadonly<Container[]>,
  pod: PodContext,
  at: field.Path,
): field.ErrorList {
  const names = new Set(others.map(({ name }) => name));
  return containers.flatMap((container, i) => {
    const here = at.index(i);
    const errors = validateCommon({ ...container, resources: {}, ports: [], resizePolicy: [] }, pod, here);
    if (container.name && names.has(container.name)) errors.push(field.duplicate(here.child('name'), container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !targets.some(({ name }) => name === target)) {
      errors.push(field.notFound(here.child('targetContainerName'), target));
    }
    for (const name of EPHEMERAL_FORBIDDEN) {
      if (isGiven(container[name])) errors.push(field.forbidden(here.child(name), NOT_FOR_EPHEMERAL));
    }
    (container.volumeMounts ?? []).forEach((mount, k) => {
      for (const name of ['subPath', 'subPathExpr'] as const) {
        if (mount[name])
          errors.push(field.forbidden(here.child('volumeMounts').index(k).child(name), NOT_FOR_EPHEMERAL));
      }
    });
    return errors;
  });
}

const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && (typeof value !== 'object' || Object.keys(value).length > 0);
