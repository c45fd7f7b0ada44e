import { namespaces } from '../../../api/resources.ts';
import type { Namespace } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { forbidden, namespaceTerminating, notFound } from '../../../libs/machinery/errors.ts';

const PERMANENT: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

/**
 * Nothing comes to be in a namespace that is not there or is on its way out, and the namespaces that a cluster stands on
 * are not deleted (API concept "Admission control": NamespaceLifecycle). `cached` gives a namespace as the watch cache has
 * it: what is there is looked at there, as upstream does, and only what is not is asked for.
 */
export function namespaceLifecycle(cached: (name: string) => DeepReadonly<Namespace> | undefined): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',
    handles: ({ operation, kind, namespace }) => {
      if (kind.resource === 'namespaces' && kind.group === '') return operation === 'DELETE';
      // Whether somebody may do something can be asked of any namespace.
      return operation === 'CREATE' && namespace !== '' && !(kind.virtual && kind.group === 'authorization.k8s.io');
    },
    admit(_ctx, request, registry) {
      const { operation, kind, namespace, name } = request;
      if (operation === 'DELETE') {
        if (PERMANENT.has(name)) throw forbidden(kind, name, 'this namespace may not be deleted');
        return undefined;
      }
      const found = cached(namespace);
      if (found) return mustLive(found, request);
      return registry.get(namespaces, '', namespace).then((fresh) => mustLive(fresh, request));
    },
  };
}

function mustLive(
  found: DeepReadonly<Namespace> | undefined,
  { kind, namespace, name, object }: AdmissionRequest,
): void {
  if (!found) throw notFound(namespaces, namespace);
  if (found.metadata?.deletionTimestamp || found.status?.phase === 'Terminating') {
    throw namespaceTerminating(kind, name || object?.metadata?.name || '', namespace);
  }
}
