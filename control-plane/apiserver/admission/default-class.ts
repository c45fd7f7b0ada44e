import { ingressClasses, storageClasses } from '../../../api/resources.ts';
import type { PersistentVolumeClaim } from '../../../api/types/core/v1.generated.ts';
import type { Ingress } from '../../../api/types/networking/v1.generated.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../../libs/kind/admission.ts';
import type { ApiObject, Live, ResourceRef } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class';
const IS_DEFAULT_BETA = 'storageclass.beta.kubernetes.io/is-default-class';
const IS_DEFAULT_INGRESS = 'ingressclass.kubernetes.io/is-default-class';
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
const INGRESS_CLASS = 'kubernetes.io/ingress.class';

const creates = (resource: string, group: string) => (request: AdmissionRequest) =>
  request.operation === 'CREATE' &&
  request.subresource === '' &&
  request.kind.resource === resource &&
  request.kind.group === group;

/** The classes marked as default, the newest first, and of one age by name. */
async function defaults<T extends ApiObject>(
  registry: Registry,
  ref: ResourceRef<T>,
  annotations: readonly string[],
): Promise<Live<T>[]> {
  const marked = (await registry.list(ref, '')).filter((one) =>
    annotations.some((name) => one.metadata.annotations?.[name] === 'true'),
  );
  const age = ({ metadata }: Live<T>) => Date.parse(metadata.creationTimestamp);
  return marked.sort((a, b) => age(b) - age(a) || (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** A claim that names no class gets the default one; `""` means none. */
export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  handles: creates('persistentvolumeclaims', ''),
  async admit(_ctx, request, registry) {
    const { spec, metadata } = request.object as PersistentVolumeClaim;
    if (!spec || spec.storageClassName !== undefined || metadata?.annotations?.[BETA_CLASS] !== undefined) return;
    const [found] = await defaults(registry, storageClasses, [IS_DEFAULT, IS_DEFAULT_BETA]);
    if (found) spec.storageClassName = found.metadata.name;
  },
};

/** The same for Ingresses. */
export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  handles: creates('ingresses', 'networking.k8s.io'),
  async admit(_ctx, request, registry) {
    const { spec, metadata } = request.object as Ingress;
    if (!spec || spec.ingressClassName !== undefined || metadata?.annotations?.[INGRESS_CLASS] !== undefined) return;
    const [first] = await defaults(registry, ingressClasses, [IS_DEFAULT_INGRESS]);
    if (first) spec.ingressClassName = first.metadata.name;
  },
};
