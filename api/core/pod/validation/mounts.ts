/** Where containers see volumes: as files (`volumeMounts`) and as block devices (`volumeDevices`). */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import type { Container, VolumeDevice, VolumeMount } from '../../../types/core/v1.generated.ts';
import { descendingPath } from './paths.ts';
import type { Volumes } from './volumes.ts';

type Mounting = DeepReadonly<Pick<Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>>;

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];
const RECURSIVE = ['Disabled', 'Enabled', 'IfPossible'];

export function validateMounts(container: Mounting, volumes: Volumes, at: field.Path): field.ErrorList {
  const devices = container.volumeDevices ?? [];
  const places = new Set<string>();
  const errors: field.ErrorList = [];
  (container.volumeMounts ?? []).forEach((mount, i) => {
    const here = at.index(i);
    const { name = '', mountPath = '', subPath, subPathExpr } = mount;
    if (name === '') errors.push(field.required(here.child('name')));
    if (!volumes.has(name)) errors.push(field.notFound(here.child('name'), name));
    if (mountPath === '') errors.push(field.required(here.child('mountPath')));
    if (places.has(mountPath)) errors.push(field.invalid(here.child('mountPath'), mountPath, 'must be unique'));
    places.add(mountPath);
    if (devices.some((device) => device.name === name)) {
      errors.push(field.invalid(here.child('name'), name, 'must not already exist in volumeDevices'));
    }
    if (devices.some((device) => device.devicePath === mountPath)) {
      errors.push(
        field.invalid(here.child('mountPath'), mountPath, 'must not already exist as a path in volumeDevices'),
      );
    }
    // From here on upstream's errors do not say which mount it is.
    if (subPath) errors.push(...descendingPath(subPath, at.child('subPath')));
    if (subPathExpr) {
      if (subPath) {
        const place = here.child('subPathExpr');
        errors.push(field.invalid(place, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
      }
      errors.push(...descendingPath(subPathExpr, at.child('subPathExpr')));
    }
    errors.push(...validatePropagation(mount, container, at.child('mountPropagation')));
    errors.push(...validateRecursive(mount, at.child('recursiveReadOnly')));
  });
  return errors;
}

function validatePropagation(
  { mountPropagation: propagation }: DeepReadonly<VolumeMount>,
  { securityContext }: Mounting,
  at: field.Path,
): field.ErrorList {
  if (propagation === undefined) return [];
  if (!PROPAGATIONS.includes(propagation)) return [field.notSupported(at, propagation, PROPAGATIONS)];
  if (propagation !== 'Bidirectional' || securityContext?.privileged) return [];
  return [field.forbidden(at, 'Bidirectional mount propagation is available only to privileged containers')];
}

function validateRecursive(mount: DeepReadonly<VolumeMount>, at: field.Path): field.ErrorList {
  const { recursiveReadOnly, readOnly, mountPropagation } = mount;
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return [];
  if (!RECURSIVE.includes(recursiveReadOnly)) return [field.notSupported(at, recursiveReadOnly, RECURSIVE)];
  const errors: field.ErrorList = [];
  if (!readOnly) errors.push(field.forbidden(at, 'may only be specified when readOnly is true'));
  if (mountPropagation !== undefined && mountPropagation !== 'None') {
    errors.push(field.forbidden(at, 'may only be specified when mountPropagation is None or not specified'));
  }
  return errors;
}

export function validateDevices(
  devices: DeepReadonly<VolumeDevice[]>,
  mounts: DeepReadonly<VolumeMount[]>,
  volumes: Volumes,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const names = new Set<string>();
  const paths = new Set<string>();
  devices.forEach(({ name = '', devicePath = '' }, i) => {
    const [nameAt, pathAt] = [at.index(i).child('name'), at.index(i).child('devicePath')];
    const volume = volumes.get(name);
    if (name === '') errors.push(field.required(nameAt));
    if (names.has(name)) errors.push(field.invalid(nameAt, name, 'must be unique'));
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral) {
      const kinds = 'PersistentVolumeClaim or Ephemeral';
      errors.push(field.invalid(nameAt, name, `can only use volume source type of ${kinds} for block mode`));
    }
    if (!volume) errors.push(field.notFound(nameAt, name));
    if (devicePath === '') errors.push(field.required(pathAt));
    if (paths.has(devicePath)) errors.push(field.invalid(pathAt, devicePath, 'must be unique'));
    if (devicePath.split('/').includes('..')) {
      errors.push(field.invalid(pathAt, devicePath, "can not contain backsteps ('..')"));
    } else paths.add(devicePath);
    if (mounts.some((mount) => mount.name === name)) {
      errors.push(field.invalid(nameAt, name, 'must not already exist in volumeMounts'));
    }
    if (mounts.some((mount) => mount.mountPath === devicePath)) {
      errors.push(field.invalid(pathAt, devicePath, 'must not already exist as a path in volumeMounts'));
    }
    names.add(name);
  });
  return errors;
}
