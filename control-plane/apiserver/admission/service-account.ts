import { serviceAccounts } from '../../../api/resources.ts';
import type { Pod, PodSpec, ServiceAccount, Volume } from '../../../api/types/core/v1.generated.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { randomSuffix } from '../../../libs/machinery/names.ts';
import { refused } from './refusal.ts';

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const ENFORCE_SECRETS = 'kubernetes.io/enforce-mountable-secrets';
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
/** An hour and a little, so that a token that is renewed at 80 % of an hour is never seen as an hour's. */
const TOKEN_SECONDS = 3607;

/**
 * Gives a pod its service account: the `default` one where none is named, its image pull secrets where the pod has none,
 * and, unless pod or account say no, a volume with a token, the cluster's authority and the namespace's name.
 */
export function serviceAccountAdmission(random: Random): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    handles: ({ operation, kind, subresource }) =>
      operation === 'CREATE' && subresource === '' && kind.resource === 'pods' && kind.group === '',
    async admit(_ctx, request, registry) {
      const pod = request.object as Pod;
      const { spec } = pod;
      if (!spec) return;
      if (Object.hasOwn(pod.metadata?.annotations ?? {}, MIRROR_ANNOTATION)) {
        refuseMirror(spec, (why) => refused(request, why));
        return;
      }
      spec.serviceAccountName ||= 'default';
      spec.serviceAccount = spec.serviceAccountName;
      const account = await registry.get(serviceAccounts, request.namespace, spec.serviceAccountName);
      if (!account) {
        const name = spec.serviceAccountName;
        throw refused(
          request,
          `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`,
        );
      }
      checkSecrets(spec, account, (why) => refused(request, why));
      if (wantsToken(spec, account)) mountToken(spec, random);
      if ((spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets) {
        spec.imagePullSecrets = structuredClone(account.imagePullSecrets) as PodSpec['imagePullSecrets'];
      }
    },
  };
}

/** A mirror pod shows what a node runs from a file: it cannot have what only the API gives. */
function refuseMirror(spec: PodSpec, refuse: (why: string) => Error): void {
  if (spec.serviceAccountName) throw refuse('a mirror pod may not reference service accounts');
  for (const volume of spec.volumes ?? []) {
    if (volume.secret) throw refuse('a mirror pod may not reference secrets');
    if (volume.projected?.sources?.some((source) => source.serviceAccountToken)) {
      throw refuse('a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

/** An account that says so lets pods use only the secrets that it lists. */
function checkSecrets(spec: PodSpec, account: DeepReadonly<ServiceAccount>, refuse: (why: string) => Error): void {
  if (account.metadata?.annotations?.[ENFORCE_SECRETS] !== 'true') return;
  const name = account.metadata.name;
  const listed = new Set((account.secrets ?? []).map((secret) => secret.name));
  const because = (what: string, kind = 'secret') =>
    refuse(`${what} is not allowed because service account ${name} does not reference that ${kind}`);
  for (const { secret } of spec.volumes ?? []) {
    if (secret && !listed.has(secret.secretName)) {
      throw because(`volume with secret.secretName="${secret.secretName ?? ''}"`);
    }
  }
  for (const [kind, containers] of [
    ['init container', spec.initContainers],
    ['container', spec.containers],
  ] as const) {
    for (const container of containers ?? []) {
      for (const env of container.env ?? []) {
        const ref = env.valueFrom?.secretKeyRef;
        if (!ref || listed.has(ref.name)) continue;
        throw because(
          `${kind} ${container.name} with envVar ${env.name} referencing secret.secretName="${ref.name ?? ''}"`,
        );
      }
      for (const { secretRef } of container.envFrom ?? []) {
        if (!secretRef || listed.has(secretRef.name)) continue;
        throw because(`${kind} ${container.name} with envFrom referencing secret.secretName="${secretRef.name ?? ''}"`);
      }
    }
  }
  const pullable = new Set((account.imagePullSecrets ?? []).map((secret) => secret.name));
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (!pullable.has(secret.name)) {
      throw because(`imagePullSecrets[${i}].name="${secret.name ?? ''}"`, 'imagePullSecret');
    }
  }
}

const wantsToken = (spec: PodSpec, account: DeepReadonly<ServiceAccount>) =>
  spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;

function mountToken(spec: PodSpec, random: Random): void {
  const taken = new Set((spec.volumes ?? []).map((volume) => volume.name));
  let name = [...taken].find((one) => one.startsWith(VOLUME_PREFIX));
  const made = name === undefined;
  while (name === undefined || (made && taken.has(name))) name = VOLUME_PREFIX + randomSuffix(5, random);
  let mounted = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if ((container.volumeMounts ?? []).some((mount) => mount.mountPath === TOKEN_PATH)) continue;
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: TOKEN_PATH }];
    mounted = true;
  }
  if (mounted && made) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

function tokenVolume(name: string): Volume {
  const namespace = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } };
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [namespace] } },
      ],
    },
  };
}
