/** Probes and lifecycle hooks. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { httpHeaderName, portName, port as portNumber } from '../../../../libs/machinery/names.ts';
import type { Lifecycle, LifecycleHandler, Probe } from '../../../types/core/v1.generated.ts';

type Handler = DeepReadonly<LifecycleHandler & Pick<Probe, 'grpc'>>;

const SCHEMES = ['HTTP', 'HTTPS'];
const NOT_NEGATIVE = 'must be greater than or equal to 0';

/** Exactly one way of acting. `graceSeconds`: the pod's, within which a sleep must end. */
function validateHandler(handler: Handler, graceSeconds: number | undefined, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  let count = 0;
  const check = (name: string, given: unknown, validate: (place: field.Path) => field.ErrorList) => {
    if (given === undefined || given === null) return;
    const place = at.child(name);
    if (count++ > 0) errors.push(field.forbidden(place, 'may not specify more than 1 handler type'));
    else errors.push(...validate(place));
  };
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  check('exec', exec, (place) => (exec?.command?.length ? [] : [field.required(place.child('command'))]));
  check('httpGet', httpGet, (place) => validateHttpGet(httpGet as NonNullable<typeof httpGet>, place));
  check('tcpSocket', tcpSocket, (place) => validatePort(tcpSocket?.port, place.child('port')));
  check('grpc', grpc, (place) =>
    portNumber(grpc?.port ?? 0).map((text) => field.invalid(place.child('port'), grpc?.port ?? 0, text)),
  );
  check('sleep', sleep, (place) => {
    const seconds = Number(sleep?.seconds ?? 0);
    if (graceSeconds === undefined || (seconds >= 0 && seconds <= graceSeconds)) return [];
    const detail = `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`;
    return [field.invalid(place, seconds, detail)];
  });
  if (count === 0) errors.push(field.required(at, 'must specify a handler type'));
  return errors;
}

function validateHttpGet(get: DeepReadonly<NonNullable<LifecycleHandler['httpGet']>>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!get.path) errors.push(field.required(at.child('path')));
  errors.push(...validatePort(get.port, at.child('port')));
  if (get.scheme !== undefined && !SCHEMES.includes(get.scheme)) {
    errors.push(field.notSupported(at.child('scheme'), get.scheme, SCHEMES));
  }
  for (const { name } of get.httpHeaders ?? []) {
    for (const text of httpHeaderName(name ?? ''))
      errors.push(field.invalid(at.child('httpHeaders'), name ?? '', text));
  }
  return errors;
}

function validatePort(value: number | string | undefined, at: field.Path): field.ErrorList {
  const problems = typeof value === 'string' ? portName(value) : portNumber(value ?? 0);
  return problems.map((text) => field.invalid(at, value ?? 0, text));
}

export type ProbeKind = 'livenessProbe' | 'readinessProbe' | 'startupProbe';

export function validateProbe(
  probe: DeepReadonly<Probe> | undefined,
  kind: ProbeKind,
  graceSeconds: number | undefined,
  at: field.Path,
): field.ErrorList {
  if (!probe) return [];
  const errors = validateHandler(probe, graceSeconds, at);
  const numbers = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  for (const name of numbers) {
    const value = probe[name] ?? 0;
    if (value < 0) errors.push(field.invalid(at.child(name), value, NOT_NEGATIVE));
  }
  const grace = probe.terminationGracePeriodSeconds;
  const graceAt = at.child('terminationGracePeriodSeconds');
  if (grace !== undefined && Number(grace) <= 0) errors.push(field.invalid(graceAt, grace, 'must be greater than 0'));
  if (kind === 'readinessProbe') {
    if (grace !== undefined) errors.push(field.invalid(graceAt, grace, 'must not be set for readinessProbes'));
  } else if (probe.successThreshold !== 1) {
    errors.push(field.invalid(at.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'));
  }
  return errors;
}

export function validateLifecycle(
  lifecycle: DeepReadonly<Lifecycle> | undefined,
  graceSeconds: number | undefined,
  at: field.Path,
): field.ErrorList {
  if (!lifecycle) return [];
  const errors: field.ErrorList = [];
  for (const name of ['postStart', 'preStop'] as const) {
    const handler = lifecycle[name];
    if (handler) errors.push(...validateHandler(handler, graceSeconds, at.child(name)));
  }
  return errors;
}
