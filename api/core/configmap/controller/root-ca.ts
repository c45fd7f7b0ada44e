import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { hasCause, isAlreadyExists } from '../../../../libs/machinery/errors.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { configMaps, namespaces } from '../../../resources.ts';
import type { ConfigMap } from '../../../types/core/v1.generated.ts';

const NAME = 'kube-root-ca.crt';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

interface Observed {
  readonly namespace: string;
  readonly present: Live<ConfigMap> | undefined;
}

/** Puts the authority's certificate into every namespace, where pods find it, and puts it right when it was changed. */
export function rootCaController(
  authorityPem: string,
): Reconciler<Observed, { readonly type: 'create' | 'update'; readonly reason: string }> {
  const data = { 'ca.crt': authorityPem };
  return {
    name: 'root-ca-certificate-publisher',
    watches: [
      watching(namespaces, ownKey),
      watching(configMaps, ({ metadata }) => (metadata.name === NAME ? [metadata.namespace ?? ''] : [])),
    ],
    observe({ informers }, name) {
      const namespace = informers.informer(namespaces).get(name);
      if (namespace?.status?.phase !== 'Active') return undefined;
      return { namespace: name, present: informers.informer(configMaps).get(`${name}/${NAME}`) };
    },
    plan({ present }) {
      if (!present) return { actions: [{ type: 'create', reason: 'absent' }] };
      const isRight = sameValue(present.data, data) && present.metadata.annotations?.['kubernetes.io/description'];
      return { actions: isRight ? [] : [{ type: 'update', reason: 'changed by somebody' }] };
    },
    async apply({ client }, { type }, { namespace, present }) {
      const maps = client.resource(configMaps).namespace(namespace);
      const annotations = { ...present?.metadata.annotations, 'kubernetes.io/description': DESCRIPTION };
      try {
        const written = await (type === 'create'
          ? maps.create({ metadata: { name: NAME, namespace, annotations }, data })
          : maps.update({
              ...present,
              metadata: { ...present?.metadata, annotations },
              data,
              binaryData: undefined,
            } as unknown as ConfigMap));
        return [{ ref: configMaps, resourceVersion: written.metadata.resourceVersion }];
      } catch (error) {
        if (!isAlreadyExists(error) && !hasCause(error, 'NamespaceTerminating')) throw error;
        return [];
      }
    },
  };
}
