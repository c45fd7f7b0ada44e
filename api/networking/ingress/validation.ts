import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { parseIpSloppy } from '../../../libs/machinery/ip.ts';
import {
  dns1123Label,
  dns1123Subdomain,
  portName,
  port as portProblems,
  wildcardDns1123Subdomain,
} from '../../../libs/machinery/names.ts';
import { validateIp } from '../../meta/addresses.ts';
import { validateTypedReference } from '../../meta/typed-reference.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressTLS,
} from '../../types/networking/v1.generated.ts';

export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const PATH_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const PATH_ENDINGS = ['/..', '/.'];
const NOT_A_NAME = 'must be a DNS name, not an IP address';

export function validateIngress(ingress: DeepReadonly<Ingress>): field.ErrorList {
  const errors = validateSpec(ingress);
  const annotation = ingress.metadata?.annotations?.[CLASS_ANNOTATION];
  const { ingressClassName } = ingress.spec ?? {};
  if (annotation !== undefined && ingressClassName !== undefined && annotation !== ingressClassName) {
    const why = 'must match `ingressClassName` when both are specified';
    errors.push(field.invalid(field.path('annotations', CLASS_ANNOTATION), annotation, why));
  }
  return errors;
}

export const validateIngressUpdate = (ingress: DeepReadonly<Ingress>): field.ErrorList => validateSpec(ingress);

export function validateIngressStatus({ status }: DeepReadonly<Ingress>, old: DeepReadonly<Ingress>): field.ErrorList {
  const kept = (old.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '');
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, i) => {
    const at = field.path('status', 'loadBalancer', 'ingress').index(i);
    const errors = ip ? validateIp(ip, at.child('ip'), kept) : [];
    if (!hostname) return errors;
    for (const problem of dns1123Subdomain(hostname))
      errors.push(field.invalid(at.child('hostname'), hostname, problem));
    if (parseIpSloppy(hostname)) errors.push(field.invalid(at.child('hostname'), hostname, NOT_A_NAME));
    return errors;
  });
}

function validateSpec({ spec }: DeepReadonly<Ingress>): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  const rules = spec?.rules ?? [];
  if (rules.length === 0 && !spec?.defaultBackend) {
    errors.push(field.invalid(at, spec?.rules ?? null, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (spec?.defaultBackend) errors.push(...validateBackend(spec.defaultBackend, at.child('defaultBackend')));
  rules.forEach((rule, i) => errors.push(...validateRule(rule, at.child('rules').index(i))));
  (spec?.tls ?? []).forEach((tls, i) => errors.push(...validateTls(tls, at.child('tls').index(i))));
  const name = spec?.ingressClassName;
  if (name !== undefined) {
    for (const problem of dns1123Subdomain(name))
      errors.push(field.invalid(at.child('ingressClassName'), name, problem));
  }
  return errors;
}

/** `*.example.com` stands for one more label in front; anything else is a plain name. */
const hostProblems = (host: string) => (host.includes('*') ? wildcardDns1123Subdomain(host) : dns1123Subdomain(host));

function validateRule({ host = '', http }: DeepReadonly<IngressRule>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (host !== '') {
    if (parseIpSloppy(host)) errors.push(field.invalid(at.child('host'), host, NOT_A_NAME));
    for (const problem of hostProblems(host)) errors.push(field.invalid(at.child('host'), host, problem));
  }
  if (!http) return errors;
  const paths = at.child('http', 'paths');
  if (!http.paths?.length) return [...errors, field.required(paths)];
  http.paths.forEach((path, i) => errors.push(...validatePath(path, paths.index(i))));
  return errors;
}

function validatePath(
  { path = '', pathType, backend }: DeepReadonly<HTTPIngressPath>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const there = at.child('path');
  if (pathType === undefined || pathType === null) {
    return [field.required(at.child('pathType'), 'pathType must be specified')];
  }
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!path.startsWith('/')) errors.push(field.invalid(there, path, 'must be an absolute path'));
    for (const sequence of PATH_SEQUENCES) {
      if (path.includes(sequence)) errors.push(field.invalid(there, path, `must not contain '${sequence}'`));
    }
    for (const ending of PATH_ENDINGS) {
      if (path.endsWith(ending)) errors.push(field.invalid(there, path, `cannot end with '${ending}'`));
    }
  } else if (pathType === 'ImplementationSpecific') {
    if (path !== '' && !path.startsWith('/')) errors.push(field.invalid(there, path, 'must be an absolute path'));
  } else errors.push(field.notSupported(at.child('pathType'), pathType, PATH_TYPES));
  return [...errors, ...validateBackend(backend ?? {}, at.child('backend'))];
}

function validateBackend(
  { service, resource }: DeepReadonly<Partial<IngressBackend>>,
  at: field.Path,
): field.ErrorList {
  if (service && resource) return [field.invalid(at, '', 'cannot set both resource and service backends')];
  if (resource) return validateTypedReference(resource, at.child('resource'));
  if (!service) return [field.invalid(at, '', 'resource or service backend is required')];
  const errors: field.ErrorList = [];
  const there = at.child('service');
  if (!service.name) errors.push(field.required(there.child('name')));
  else
    for (const problem of dns1123Label(service.name))
      errors.push(field.invalid(there.child('name'), service.name, problem));
  const { name, number } = service.port ?? {};
  if (name && number) errors.push(field.invalid(at, '', 'cannot set both port name & port number'));
  else if (name) {
    for (const problem of portName(name)) errors.push(field.invalid(there.child('port', 'name'), name, problem));
  } else if (number) {
    for (const problem of portProblems(number))
      errors.push(field.invalid(there.child('port', 'number'), number, problem));
  } else errors.push(field.required(at, 'port name or number is required'));
  return errors;
}

function validateTls({ hosts, secretName }: DeepReadonly<IngressTLS>, at: field.Path): field.ErrorList {
  const errors = (hosts ?? []).flatMap((host, i) =>
    hostProblems(host).map((problem) => field.invalid(at.child('hosts').index(i), host, problem)),
  );
  if (secretName) {
    for (const problem of dns1123Subdomain(secretName))
      errors.push(field.invalid(at.child('secretName'), secretName, problem));
  }
  return errors;
}
