import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain } from '../../../libs/machinery/names.ts';
import { defaultPersistentVolumeSource } from '../../core/persistentvolume/defaults.ts';
import { validatePersistentVolumeSpec } from '../../core/persistentvolume/validation.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type { VolumeAttachment, VolumeAttachmentSource } from '../../types/storage/v1.generated.ts';
import { validateCSIDriverName } from '../parameters.ts';

const MESSAGE_BYTES_MAX = 1024;
const METADATA_BYTES_MAX = 256 * 1024;
const ONE_SOURCE = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';

export const strategy: Strategy<VolumeAttachment> = {
  deleteReturnsObject: true,
  resetFields: ['status'],
  defaults({ spec }) {
    if (spec?.source?.inlineVolumeSpec) defaultPersistentVolumeSource(spec.source.inlineVolumeSpec);
  },
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateVolumeAttachment,
  validateUpdate(draft, old) {
    const shown = field.verbatim(internalJson('storage.v1.VolumeAttachmentSpec', draft.spec));
    return [...validateVolumeAttachment(draft), ...validateImmutable(draft.spec, old.spec, 'spec', shown)];
  },
};

export const statusStrategy: StatusSubresource<VolumeAttachment>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
  validateUpdate: validateStatus,
};

function validateVolumeAttachment(draft: DeepReadonly<VolumeAttachment>): field.ErrorList {
  const at = field.path('spec');
  const { attacher = '', nodeName = '', source } = draft.spec ?? {};
  return [
    ...validateCSIDriverName(attacher, at.child('attacher')),
    ...validateSource(source ?? {}, at.child('source')),
    ...dns1123Subdomain(nodeName).map((problem) => field.invalid(at.child('nodeName'), nodeName, problem)),
    ...validateStatus(draft),
  ];
}

function validateSource(source: DeepReadonly<VolumeAttachmentSource>, at: field.Path): field.ErrorList {
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = source;
  if (name === undefined && !inline) return [field.required(at, ONE_SOURCE)];
  if (name !== undefined && inline) return [field.forbidden(at, ONE_SOURCE)];
  if (inline) return validatePersistentVolumeSpec(inline, at.child('inlineVolumeSpec'), true);
  const there = at.child('persistentVolumeName');
  const errors = name === '' ? [field.required(there, 'must specify non empty persistentVolumeName')] : [];
  return [...errors, ...dns1123Subdomain(name ?? '').map((problem) => field.invalid(there, name, problem))];
}

function validateStatus({ status }: DeepReadonly<VolumeAttachment>): field.ErrorList {
  const at = field.path('status');
  const encoder = new TextEncoder();
  const errors: field.ErrorList = [];
  const bytes = Object.entries(status?.attachmentMetadata ?? {}).reduce(
    (sum, [key, value]) => sum + encoder.encode(key).length + encoder.encode(value).length,
    0,
  );
  if (bytes > METADATA_BYTES_MAX) errors.push(field.tooLong(at.child('attachmentMetadata'), METADATA_BYTES_MAX));
  for (const part of ['attachError', 'detachError'] as const) {
    if (encoder.encode(status?.[part]?.message ?? '').length <= MESSAGE_BYTES_MAX) continue;
    errors.push(field.tooLong(at.child(part, 'message'), MESSAGE_BYTES_MAX));
  }
  return errors;
}
