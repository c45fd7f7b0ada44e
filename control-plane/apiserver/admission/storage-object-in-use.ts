import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';

const FINALIZERS: Readonly<Record<string, string>> = Object.freeze({
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
});

const finalizerOf = (kind: { readonly group: string; readonly resource: string }) => {
  const key = `${kind.group}/${kind.resource}`;
  return Object.hasOwn(FINALIZERS, key) ? FINALIZERS[key] : undefined;
};

/** Volumes, claims and their attributes are born with a finalizer, so that they outlive those who use them. */
export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: ({ operation, kind, subresource }) =>
    operation === 'CREATE' && subresource === '' && finalizerOf(kind) !== undefined,
  admit(_ctx, request) {
    const finalizer = finalizerOf(request.kind);
    if (!request.object || !finalizer) return;
    const metadata = (request.object.metadata ??= {});
    if (!metadata.finalizers?.includes(finalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};
