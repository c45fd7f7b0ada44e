/** The restricted level of the Pod Security Standards: what hardened pods look like. */
import type { Volume } from '../../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import {
  type AnyContainer,
  type Check,
  containers,
  containersOf,
  isRelaxed,
  isWindows,
  namesWhere,
  plural,
  quoted,
  setters,
  sortedSet,
} from './check.ts';

/** Since this version, pods that say they run on Windows need not set what Windows does not know. */
const WINDOWS_SINCE = 25;

const VOLUME_TYPES: ReadonlySet<string> = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const allowPrivilegeEscalation: Check = {
  id: 'allowPrivilegeEscalation',
  level: 'restricted',
  since: 8,
  check({ spec }, minor) {
    if (minor >= WINDOWS_SINCE && isWindows(spec)) return undefined;
    const names = namesWhere(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
    if (names.length === 0) return undefined;
    return {
      reason: 'allowPrivilegeEscalation != false',
      detail: `${containers(names)} must set securityContext.allowPrivilegeEscalation=false`,
    };
  },
};

const capabilities: Check = {
  id: 'capabilities_restricted',
  level: 'restricted',
  since: 22,
  replaces: 'capabilities_baseline',
  check({ spec }, minor) {
    if (minor >= WINDOWS_SINCE && isWindows(spec)) return undefined;
    const keeping = namesWhere(
      spec,
      ({ securityContext }) => !(securityContext?.capabilities?.drop ?? []).includes('ALL'),
    );
    const added = ({ securityContext }: AnyContainer) =>
      (securityContext?.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
    const adding = namesWhere(spec, (container) => added(container).length > 0);
    const details: string[] = [];
    if (keeping.length > 0) details.push(`${containers(keeping)} must set securityContext.capabilities.drop=["ALL"]`);
    if (adding.length > 0) {
      const all = sortedSet(containersOf(spec).flatMap(added));
      details.push(`${containers(adding)} must not include ${quoted(all)} in securityContext.capabilities.add`);
    }
    return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
  },
};

const volumeType = (volume: DeepReadonly<Volume>): string => Object.keys(volume).find((key) => key !== 'name') ?? '';

const restrictedVolumes: Check = {
  id: 'restrictedVolumes',
  level: 'restricted',
  since: 0,
  replaces: 'hostPathVolumes',
  check({ spec }) {
    const bad = (spec.volumes ?? []).filter((volume) => !VOLUME_TYPES.has(volumeType(volume)));
    if (bad.length === 0) return undefined;
    const types = sortedSet(bad.map((volume) => volumeType(volume) || 'unknown'));
    const names = quoted(bad.map(({ name }) => name));
    const volumes = `${plural('volume', 'volumes', bad.length)} ${names} ${plural('uses', 'use', bad.length)}`;
    const what = plural('restricted volume type', 'restricted volume types', types.length);
    return { reason: 'restricted volume types', detail: `${volumes} ${what} ${quoted(types)}` };
  },
};

const runAsNonRoot: Check = {
  id: 'runAsNonRoot',
  level: 'restricted',
  since: 0,
  check({ spec }, minor) {
    if (isRelaxed(spec, minor)) return undefined;
    const reason = 'runAsNonRoot != true';
    const pod = spec.securityContext?.runAsNonRoot;
    const explicit = namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
    const silent = namesWhere(
      spec,
      ({ securityContext }) => (securityContext?.runAsNonRoot ?? undefined) === undefined,
    );
    // A pod that says no harms only the containers that do not say for themselves.
    const podIsBad = pod === false && silent.length > 0;
    if (podIsBad || explicit.length > 0) {
      return { reason, detail: `${setters(podIsBad, explicit)} must not set securityContext.runAsNonRoot=false` };
    }
    if (pod === true || silent.length === 0) return undefined;
    return { reason, detail: `pod or ${containers(silent)} must set securityContext.runAsNonRoot=true` };
  },
};

const runAsUser: Check = {
  id: 'runAsUser',
  level: 'restricted',
  since: 23,
  check({ spec }, minor) {
    if (isRelaxed(spec, minor)) return undefined;
    const isRoot = (user: number | bigint | undefined) => user !== undefined && Number(user) === 0;
    const pod = isRoot(spec.securityContext?.runAsUser);
    const names = namesWhere(spec, ({ securityContext }) => isRoot(securityContext?.runAsUser));
    if (!pod && names.length === 0) return undefined;
    return { reason: 'runAsUser=0', detail: `${setters(pod, names)} must not set runAsUser=0` };
  },
};

const seccompProfile: Check = {
  id: 'seccompProfile_restricted',
  level: 'restricted',
  since: 19,
  replaces: 'seccompProfile_baseline',
  check({ spec }, minor) {
    if (minor >= WINDOWS_SINCE && isWindows(spec)) return undefined;
    const reason = 'seccompProfile';
    const isGood = (type: string | undefined) => type === 'RuntimeDefault' || type === 'Localhost';
    const pod = spec.securityContext?.seccompProfile?.type;
    const typeOf = ({ securityContext }: AnyContainer) => securityContext?.seccompProfile?.type;
    const explicit = namesWhere(spec, (container) => typeOf(container) !== undefined && !isGood(typeOf(container)));
    const silent = namesWhere(spec, (container) => typeOf(container) === undefined);
    const podIsBad = pod !== undefined && !isGood(pod);
    if (podIsBad || explicit.length > 0) {
      const types = [pod, ...containersOf(spec).map(typeOf)];
      const values = sortedSet(types.filter((type): type is string => type !== undefined && !isGood(type)));
      const set = setters(podIsBad, explicit);
      return { reason, detail: `${set} must not set securityContext.seccompProfile.type to ${quoted(values)}` };
    }
    if (pod !== undefined || silent.length === 0) return undefined;
    const wanted = 'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
    return { reason, detail: `pod or ${containers(silent)} must set ${wanted}` };
  },
};

/** By their ids: the order of messages. */
export const RESTRICTED: readonly Check[] = Object.freeze([
  allowPrivilegeEscalation,
  capabilities,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seccompProfile,
]);
