/** Security contexts of pods and containers. */

import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, userId } from '../../../../libs/machinery/names.ts';
import { internalJson } from '../../../meta/internal-form.ts';
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  WindowsSecurityContextOptions,
} from '../../../types/core/v1.generated.ts';
import { isEmpty } from './absent.ts';
import { descendingPath } from './paths.ts';

type Int64 = number | bigint;

const SYSCTL = '([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const SYSCTL_FORM = new RegExp(`^${SYSCTL}$`);
const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const APP_ARMOR_LENGTH_MAX = 4095;

const id = (value: Int64 | undefined, at: field.Path): field.ErrorList =>
  value === undefined ? [] : userId(value).map((text) => field.invalid(at, value, text));

/** Volumes that are mounted with a label (`MountOption`) are behind the gate SELinuxMount, which is off. */
const SE_LINUX_CHANGE_POLICIES = ['Recursive'];
const FS_GROUP_POLICIES = ['Always', 'OnRootMismatch'];
const SUPPLEMENTAL_GROUPS_POLICIES = ['Merge', 'Strict'];

const oneOf = (value: string | undefined, valid: readonly string[], at: field.Path): field.ErrorList =>
  value === undefined || valid.includes(value) ? [] : [field.notSupported(at, value, valid)];

export function validatePodSecurity(spec: DeepReadonly<PodSpec>, at: field.Path): field.ErrorList {
  const bothShared =
    spec.shareProcessNamespace && spec.hostPID
      ? [
          field.invalid(
            at.child('shareProcessNamespace'),
            true,
            'ShareProcessNamespace and HostPID cannot both be enabled',
          ),
        ]
      : [];
  // Defaults give every pod a context, most of them an empty one.
  const context: DeepReadonly<PodSecurityContext> = spec.securityContext ?? {};
  if (isEmpty(context)) return bothShared;
  return field.together(
    id(context.fsGroup, at.child('fsGroup')),
    id(context.runAsUser, at.child('runAsUser')),
    id(context.runAsGroup, at.child('runAsGroup')),
    (context.supplementalGroups ?? []).flatMap((group, i) => id(group, at.child('supplementalGroups').index(i))),
    bothShared,
    validateSysctls(context.sysctls ?? [], spec, at.child('sysctls')),
    oneOf(context.fsGroupChangePolicy, FS_GROUP_POLICIES, at.child('fsGroupChangePolicy')),
    validateSeccomp(context.seccompProfile, at.child('seccompProfile')),
    oneOf(context.seLinuxChangePolicy, SE_LINUX_CHANGE_POLICIES, at.child('seLinuxChangePolicy')),
    validateWindowsOptions(context.windowsOptions, at.child('windowsOptions')),
    validateAppArmor(context.appArmorProfile, at.child('appArmorProfile')),
    oneOf(context.supplementalGroupsPolicy, SUPPLEMENTAL_GROUPS_POLICIES, at.child('supplementalGroupsPolicy')),
  );
}

function validateSysctls(
  sysctls: DeepReadonly<NonNullable<PodSecurityContext['sysctls']>>,
  { hostNetwork, hostIPC }: DeepReadonly<PodSpec>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const names = new Set<string>();
  sysctls.forEach(({ name }, i) => {
    const here = at.index(i).child('name');
    if (!name) errors.push(field.required(here));
    else if (!isSysctl(name)) {
      errors.push(field.invalid(here, name, `must have at most 253 characters and match regex ^${SYSCTL}$`));
    } else if (names.has(name)) errors.push(field.duplicate(here, name));
    names.add(name);
    const dotted = name?.replaceAll('/', '.') ?? '';
    if (hostNetwork && dotted.startsWith('net.')) {
      errors.push(field.invalid(here, name, "may not be specified when 'hostNetwork' is true"));
    }
    if (hostIPC && /^(kernel\.shm|kernel\.msg|kernel\.sem|fs\.mqueue\.)/.test(dotted)) {
      errors.push(field.invalid(here, name, "may not be specified when 'hostIPC' is true"));
    }
  });
  return errors;
}

const isSysctl = (name: string) => name.length <= 253 && SYSCTL_FORM.test(name);

/** `hostUsers`: whether users in the pod are those of the host; an unmasked /proc needs users of its own. */
export function validateContainerSecurity(
  context: DeepReadonly<SecurityContext> | undefined,
  hostUsers: boolean,
  at: field.Path,
): field.ErrorList {
  if (!context) return [];
  const { procMount, privileged, allowPrivilegeEscalation, capabilities } = context;
  const errors = [
    ...id(context.runAsUser, at.child('runAsUser')),
    ...id(context.runAsGroup, at.child('runAsGroup')),
    ...oneOf(procMount, ['Default', 'Unmasked'], at.child('procMount')),
  ];
  if (procMount === 'Unmasked' && hostUsers) {
    errors.push(field.invalid(at.child('procMount'), procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  if (allowPrivilegeEscalation === false) {
    const shown = () => field.verbatim(internalJson('core.v1.SecurityContext', context));
    const cannot = (what: string) =>
      errors.push(field.invalid(at, shown(), `cannot set \`allowPrivilegeEscalation\` to false and ${what}`));
    if (privileged) cannot('`privileged` to true');
    if (capabilities?.add?.includes('CAP_SYS_ADMIN')) cannot('`capabilities.Add` CAP_SYS_ADMIN');
  }
  return [
    ...errors,
    ...validateWindowsOptions(context.windowsOptions, at.child('windowsOptions')),
    ...validateSeccomp(context.seccompProfile, at.child('seccompProfile')),
    ...validateAppArmor(context.appArmorProfile, at.child('appArmorProfile')),
  ];
}

export function validateSeccomp(profile: DeepReadonly<SeccompProfile> | undefined, at: field.Path): field.ErrorList {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  const fileAt = at.child('localhostProfile');
  if (!type) return [field.required(at.child('type'), 'type is required when seccompProfile is set')];
  const errors: field.ErrorList = [];
  if (type === 'Localhost') {
    if (!localhostProfile) return [field.required(fileAt, 'must be set when seccomp type is Localhost')];
    errors.push(...descendingPath(localhostProfile, fileAt));
  } else if (localhostProfile !== undefined) {
    const shown = { Type: type, LocalhostProfile: localhostProfile };
    errors.push(field.invalid(fileAt, shown, 'can only be set when seccomp type is Localhost'));
  }
  return [...errors, ...oneOf(type, PROFILE_TYPES, at.child('type'))];
}

export function validateAppArmor(profile: DeepReadonly<AppArmorProfile> | undefined, at: field.Path): field.ErrorList {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  const nameAt = at.child('localhostProfile');
  if (!type) return [field.required(at.child('type'), 'type is required when appArmorProfile is set')];
  if (!PROFILE_TYPES.includes(type)) return [field.notSupported(at.child('type'), type, PROFILE_TYPES)];
  if (type !== 'Localhost') {
    if (localhostProfile === undefined) return [];
    return [field.invalid(nameAt, localhostProfile, 'can only be set when AppArmor type is Localhost')];
  }
  if (!localhostProfile) return [field.required(nameAt, 'must be set when AppArmor type is Localhost')];
  const errors: field.ErrorList = [];
  if (localhostProfile.trim() !== localhostProfile) {
    errors.push(field.invalid(nameAt, localhostProfile, 'must not be padded with whitespace'));
  } else if (localhostProfile.trim() === '')
    errors.push(field.required(nameAt, 'must be set when AppArmor type is Localhost'));
  if (localhostProfile.length > APP_ARMOR_LENGTH_MAX) errors.push(field.tooLong(nameAt, APP_ARMOR_LENGTH_MAX));
  return errors;
}

const CREDENTIAL_SPEC_BYTES_MAX = 64 * 1024;
const USER_LENGTH_MAX = 104;
const DOMAIN_LENGTH_MAX = 256;

function validateWindowsOptions(
  options: DeepReadonly<WindowsSecurityContextOptions> | undefined,
  at: field.Path,
): field.ErrorList {
  if (!options) return [];
  const { gmsaCredentialSpecName: specName, gmsaCredentialSpec: spec, runAsUserName: user } = options;
  const errors: field.ErrorList = [];
  if (specName !== undefined) {
    const here = at.child('gmsaCredentialSpecName');
    for (const text of dns1123Subdomain(specName)) errors.push(field.invalid(here, specName, text));
  }
  if (spec !== undefined) {
    const here = at.child('gmsaCredentialSpec');
    if (spec === '') errors.push(field.invalid(here, spec, 'gmsaCredentialSpec cannot be an empty string'));
    else if (spec.length > CREDENTIAL_SPEC_BYTES_MAX) {
      const size = `${CREDENTIAL_SPEC_BYTES_MAX / 1024} KiB`;
      errors.push(field.invalid(here, spec, `gmsaCredentialSpec size must be under ${size}`));
    }
  }
  if (user !== undefined) errors.push(...validateWindowsUser(user, at.child('runAsUserName')));
  return errors;
}

/** `DOMAIN\User` or `User`. */
function validateWindowsUser(text: string, at: field.Path): field.ErrorList {
  const wrong = (detail: string) => [field.invalid(at, text, detail)];
  if (text === '') return wrong('runAsUserName cannot be an empty string');
  if (/[\x00-\x1f\x7f]/.test(text)) return wrong('runAsUserName cannot contain control characters');
  const parts = text.split('\\');
  if (parts.length > 2) return wrong('runAsUserName cannot contain more than one backslash');
  const user = parts.at(-1) as string;
  const domain = parts.length === 2 ? (parts[0] as string) : undefined;
  if (domain !== undefined) {
    if (domain.length >= DOMAIN_LENGTH_MAX) {
      return wrong(`runAsUserName's Domain length must be under ${DOMAIN_LENGTH_MAX} characters`);
    }
    if (!/^[a-zA-Z0-9][a-zA-Z0-9.-]*$/.test(domain)) {
      return wrong("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
  }
  if (user === '') return wrong("runAsUserName's User cannot be empty");
  if (user.length > USER_LENGTH_MAX) {
    return wrong(`runAsUserName's User length must not be longer than ${USER_LENGTH_MAX} characters`);
  }
  if (/^[. ]+$/.test(user)) return wrong("runAsUserName's User cannot contain only periods or spaces");
  return /["/\\:;|=,+*?<>@[\]]/.test(user)
    ? wrong('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]')
    : [];
}
