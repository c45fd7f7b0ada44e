import { defineKind } from '../../../libs/kind/kind.ts';
import type { Binding } from '../../types/core/v1.generated.ts';
import { bindPod } from '../pod/subresources/binding.ts';

/** `bindings`: the old way of binding, with the pod's name in the body. Nothing is stored. */
export const binding = defineKind<Binding>({
  group: '',
  kind: 'Binding',
  resource: 'bindings',
  namespaced: true,
  versions: [{ version: 'v1', type: 'core.v1.Binding' }],
  virtual: { create: (ctx, registry, body) => bindPod(ctx, registry, body, body.metadata?.name ?? '') },
});
