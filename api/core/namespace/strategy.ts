import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { namespaceName } from '../../../libs/machinery/names.ts';
import type { Namespace } from '../../types/core/v1.generated.ts';
import { validateNamespace, validateNamespaceFinalize, validateNamespaceStatus } from './validation.ts';

const FINALIZER = 'kubernetes';
const NAME_LABEL = 'kubernetes.io/metadata.name';

export const strategy: Strategy<Namespace> = {
  resetFields: ['status'],
  validateName: namespaceName,
  validate: validateNamespace,
  defaults: labelWithName,
  prepareForCreate(_ctx, draft) {
    draft.status = { phase: 'Active' };
    draft.spec ??= {};
    // What empties a namespace before it goes is the namespace controller, which this finalizer waits for.
    if (!draft.spec.finalizers?.includes(FINALIZER))
      draft.spec.finalizers = [...(draft.spec.finalizers ?? []), FINALIZER];
    labelWithName(draft);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    draft.spec = { ...draft.spec, finalizers: [...(old.spec?.finalizers ?? [])] };
  },
  heldBy: (namespace) => (namespace.spec?.finalizers ?? []).length > 0,
  gracefulDelete: {
    begin(_ctx, draft) {
      draft.status = { ...draft.status, phase: 'Terminating' };
      return 'unbounded';
    },
  },
};

export const statusStrategy: StatusSubresource<Namespace>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateNamespaceStatus,
  defaults: labelWithName,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};

/** Only through `finalize` do a namespace's own finalizers change. */
export const finalizeStrategy: StatusSubresource<Namespace>['strategy'] = {
  validateUpdate: validateNamespaceFinalize,
  resetFields: ['status'],
  defaults: labelWithName,
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
};

/** The label by which selectors of namespaces can name one. */
function labelWithName({ metadata }: Namespace): void {
  if (metadata?.name) metadata.labels = { ...metadata.labels, [NAME_LABEL]: metadata.name };
}
