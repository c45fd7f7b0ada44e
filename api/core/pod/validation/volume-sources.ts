/** What each kind of volume asks for. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain } from '../../../../libs/machinery/names.ts';
import { mustParseQuantity, signOfQuantity } from '../../../../libs/machinery/quantity.ts';
import type { Volume } from '../../../types/core/v1.generated.ts';
import { validateClaimTemplate } from './claim-template.ts';
import { descendingPath, fileMode } from './paths.ts';
import { validateDownwardItems, validateKeyPaths, validateProjected } from './projections.ts';
import { needs, required, SHARED_RULES, type SourceRule, storageosNames } from './source-rules.ts';

type Seen = DeepReadonly<Volume>;

/** In the order in which they are looked for: of several the first counts. */
export const VOLUME_SOURCES = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof Volume)[];

export type VolumeSource = (typeof VOLUME_SOURCES)[number];

export function validateSource(volume: Seen, source: VolumeSource, at: field.Path): field.ErrorList {
  const here = at.child(source === 'gcePersistentDisk' ? 'persistentDisk' : source);
  return (RULES[source] as SourceRule)(volume[source], here);
}

const rule = <S extends VolumeSource>(
  check: (source: NonNullable<Seen[S]>, at: field.Path) => field.ErrorList,
): SourceRule => check as SourceRule;

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

const RULES: Partial<Record<VolumeSource, SourceRule>> = {
  ...SHARED_RULES,
  persistentVolumeClaim: needs('claimName'),
  azureFile: needs('secretName', 'shareName'),
  emptyDir: rule<'emptyDir'>(({ sizeLimit }, at) =>
    sizeLimit !== undefined && signOfQuantity(mustParseQuantity(sizeLimit)) < 0
      ? [field.forbidden(at.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')]
      : [],
  ),
  gitRepo: rule<'gitRepo'>((source, at) => [
    ...required(source, ['repository'], at),
    ...descendingPath(source.directory ?? '', at.child('directory')),
  ]),
  secret: rule<'secret'>((source, at) => [
    ...required(source, ['secretName'], at),
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateKeyPaths(source.items ?? [], at.child('items')),
  ]),
  configMap: rule<'configMap'>((source, at) => [
    ...required(source, ['name'], at),
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateKeyPaths(source.items ?? [], at.child('items')),
  ]),
  cinder: rule<'cinder'>((source, at) => [
    ...required(source, ['volumeID'], at),
    ...(source.secretRef ? required(source.secretRef, ['name'], at.child('secretRef')) : []),
  ]),
  downwardAPI: rule<'downwardAPI'>((source, at) => [
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateDownwardItems(source.items ?? [], at),
  ]),
  storageos: rule<'storageos'>((source, at) => {
    const errors = storageosNames(source, at);
    if (source.secretRef) errors.push(...required(source.secretRef, ['name'], at.child('secretRef')));
    return errors;
  }),
  projected: rule<'projected'>((source, at) =>
    field.together(fileMode(source.defaultMode, at.child('defaultMode')), validateProjected(source.sources ?? [], at)),
  ),
  csi: rule<'csi'>(({ driver, nodePublishSecretRef }, at) => {
    const errors = validateDriver(driver ?? '', at.child('driver'));
    if (!nodePublishSecretRef) return errors;
    const { name } = nodePublishSecretRef;
    // Neither of the two paths is the field's: they are what clients of upstream have come to see.
    if (!name) return [...errors, field.required(at.child('nodePublishSecretRef ', 'name'))];
    return [...errors, ...dns1123Subdomain(name).map((text) => field.invalid(at.child('name'), name, text))];
  }),
  ephemeral: rule<'ephemeral'>(({ volumeClaimTemplate }, at) =>
    volumeClaimTemplate
      ? validateClaimTemplate(volumeClaimTemplate, at.child('volumeClaimTemplate'))
      : [field.required(at.child('volumeClaimTemplate'))],
  ),
  image: rule<'image'>(({ reference, pullPolicy }, at) => {
    const errors = required({ reference }, ['reference'], at);
    if (pullPolicy && !PULL_POLICIES.includes(pullPolicy)) {
      errors.push(field.notSupported(at.child('pullPolicy'), pullPolicy, PULL_POLICIES));
    }
    return errors;
  }),
};

const DRIVER_LENGTH_MAX = 63;

/** The name of a CSI driver. */
export function validateDriver(driver: string, at: field.Path): field.ErrorList {
  if (driver === '') return [field.required(at)];
  const errors: field.ErrorList = driver.length > DRIVER_LENGTH_MAX ? [field.tooLong(at, DRIVER_LENGTH_MAX)] : [];
  for (const text of dns1123Subdomain(driver.toLowerCase())) errors.push(field.invalid(at, driver, text));
  return errors;
}
