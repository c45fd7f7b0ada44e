import type { ConfigMap, EnvVarSource, Secret, Service } from '../../../api/types/core/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { envVarName } from '../../../libs/machinery/names.ts';
import type { PodContainer } from '../pod/objects.ts';
import { ConfigError } from './errors.ts';
import { expandVariables } from './expand.ts';
import { type FieldSource, fieldValue, resourceValue } from './fields.ts';

export interface EnvSource extends FieldSource {
  configMap(name: string): DeepReadonly<ConfigMap> | undefined;
  secret(name: string): DeepReadonly<Secret> | undefined;
  /** Variables of a file in a volume of the pod; undefined where there is no such file. Throws `ConfigError`. */
  file(volumeName: string, path: string): ReadonlyMap<string, string> | undefined;
  readonly services: readonly DeepReadonly<Service>[];
}

export interface EnvReferences {
  readonly configMaps: readonly string[];
  readonly secrets: readonly string[];
  readonly files: readonly { readonly volumeName: string; readonly path: string }[];
}

/** What a container's environment is made of. */
export function envReferences(container: PodContainer): EnvReferences {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef?.name) configMaps.add(configMapRef.name);
    if (secretRef?.name) secrets.add(secretRef.name);
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.configMapKeyRef?.name) configMaps.add(valueFrom.configMapKeyRef.name);
    if (valueFrom?.secretKeyRef?.name) secrets.add(valueFrom.secretKeyRef.name);
  }
  const files = (container.env ?? []).flatMap(({ valueFrom }) => valueFrom?.fileKeyRef ?? []);
  return { configMaps: [...configMaps], secrets: [...secrets], files };
}

/**
 * The environment of a container: what `envFrom` gives, then `env`, which may refer to what stands before it, then the
 * services of the namespace, where nothing else has their names. Throws `ConfigError` for what is missing.
 */
export function buildEnv(source: EnvSource, container: PodContainer): Map<string, string> {
  const env = new Map<string, string>();
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    for (const [key, value] of fromAll(source, configMapRef, secretRef)) {
      const name = prefix + key;
      if (envVarName(name).length === 0) env.set(name, value);
    }
  }
  const links = serviceEnv(source);
  const lookup = (name: string) => env.get(name) ?? links.get(name);
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (!valueFrom) env.set(name, expandVariables(value ?? '', lookup));
    else {
      const found = fromSource(source, container, valueFrom);
      if (found !== undefined) env.set(name, found);
    }
  }
  for (const [name, value] of links) if (!env.has(name)) env.set(name, value);
  return env;
}

type Reference = DeepReadonly<{ name?: string; optional?: boolean }> | undefined;

function fromAll(source: EnvSource, configMapRef: Reference, secretRef: Reference): [string, string][] {
  const out: [string, string][] = [];
  if (configMapRef) {
    const found = source.configMap(configMapRef.name ?? '');
    if (!found && !configMapRef.optional) throw new ConfigError(`configmap "${configMapRef.name ?? ''}" not found`);
    for (const key of Object.keys(found?.data ?? {}).sort()) out.push([key, found?.data?.[key] ?? '']);
  }
  if (secretRef) {
    const found = source.secret(secretRef.name ?? '');
    if (!found && !secretRef.optional) throw new ConfigError(`secret "${secretRef.name ?? ''}" not found`);
    for (const key of Object.keys(found?.data ?? {}).sort()) out.push([key, textOf(found?.data?.[key] ?? '')]);
  }
  return out;
}

function fromSource(source: EnvSource, container: PodContainer, from: DeepReadonly<EnvVarSource>): string | undefined {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = from;
  if (fieldRef) return fieldValue(source, fieldRef.fieldPath);
  if (resourceFieldRef) {
    const { containerName, resource, divisor } = resourceFieldRef;
    const { pod } = source;
    const named = containerName
      ? [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find(
          ({ name }) => name === containerName,
        )
      : container;
    if (!named) throw new ConfigError(`container ${containerName} not found`);
    return resourceValue(source, named, resource, divisor);
  }
  const { namespace = '' } = source.pod.metadata ?? {};
  if (configMapKeyRef) {
    const { name = '', key, optional } = configMapKeyRef;
    const found = source.configMap(name);
    if (!found && !optional) throw new ConfigError(`configmap "${name}" not found`);
    const value = found?.data && Object.hasOwn(found.data, key) ? found.data[key] : undefined;
    if (found && value === undefined && !optional) {
      throw new ConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    }
    return value;
  }
  if (secretKeyRef) {
    const { name = '', key, optional } = secretKeyRef;
    const found = source.secret(name);
    if (!found && !optional) throw new ConfigError(`secret "${name}" not found`);
    const value = found?.data && Object.hasOwn(found.data, key) ? found.data[key] : undefined;
    if (found && value === undefined && !optional) {
      throw new ConfigError(`couldn't find key ${key} in Secret ${namespace}/${name}`);
    }
    return value === undefined ? undefined : textOf(value);
  }
  if (fileKeyRef) {
    const { volumeName, path, key, optional } = fileKeyRef;
    const file = source.file(volumeName, path);
    const value = file?.get(key);
    if (value !== undefined || optional) return value;
    throw new ConfigError(
      file
        ? `environment variable key "${key}" not found in file "${path}"`
        : `file "${path}" not found in volume "${volumeName}"`,
    );
  }
  throw new ConfigError('this source of an environment variable is not supported on this node');
}

const textOf = (base64: string): string => new TextDecoder().decode(decodeBase64(base64) ?? new Uint8Array(0));

/** The variables that point to services, as links between containers were once told. */
function serviceEnv({ pod, services }: EnvSource): Map<string, string> {
  const env = new Map<string, string>();
  const { namespace } = pod.metadata ?? {};
  for (const { metadata, spec } of services) {
    const ip = spec?.clusterIP;
    if (!ip || ip === 'None') continue;
    const name = metadata.name ?? '';
    // The API server's is told to everyone, the others only where links are wanted.
    const isMaster = metadata.namespace === 'default' && name === 'kubernetes';
    if (!isMaster && (metadata.namespace !== namespace || pod.spec?.enableServiceLinks === false)) continue;
    const prefix = name.toUpperCase().replaceAll('-', '_');
    const ports = spec?.ports ?? [];
    const first = ports[0];
    if (!first) continue;
    env.set(`${prefix}_SERVICE_HOST`, ip);
    env.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of ports) {
      if (port.name)
        env.set(`${prefix}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    }
    const host = ip.includes(':') ? `[${ip}]` : ip;
    for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
      const url = `${protocol.toLowerCase()}://${host}:${port}`;
      const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
      if (index === 0) env.set(`${prefix}_PORT`, url);
      env.set(link, url);
      env.set(`${link}_PROTO`, protocol.toLowerCase());
      env.set(`${link}_PORT`, String(port));
      env.set(`${link}_ADDR`, ip);
    }
  }
  return env;
}
