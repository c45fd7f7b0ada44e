import { namespaces } from '../../../api/resources.ts';
import type { AdmissionPlugin } from '../../../libs/kind/admission.ts';
import { forbidden, namespaceTerminating, notFound } from '../../../libs/machinery/errors.ts';

const PERMANENT: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

/**
 * Nothing comes to be in a namespace that is not there or is on its way out, and the namespaces that a cluster stands on
 * are not deleted (API concept "Admission control": NamespaceLifecycle).
 */
export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  handles: ({ operation, kind, namespace }) => {
    if (kind.resource === 'namespaces' && kind.group === '') return operation === 'DELETE';
    // Whether somebody may do something can be asked of any namespace.
    return operation === 'CREATE' && namespace !== '' && !(kind.virtual && kind.group === 'authorization.k8s.io');
  },
  async admit(_ctx, request, registry) {
    const { operation, kind, namespace, name } = request;
    if (operation === 'DELETE') {
      if (PERMANENT.has(name)) throw forbidden(kind, name, 'this namespace may not be deleted');
      return;
    }
    const found = await registry.get(namespaces, '', namespace);
    if (!found) throw notFound(namespaces, namespace);
    if (found.metadata.deletionTimestamp || found.status?.phase === 'Terminating') {
      throw namespaceTerminating(kind, name || request.object?.metadata?.name || '', namespace);
    }
  },
};
