/** Who makes the volumes, in StorageClasses and in annotations. */
export const PROVISIONER = 'tutti.io/local-path';
/** The default StorageClass of a cluster of Tutti's. */
export const CLASS_NAME = 'local-path';
/** The provisioner's service account, in `kube-system`. */
export const ACCOUNT = 'local-path-provisioner';
/** On a Node: the folder below which its volumes lie. Written by the node itself. */
export const DIRECTORY_ANNOTATION = 'volume.tutti.io/local-path-directory';
/** On a volume: the kubelet makes the folder, with this mode. */
export const DIRECTORY_MODE_ANNOTATION = 'volume.tutti.io/directory-mode';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
