/**
 * Defaults of a pod's spec, wherever one stands: in a Pod, or in the template of a workload. Rules from the API reference
 * of Pod v1 core; each fills only what was left out.
 */
import type {
  Container,
  EphemeralContainer,
  LifecycleHandler,
  PodSpec,
  Probe,
  Volume,
} from '../../types/core/v1.generated.ts';

import { roundResourceList } from './resources.ts';

/** Containers of all three kinds have these. */
type AnyContainer = Container | EphemeralContainer;

const SECRET_MODE = 0o644;
const TOKEN_SECONDS = 3600;

export function defaultPodSpec(spec: PodSpec): void {
  // A stored object's, which had its defaults.
  if (Object.isFrozen(spec)) return;
  roundResourceList(spec.resources?.limits);
  roundResourceList(spec.resources?.requests);
  roundResourceList(spec.overhead);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of allContainers(spec)) defaultContainer(container);
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  if (spec.serviceAccountName && !spec.serviceAccount) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount && !spec.serviceAccountName) spec.serviceAccountName = spec.serviceAccount;
}

function allContainers(spec: PodSpec): AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

export function defaultContainer(container: AnyContainer): void {
  container.imagePullPolicy ||= pullPolicyOf(container.image ?? '');
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  roundResourceList(container.resources.limits);
  roundResourceList(container.resources.requests);
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const variable of container.env ?? []) {
    const fieldRef = variable.valueFrom?.fieldRef;
    if (fieldRef) fieldRef.apiVersion ||= 'v1';
    const fileKeyRef = variable.valueFrom?.fileKeyRef;
    if (fileKeyRef) fileKeyRef.optional ??= false;
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe) defaultProbe(probe);
  }
  defaultHandler(container.lifecycle?.postStart);
  defaultHandler(container.lifecycle?.preStop);
}

/** An image without a tag, or with `latest`, is pulled always. A digest does not change that; an unreadable name does. */
export function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  const match =
    /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::([\w][\w.-]{0,127}))?(@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$/.exec(
      image,
    );
  if (!match) return 'IfNotPresent';
  const [, tag, digest] = match;
  if (tag === 'latest') return 'Always';
  return tag === undefined && digest === undefined ? 'Always' : 'IfNotPresent';
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  defaultHandler(probe);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHandler(handler: Pick<LifecycleHandler, 'httpGet'> | undefined): void {
  if (!handler?.httpGet) return;
  handler.httpGet.path ||= '/';
  handler.httpGet.scheme ||= 'HTTP';
}

/** A volume without a source is an empty directory. */
export function defaultVolume(volume: Volume): void {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= SECRET_MODE;
  if (volume.configMap) volume.configMap.defaultMode ??= SECRET_MODE;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= SECRET_MODE;
    for (const item of volume.downwardAPI.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= SECRET_MODE;
    for (const source of volume.projected.sources ?? []) {
      for (const item of source.downwardAPI?.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= TOKEN_SECONDS;
      if (source.podCertificate) source.podCertificate.maxExpirationSeconds ??= 86400;
    }
  }
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.iscsi) volume.iscsi.iscsiInterface ||= 'default';
  if (volume.rbd) {
    volume.rbd.pool ||= 'rbd';
    volume.rbd.user ||= 'admin';
    volume.rbd.keyring ||= '/etc/ceph/keyring';
  }
  if (volume.azureDisk) {
    volume.azureDisk.cachingMode ??= 'ReadWrite';
    volume.azureDisk.kind ??= 'Shared';
    volume.azureDisk.fsType ??= 'ext4';
    volume.azureDisk.readOnly ??= false;
  }
  if (volume.scaleIO) {
    volume.scaleIO.storageMode ||= 'ThinProvisioned';
    volume.scaleIO.fsType ||= 'xfs';
  }
  const template = volume.ephemeral?.volumeClaimTemplate;
  if (template) template.spec.volumeMode ??= 'Filesystem';
  if (volume.image) volume.image.pullPolicy ||= pullPolicyOf(volume.image.reference ?? '');
}
